"""Hyperparameter tuning jobs: a search that starts training jobs, some at a time, and keeps the best."""

from __future__ import annotations

import logging
import threading
import time
import uuid
import zlib
from typing import Any

from helpers.offline.kernel import AwsError, Call, Kernel
from helpers.offline.services.sagemaker import images, job_events
from helpers.offline.services.sagemaker.records import TrainingJob, TuningJob
from helpers.offline.services.sagemaker.store import Store, invalid, page
from helpers.offline.services.sagemaker.training_jobs import TrainingJobs
from helpers.offline.services.sagemaker.tuning_search import Search, Space

TUNABLE = {
    "xgboost": {
        *("num_round", "eta", "learning_rate", "gamma", "max_depth", "min_child_weight", "max_delta_step"),
        *("subsample", "colsample_bytree", "colsample_bylevel", "colsample_bynode", "lambda", "alpha"),
    },
    "linear-learner": {
        *("wd", "l1", "learning_rate", "mini_batch_size", "use_bias", "positive_example_weight_mult"),
    },
    "knn": {"k", "sample_size"},
}
ENDED = ("Completed", "Failed", "Stopped")
log = logging.getLogger("offline.sagemaker")


class TuningJobs:
    def __init__(self, kernel: Kernel, store: Store, training: TrainingJobs) -> None:
        self.kernel = kernel
        self.store = store
        self.training = training

    # --- Operations -------------------------------------------------------------------------------------------------

    def create(self, call: Call, request: dict[str, Any]) -> dict[str, Any]:
        name = request["HyperParameterTuningJobName"]
        if any(taken.lower() == name.lower() for taken in self.store.tuning_jobs(call.region)):
            raise AwsError("ResourceInUse", f"Hyper parameter tuning job {name} already exists.")
        space = self._check(request)
        arn = self.store.arn(call.region, "hyper-parameter-tuning-job", name)
        kept = {key: value for key, value in request.items() if key != "Tags"}
        job = TuningJob(arn, name, call.region, kept, list(request.get("Tags", [])))
        config = request["HyperParameterTuningJobConfig"]
        seed = config.get("RandomSeed", zlib.crc32(name.encode()))
        search = Search(config["Strategy"], space, seed)
        self.training.check(call.region, self._child_request(job, "check", {}))
        self.store.tuning_jobs(call.region)[name] = job
        self._tell(job)
        threading.Thread(target=self._run, args=(job, search), name=f"tuning {name}", daemon=True).start()
        return {"HyperParameterTuningJobArn": arn}

    def describe(self, call: Call, request: dict[str, Any]) -> dict[str, Any]:
        return self.description(self._find(call, request))

    def list(self, call: Call, request: dict[str, Any]) -> dict[str, Any]:
        return page(
            list(self.store.tuning_jobs(call.region).values()),
            request,
            "HyperParameterTuningJobSummaries",
            self._summary,
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
        job = self._find(call, request)
        sign = -1 if self._maximizes(job) else 1
        worst = float("inf")
        return page(
            self._children(job),
            request,
            "TrainingJobSummaries",
            lambda child: self._child_summary(job, child),
            name=lambda child: child.name,
            times={},
            sorts={
                "CreationTime": lambda child: child.created,
                "Name": lambda child: child.name,
                "Status": lambda child: child.status,
                "FinalObjectiveMetricValue": lambda child: (
                    worst if (value := self._objective(job, child)) is None else sign * value
                ),
            },
            default_sort="Name",
            default_order="Ascending",
        )

    def stop(self, call: Call, request: dict[str, Any]) -> None:
        job = self._find(call, request)
        with self.store.lock:
            if job.status not in ("InProgress", "Stopping"):
                raise invalid(f"The request was rejected because the tuning job is in status {job.status}.")
            job.status = "Stopping"
        for child in self._children(job):
            if child.status == "InProgress":
                self.training.stop_job(child)

    # --- Life -------------------------------------------------------------------------------------------------------

    def recover(self) -> None:
        for region in self.store.regions():
            for job in self.store.tuning_jobs(region).values():
                if job.status in ("InProgress", "Stopping"):
                    self._end(job, "Failed", "The offline AWS ended while this tuning job was running.")

    def _run(self, job: TuningJob, search: Search) -> None:
        try:
            self._try_all(job, search)
        except AwsError as error:
            self._end(job, "Failed", error.message)
        except Exception as error:
            log.exception("tuning job %s", job.name)
            self._end(job, "Failed", f"{type(error).__name__}: {error}")
        else:
            self._end(job, "Stopped" if job.status == "Stopping" else "Completed")

    def _try_all(self, job: TuningJob, search: Search) -> None:
        limits = job.request["HyperParameterTuningJobConfig"]["ResourceLimits"]
        most = limits.get("MaxNumberOfTrainingJobs", 1)
        deadline = job.created + limits.get("MaxRuntimeInSeconds", 28 * 86400)
        points: dict[str, list[float]] = {}
        is_exhausted = False
        while True:
            running = [child for child in self._children(job) if child.status not in ENDED]
            is_over = job.status == "Stopping" or is_exhausted or len(job.children) >= most or time.time() > deadline
            if is_over and not running:
                return
            if not is_over and len(running) < limits["MaxParallelTrainingJobs"]:
                point = search.next(len(job.children), self._outcomes(job, points), self._directory())
                if point is None:
                    is_exhausted = True
                    continue
                child = self._start_child(job, search.space.values(point))
                points[child.name] = point
                continue
            if self.kernel.stopping.wait(0.1):
                return

    def _outcomes(self, job: TuningJob, points: dict[str, list[float]]) -> list[tuple[list[float], float]]:
        """What was tried so far. A job that still runs counts as middling, so that its point is not tried twice."""
        sign = -1 if self._maximizes(job) else 1
        found = [(points[child.name], self._objective(job, child), child.status) for child in self._children(job)]
        known = [(point, sign * value) for point, value, _ in found if value is not None]
        middling = sum(value for _, value in known) / max(1, len(known))
        running = [(point, middling) for point, value, status in found if value is None and status not in ENDED]
        return known + running if known else []

    def _start_child(self, job: TuningJob, tuned: dict[str, str]) -> TrainingJob:
        name = f"{job.name}-{len(job.children) + 1:03d}-{uuid.uuid4().hex[:8]}"
        request = self._child_request(job, name, tuned)
        child = self.training.start(job.region, request, objective=self._metric(job), tuning_arn=job.arn, tuned=tuned)
        job.children.append(name)
        self._changed(job)
        return child

    def _child_request(self, job: TuningJob, name: str, tuned: dict[str, str]) -> dict[str, Any]:
        definition = job.request["TrainingJobDefinition"]
        kept = ("RoleArn", "InputDataConfig", "OutputDataConfig", "ResourceConfig", "StoppingCondition", "Environment")
        request = {key: definition[key] for key in kept if key in definition}
        static = definition.get("StaticHyperParameters", {})
        specification = {
            key: value for key, value in definition["AlgorithmSpecification"].items() if key != "MetricDefinitions"
        }
        return request | {
            "TrainingJobName": name,
            "AlgorithmSpecification": specification,
            "HyperParameters": {**static, "_tuning_objective_metric": self._metric(job), **tuned},
            "Tags": job.tags,
        }

    def _end(self, job: TuningJob, status: str, failure: str | None = None) -> None:
        job.status, job.failure, job.ended = status, failure, time.time()
        self._changed(job)
        self._tell(job)

    def _changed(self, job: TuningJob) -> None:
        job.modified = time.time()
        self.store.changed()

    def _tell(self, job: TuningJob) -> None:
        detail = self.description(job)
        job_events.emit(self.kernel, job.region, "HyperParameter Tuning Job", detail, job.arn)

    def _directory(self) -> Any:
        directory = self.kernel.workspace.dir / "sagemaker"
        directory.mkdir(parents=True, exist_ok=True)
        return directory

    # --- Looking ----------------------------------------------------------------------------------------------------

    def _find(self, call: Call, request: dict[str, Any]) -> TuningJob:
        return self.store.find(call.region, "hyper-parameter-tuning-job", request["HyperParameterTuningJobName"])

    def _children(self, job: TuningJob) -> list[TrainingJob]:
        jobs = self.store.training_jobs(job.region)
        return [jobs[name] for name in list(job.children) if name in jobs]

    def _metric(self, job: TuningJob) -> str:
        return _objective_of(job.request)["MetricName"]

    def _maximizes(self, job: TuningJob) -> bool:
        return _objective_of(job.request)["Type"] == "Maximize"

    def _objective(self, job: TuningJob, child: TrainingJob) -> float | None:
        found = child.metrics.get(self._metric(job))
        return found[0] if found and child.status == "Completed" else None

    def description(self, job: TuningJob) -> dict[str, Any]:
        children = self._children(job)
        done = [child for child in children if self._objective(job, child) is not None]
        best = (max if self._maximizes(job) else min)(done, key=lambda c: self._objective(job, c), default=None)
        shown = {
            **job.request,
            "HyperParameterTuningJobArn": job.arn,
            "HyperParameterTuningJobStatus": job.status,
            "CreationTime": job.created,
            "HyperParameterTuningEndTime": job.ended,
            "LastModifiedTime": job.modified,
            **self._counters(job, children),
            "BestTrainingJob": self._child_summary(job, best) if best else None,
            "FailureReason": job.failure,
        }
        definition = shown["TrainingJobDefinition"]
        static = {**definition.get("StaticHyperParameters", {}), "_tuning_objective_metric": self._metric(job)}
        shown["TrainingJobDefinition"] = definition | {"StaticHyperParameters": static}
        return {name: value for name, value in shown.items() if value is not None}

    def _counters(self, job: TuningJob, children: list[TrainingJob]) -> dict[str, dict[str, int]]:
        statuses = [child.status for child in children]
        objective = [self._objective_status(job, child) for child in children]
        return {
            "TrainingJobStatusCounters": {
                "Completed": statuses.count("Completed"),
                "InProgress": sum(status not in ENDED for status in statuses),
                "RetryableError": 0,
                "NonRetryableError": statuses.count("Failed"),
                "Stopped": statuses.count("Stopped"),
            },
            "ObjectiveStatusCounters": {name: objective.count(name) for name in ("Succeeded", "Pending", "Failed")},
        }

    def _objective_status(self, job: TuningJob, child: TrainingJob) -> str:
        if child.status not in ENDED:
            return "Pending"
        return "Succeeded" if self._objective(job, child) is not None else "Failed"

    def _summary(self, job: TuningJob) -> dict[str, Any]:
        config = job.request["HyperParameterTuningJobConfig"]
        shown = {
            "HyperParameterTuningJobName": job.name,
            "HyperParameterTuningJobArn": job.arn,
            "HyperParameterTuningJobStatus": job.status,
            "Strategy": config["Strategy"],
            "CreationTime": job.created,
            "HyperParameterTuningEndTime": job.ended,
            "LastModifiedTime": job.modified,
            **self._counters(job, self._children(job)),
            "ResourceLimits": config["ResourceLimits"],
        }
        return {name: value for name, value in shown.items() if value is not None}

    def _child_summary(self, job: TuningJob, child: TrainingJob) -> dict[str, Any]:
        objective = _objective_of(job.request)
        value = self._objective(job, child)
        shown = {
            "TrainingJobName": child.name,
            "TrainingJobArn": child.arn,
            "CreationTime": child.created,
            "TrainingStartTime": child.started,
            "TrainingEndTime": child.ended,
            "TrainingJobStatus": child.status,
            "TunedHyperParameters": child.tuned,
            "FailureReason": child.failure,
            "ObjectiveStatus": self._objective_status(job, child),
            "TrainingJobDefinitionName": job.request["TrainingJobDefinition"].get("DefinitionName"),
        }
        if value is not None:
            shown["FinalHyperParameterTuningJobObjectiveMetric"] = {
                "Type": objective["Type"],
                "MetricName": objective["MetricName"],
                "Value": value,
            }
        return {name: entry for name, entry in shown.items() if entry is not None}

    # --- Checks -----------------------------------------------------------------------------------------------------

    def _check(self, request: dict[str, Any]) -> Space:
        """What the service looks at before it accepts a tuning job. Raises AwsError."""
        config = request["HyperParameterTuningJobConfig"]
        for unsupported in ("WarmStartConfig", "Autotune", "TrainingJobDefinitions"):
            if request.get(unsupported):
                raise AwsError("NotImplemented", f"The offline AWS does not support {unsupported}.", 501)
        if config["Strategy"] == "Hyperband":
            raise AwsError("NotImplemented", "The offline AWS does not support the Hyperband strategy.", 501)
        if "TrainingJobDefinition" not in request or "HyperParameterTuningJobObjective" not in config:
            raise invalid("A tuning job needs TrainingJobDefinition and HyperParameterTuningJobObjective.")
        if "ParameterRanges" not in config or config["ParameterRanges"].get("AutoParameters"):
            raise invalid("A tuning job needs ParameterRanges; AutoParameters are not supported offline.")
        space = Space(config["ParameterRanges"])
        uri = request["TrainingJobDefinition"]["AlgorithmSpecification"].get("TrainingImage", "")
        image = images.built_in(uri)
        if image is None:
            raise AwsError("NotImplemented", images.why_not(uri), 501)
        for name in space.names:
            if name not in TUNABLE[image.algorithm]:
                raise invalid(
                    f"The hyperparameter {name} cannot be tuned for this algorithm. Tunable hyperparameters: "
                    f"{sorted(TUNABLE[image.algorithm])}"
                )
            if name in request["TrainingJobDefinition"].get("StaticHyperParameters", {}):
                raise invalid(f"The hyperparameter {name} is both static and tuned.")
        self.training.check_objective(image, _objective_of(request)["MetricName"])
        return space


def _objective_of(request: dict[str, Any]) -> dict[str, str]:
    return request["HyperParameterTuningJobConfig"]["HyperParameterTuningJobObjective"]
