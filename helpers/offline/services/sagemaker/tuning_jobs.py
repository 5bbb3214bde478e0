"""Hyperparameter tuning jobs: a search that starts training jobs, some at a time, and keeps the best."""

from __future__ import annotations

import logging
import threading
import time
import uuid
import zlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from helpers.offline.kernel import AwsError, Call, Kernel
from helpers.offline.services.sagemaker import job_events, training_checks, tuning_checks, tuning_warm_start
from helpers.offline.services.sagemaker.job_run import JobRun
from helpers.offline.services.sagemaker.records import TrainingJob, TuningJob, now
from helpers.offline.services.sagemaker.store import Store, invalid, page
from helpers.offline.services.sagemaker.training_jobs import TrainingJobs
from helpers.offline.services.sagemaker.tuning_descriptions import (
    ENDED,
    best,
    child_summary,
    description,
    maximizes,
    not_improving,
    objective_of,
    result,
    summary,
)
from helpers.offline.services.sagemaker.tuning_search import Search
from helpers.offline.services.sagemaker.tuning_stopping import Halving, MedianRule, Never, Rule

FAILURES_IN_A_ROW = 5  # without any success, after which the tuning job gives up
KEPT_OF_DEFINITION = (
    *("RoleArn", "InputDataConfig", "OutputDataConfig", "ResourceConfig", "StoppingCondition", "Environment"),
    *("CheckpointConfig", "EnableNetworkIsolation", "EnableInterContainerTrafficEncryption"),
    *("EnableManagedSpotTraining", "RetryStrategy", "VpcConfig"),
)
KEPT_OF_RESOURCES = ("InstanceType", "InstanceCount", "VolumeSizeInGB", "VolumeKmsKeyId")
log = logging.getLogger("offline.sagemaker")


@dataclass(slots=True)
class Seen:
    """Of early stopping: the series of the children that have ended, and how long those of the others were."""

    before: dict[str, list[float]] = field(default_factory=dict)
    lengths: dict[str, int] = field(default_factory=dict)


class TuningJobs:
    def __init__(self, kernel: Kernel, store: Store, training: TrainingJobs) -> None:
        self.kernel = kernel
        self.store = store
        self.training = training

    # --- Operations -------------------------------------------------------------------------------------------------

    def create(self, call: Call, request: dict[str, Any]) -> dict[str, Any]:
        name = request["HyperParameterTuningJobName"]
        self._refuse_taken(call.region, name)
        space = tuning_checks.space_of(call.region, request)
        tuning_warm_start.check(self.store, call.region, request)
        arn = self.store.arn(call.region, "hyper-parameter-tuning-job", name)
        kept = {key: value for key, value in request.items() if key != "Tags"}
        job = TuningJob(arn, name, call.region, kept, list(request.get("Tags", [])))
        config = request["HyperParameterTuningJobConfig"]
        seed = config.get("RandomSeed", zlib.crc32(name.encode()))
        search = Search(config["Strategy"], space, seed, self.kernel.workspace.dir / "sagemaker")
        training_checks.check(self.kernel, call.region, self._child_request(job, "check", {}))
        with self.store.lock:
            self._refuse_taken(call.region, name)
            self.store.tuning_jobs(call.region)[name] = job
        self._tell(job)
        threading.Thread(target=self._run, args=(job, search), name=f"tuning {name}", daemon=True).start()
        return {"HyperParameterTuningJobArn": arn}

    def _refuse_taken(self, region: str, name: str) -> None:
        if any(taken.lower() == name.lower() for taken in self.store.tuning_jobs(region)):
            raise AwsError(
                "ResourceInUse",
                f"A hyperparameter tuning job with the name, {name}, already exists. Choose a different name.",
            )

    def delete(self, call: Call, request: dict[str, Any]) -> None:
        """The entry alone: its training jobs stay. A job that is not there is deleted already."""
        with self.store.lock:
            jobs = self.store.tuning_jobs(call.region)
            job = jobs.get(request["HyperParameterTuningJobName"])
            if job is None:
                return
            if job.status in ("InProgress", "Stopping"):
                raise _rejected(job)
            del jobs[job.name]

    def describe(self, call: Call, request: dict[str, Any]) -> dict[str, Any]:
        job = self._find(call, request)
        with self.store.lock:
            children = self._children(job)
            best_of_all = tuning_warm_start.overall_best(self.store, job, children)
            return description(job, children) | ({"OverallBestTrainingJob": best_of_all} if best_of_all else {})

    def list(self, call: Call, request: dict[str, Any]) -> dict[str, Any]:
        return page(
            list(self.store.tuning_jobs(call.region).values()),
            request,
            "HyperParameterTuningJobSummaries",
            lambda job: summary(job, self._children(job)),
            name=lambda job: job.name,
            times={"CreationTime": lambda job: job.created, "LastModifiedTime": lambda job: job.modified},
            sorts={
                "CreationTime": lambda job: job.created,
                "Name": lambda job: job.name,
                "Status": lambda job: job.status,
            },
            default_sort="Name",
            default_order="Ascending",
        )

    def list_children(self, call: Call, request: dict[str, Any]) -> dict[str, Any]:
        """Sorted by the objective, those without one are not listed."""
        job = self._find(call, request)
        children = self._children(job)
        if request.get("SortBy") == "FinalObjectiveMetricValue":
            children = [child for child in children if result(job, child) is not None]
        return page(
            children,
            request,
            "TrainingJobSummaries",
            lambda child: child_summary(job, child),
            name=lambda child: child.name,
            times={},
            sorts={
                "CreationTime": lambda child: child.created,
                "Name": lambda child: child.name,
                "Status": lambda child: child.status,
                "FinalObjectiveMetricValue": lambda child: result(job, child),
            },
            default_sort="Name",
            default_order="Ascending",
        )

    def stop(self, call: Call, request: dict[str, Any]) -> None:
        job = self._find(call, request)
        with self.store.lock:
            if job.status not in ("InProgress", "Stopping"):
                raise _rejected(job)
            job.status = "Stopping"
        self._changed(job)
        self._tell(job)
        self._stop_children(job)

    # --- Life -------------------------------------------------------------------------------------------------------

    def recover(self) -> None:
        for region in self.store.regions():
            for job in self.store.tuning_jobs(region).values():
                if job.status == "Stopping":
                    self._end(job, "Stopped")
                elif job.status == "InProgress":
                    self._end(job, "Failed", "The offline AWS ended while this tuning job was running.")

    def _run(self, job: TuningJob, search: Search) -> None:
        try:
            with search:
                self._try_all(job, search)
        except AwsError as error:
            self._end(job, "Failed", error.message)
        except Exception as error:
            log.exception("tuning job %s", job.name)
            self._end(job, "Failed", f"{type(error).__name__}: {error}")
        else:
            if self.kernel.stopping.is_set():
                return  # the next start finds it interrupted
            children = self._children(job)
            if job.status == "Stopping":
                self._end(job, "Stopped")
            elif children and all(child.status == "Failed" for child in children):
                self._end(
                    job,
                    "Failed",
                    f"No training job succeeded after {len(children)} attempts. For additional details, please take a "
                    "look at the training job failures by listing training jobs for the hyperparameter tuning job.",
                )
            else:
                self._end(job, "Completed")

    def _try_all(self, job: TuningJob, search: Search) -> None:
        most = job.request["HyperParameterTuningJobConfig"]["ResourceLimits"]["MaxParallelTrainingJobs"]
        points: dict[str, list[float]] = {}
        runs: dict[str, JobRun] = {}
        rule, seen, is_exhausted = _rule(job), Seen(), False
        known = tuning_warm_start.known(self.store, job, search.space)
        while not self.kernel.stopping.wait(0.05):
            children = self._children(job)
            running = [child for child in children if child.status not in ENDED]
            if self._is_reached(job, children):
                self._stop_children(job)
                is_exhausted = True
            if job.status == "Stopping":
                self._stop_children(job)  # one may have been started meanwhile
            self._stop_hopeless(job, children, runs, rule, seen)
            if job.status == "Stopping" or is_exhausted or self._is_enough(job, children):
                if not running:
                    return
            elif len(running) < most:
                point = search.next(len(job.children), known + self._outcomes(job, points))
                if point is None:
                    is_exhausted = True
                elif job.status != "Stopping":  # meanwhile
                    child, run = self._start_child(job, search.space.values(point))
                    points[child.name] = point
                    if run is not None:
                        runs[child.name] = run

    def _is_enough(self, job: TuningJob, children: list[TrainingJob]) -> bool:
        config = job.request["HyperParameterTuningJobConfig"]
        most = config["ResourceLimits"].get("MaxNumberOfTrainingJobs", 1)
        if config["Strategy"] == "Grid" and "MaxNumberOfTrainingJobs" not in config["ResourceLimits"]:
            most = tuning_checks.QUOTAS["MaxNumberOfTrainingJobs"]  # as many as the grid has points
        failed = [child for child in children if child.status == "Failed"]
        gives_up = len(failed) >= FAILURES_IN_A_ROW and len(failed) == len(children)
        return gives_up or len(job.children) >= most

    def _is_reached(self, job: TuningJob, children: list[TrainingJob]) -> bool:
        """The time is over, or a completion criterion is met."""
        config = job.request["HyperParameterTuningJobConfig"]
        limit_s = config["ResourceLimits"].get("MaxRuntimeInSeconds", 28 * 86400)
        criteria = config.get("TuningJobCompletionCriteria", {})
        target = criteria.get("TargetObjectiveMetricValue")
        patience = criteria.get("BestObjectiveNotImproving", {}).get("MaxNumberOfTrainingJobsNotImproving")
        if time.time() > job.created + limit_s:
            return True
        if target is not None and (winner := best(job, children)) is not None:
            value = result(job, winner)
            if value is not None and (value >= target if maximizes(job) else value <= target):
                return True
        return patience is not None and not_improving(job, children) >= patience

    def _stop_hopeless(
        self, job: TuningJob, children: list[TrainingJob], runs: Mapping[str, JobRun], rule: Rule, seen: Seen
    ) -> None:
        """Judges each running child whose series has grown since the last look."""
        if isinstance(rule, Never):
            return
        sign = -1 if maximizes(job) else 1
        metric = objective_of(job)["MetricName"]
        for child in children:
            if child.name not in runs or child.name in seen.before:
                continue
            values = list(runs[child.name].extraction.seen.get(metric, ()))
            series = [sign * value for value, _ in values]
            if child.status in ENDED:
                seen.before[child.name] = series
            elif child.status == "InProgress" and len(series) > seen.lengths.get(child.name, 0):
                seen.lengths[child.name] = len(series)
                if rule.is_hopeless(child.name, series, seen.before):
                    self._stop_child(child)

    def _stop_children(self, job: TuningJob) -> None:
        for child in self._children(job):
            if child.status == "InProgress":
                self._stop_child(child)

    def _stop_child(self, child: TrainingJob) -> None:
        with suppress(AwsError):  # where it ended meanwhile
            self.training.stop_job(child)

    def _outcomes(self, job: TuningJob, points: dict[str, list[float]]) -> list[tuple[list[float], float]]:
        """What was tried so far. A job that still runs counts as middling, so that its point is not tried twice."""
        sign = -1 if maximizes(job) else 1
        found = [(points[child.name], result(job, child), child.status) for child in self._children(job)]
        known = [(point, sign * value) for point, value, _ in found if value is not None]
        middling = sum(value for _, value in known) / max(1, len(known))
        running = [(point, middling) for point, value, status in found if value is None and status not in ENDED]
        return known + running if known else []

    def _start_child(self, job: TuningJob, tuned: dict[str, str]) -> tuple[TrainingJob, JobRun | None]:
        name = f"{job.name}-{len(job.children) + 1:03d}-{uuid.uuid4().hex[:8]}"
        request = self._child_request(job, name, tuned)
        metric = objective_of(job)["MetricName"]
        child = self.training.start(job.region, request, objective=metric, tuning_arn=job.arn, tuned=tuned)
        run = self.training.runs.get((job.region, name))
        job.children.append(name)
        self._changed(job)
        return child, run

    def _child_request(self, job: TuningJob, name: str, tuned: dict[str, str]) -> dict[str, Any]:
        definition = job.request["TrainingJobDefinition"]
        request = {key: definition[key] for key in KEPT_OF_DEFINITION if key in definition}
        static = definition.get("StaticHyperParameters", {})
        specification = {
            key: value for key, value in definition["AlgorithmSpecification"].items() if key != "MetricDefinitions"
        }
        if resources := definition.get("HyperParameterTuningResourceConfig"):
            chosen = resources.get("InstanceConfigs", [resources])[0]  # there is always capacity for the first
            request["ResourceConfig"] = {key: chosen[key] for key in KEPT_OF_RESOURCES if key in chosen}
        return request | {
            "TrainingJobName": name,
            "AlgorithmSpecification": specification,
            "HyperParameters": {**static, "_tuning_objective_metric": objective_of(job)["MetricName"], **tuned},
            "Tags": job.tags,
        }

    def _end(self, job: TuningJob, status: str, failure: str | None = None) -> None:
        """A job that was told to stop does not end as Completed."""
        with self.store.lock:
            if job.status == "Stopping" and status == "Completed":
                status = "Stopped"
            job.status, job.failure, job.ended = status, failure, now()
        self._changed(job)
        self._tell(job)

    def _changed(self, job: TuningJob) -> None:
        job.modified = now()
        self.store.changed()

    def _tell(self, job: TuningJob) -> None:
        detail = job_events.with_tags(description(job, self._children(job)), job.tags)
        job_events.emit(self.kernel, job.region, "HyperParameter Tuning Job", detail, job.arn)

    def _find(self, call: Call, request: dict[str, Any]) -> TuningJob:
        return self.store.find(call.region, "hyper-parameter-tuning-job", request["HyperParameterTuningJobName"])

    def _children(self, job: TuningJob) -> list[TrainingJob]:
        jobs = self.store.training_jobs(job.region)
        return [jobs[name] for name in list(job.children) if name in jobs]


def _rejected(job: TuningJob) -> AwsError:
    return invalid(f"The request was rejected because the tuning job is in status {job.status}.")


def _rule(job: TuningJob) -> Rule:
    config = job.request["HyperParameterTuningJobConfig"]
    if config["Strategy"] == "Hyperband":
        limits = config.get("StrategyConfig", {}).get("HyperbandStrategyConfig", {})
        return Halving(limits.get("MinResource", 1), limits.get("MaxResource"))
    return MedianRule() if config.get("TrainingJobEarlyStoppingType") == "Auto" else Never()
