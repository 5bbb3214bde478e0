"""Training jobs: CreateTrainingJob, DescribeTrainingJob, ListTrainingJobs, StopTrainingJob."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable
from typing import Any

from helpers.offline.kernel import AwsError, Call, Kernel
from helpers.offline.services.sagemaker import job_events, job_metrics, training_checks
from helpers.offline.services.sagemaker.job_host import environment
from helpers.offline.services.sagemaker.job_processes import JobProcesses
from helpers.offline.services.sagemaker.job_run import JobRun, enter
from helpers.offline.services.sagemaker.records import TrainingJob
from helpers.offline.services.sagemaker.store import Store, invalid, page

CLEARED_S = 30.0  # for the directory of a job that has just ended
PLACES = max(3, os.cpu_count() or 2)  # jobs that work at once; more wait in "Starting"
# Kept and shown; only CheckpointConfig has an effect.
KEPT = (
    *("CheckpointConfig", "VpcConfig", "RetryStrategy", "DebugHookConfig", "DebugRuleConfigurations"),
    *("TensorBoardOutputConfig", "ProfilerConfig", "ProfilerRuleConfigurations", "ExperimentConfig"),
    *("RemoteDebugConfig", "InfraCheckConfig", "Environment"),
)
CHANNEL_DEFAULTS = {"CompressionType": "None", "RecordWrapperType": "None"}
INTERRUPTED = (
    "InternalServerError: The offline AWS ended while this training job was running. Please start the job again."
)


class TrainingJobs:
    """`watchers` are told of every change of a job."""

    def __init__(self, kernel: Kernel, store: Store) -> None:
        self.kernel = kernel
        self.store = store
        home = kernel.workspace.dir / "sagemaker"
        self.processes = JobProcesses(home, environment(home))
        self.places = threading.Semaphore(PLACES)
        self.runs: dict[tuple[str, str], JobRun] = {}
        self.watchers: list[Callable[[TrainingJob], None]] = []

    # --- Operations ---------------------------------------------------------------------------------------------------

    def create(self, call: Call, request: dict[str, Any]) -> dict[str, Any]:
        job = self.start(call.region, request)
        return {"TrainingJobArn": job.arn}

    def start(self, region: str, request: dict[str, Any], **tuning: Any) -> TrainingJob:
        """Checks the request, and has the job run. Raises AwsError."""
        name = request["TrainingJobName"]
        image = training_checks.check(self.kernel, region, request)
        definitions = job_metrics.injected(image)
        if objective := tuning.pop("objective", None):
            regex = next(entry["Regex"] for entry in definitions if entry["Name"] == objective)
            definitions.append({"Name": "ObjectiveMetric", "Regex": regex})
        job = TrainingJob(
            self.store.arn(region, "training-job", name),
            name,
            region,
            {name: value for name, value in request.items() if name != "Tags"},
            list(request.get("Tags", [])),
            metric_definitions=definitions,
            **tuning,
        )
        run = JobRun(self.kernel, job, self._changed, self.processes, self.store.lock)
        with self.store.lock:
            jobs = self.store.training_jobs(region)
            if any(taken.lower() == name.lower() for taken in jobs):
                raise AwsError(
                    "ResourceInUse",
                    "Training job names must be unique within an AWS account and region, and a training job with this "
                    f"name already exists ({job.arn})",
                )
            enter(job, "Starting")
            jobs[name] = job
            self.runs[region, name] = run
        threading.Thread(target=self._run, args=(run,), name=f"training {name}", daemon=True).start()
        self._tell(job)
        return job

    def describe(self, call: Call, request: dict[str, Any]) -> dict[str, Any]:
        with self.store.lock:
            return description(self.store.find(call.region, "training-job", request["TrainingJobName"]))

    def list(self, call: Call, request: dict[str, Any]) -> dict[str, Any]:
        none_has = request.get("WarmPoolStatusEquals") or request.get("TrainingPlanArnEquals")
        return page(
            [] if none_has else list(self.store.training_jobs(call.region).values()),
            request,
            "TrainingJobSummaries",
            summary,
            name=lambda job: job.name,
            times={"CreationTime": lambda job: job.created, "LastModifiedTime": lambda job: job.modified},
            sorts={
                "CreationTime": lambda job: job.created,
                "Name": lambda job: job.name,
                "Status": lambda job: job.status,
            },
            default_sort="CreationTime",
            status_last=True,
        )

    def stop(self, call: Call, request: dict[str, Any]) -> None:
        job = self.store.find(call.region, "training-job", request["TrainingJobName"])
        self.stop_job(job)

    def stop_job(self, job: TrainingJob) -> None:
        """Raises AwsError where it has ended."""
        with self.store.lock:
            if job.status not in ("InProgress", "Stopping"):
                raise invalid(f"The request was rejected because the training job is in status {job.status}.")
            if job.status == "InProgress":
                job.status = "Stopping"
                enter(job, "Stopping")
        run = self.runs.get((job.region, job.name))
        if run is not None:
            self._tell(job)
            run.stop()

    def delete(self, call: Call, request: dict[str, Any]) -> None:
        job = self.store.find(call.region, "training-job", request["TrainingJobName"])
        with self.store.lock:
            if job.status in ("InProgress", "Stopping"):
                raise invalid(f"The request was rejected because the training job is in status {job.status}.")
            run = self.runs.get((call.region, job.name))
        if run is not None:
            run.gone.wait(CLEARED_S)
        with self.store.lock:
            jobs = self.store.training_jobs(call.region)
            if jobs.get(job.name) is job:
                del jobs[job.name]

    # --- Life ---------------------------------------------------------------------------------------------------------

    def recover(self) -> None:
        """After a restart: what was running is no longer, and its directories hold room and nothing of use."""
        shutil.rmtree(self.kernel.workspace.dir / "sagemaker" / "jobs", ignore_errors=True)
        for region in self.store.regions():
            for job in self.store.training_jobs(region).values():
                if job.status not in ("InProgress", "Stopping"):
                    continue
                status, failure = ("Stopped", None) if job.status == "Stopping" else ("Failed", INTERRUPTED)
                job.ended = enter(job, status, failure)
                job.transitions[-1]["EndTime"] = job.transitions[-1]["StartTime"]
                job.status, job.failure = status, failure
                self._tell(job)
        self.store.changed()

    def end(self) -> None:
        """The server ends: so do the processes of the jobs, which are found interrupted at the next start."""
        for run in list(self.runs.values()):
            run.abandon()
        self.processes.stop()

    def _run(self, run: JobRun) -> None:
        try:
            run.run(self.places)
        finally:
            key = run.job.region, run.job.name
            with self.store.lock:
                if self.runs.get(key) is run:  # the name may be another job's by now
                    del self.runs[key]

    def _changed(self, job: TrainingJob) -> None:
        self.store.changed()
        self._tell(job)

    def _tell(self, job: TrainingJob) -> None:
        for watcher in self.watchers:
            watcher(job)
        detail = job_events.with_tags(description(job), job.tags)
        job_events.emit(self.kernel, job.region, "Training Job", detail, job.arn)


def description(job: TrainingJob) -> dict[str, Any]:
    """DescribeTrainingJob's answer."""
    request = job.request
    channels_shown = [CHANNEL_DEFAULTS | channel for channel in request.get("InputDataConfig", [])]
    specification = {
        "TrainingInputMode": "File",
        **request["AlgorithmSpecification"],
        "MetricDefinitions": job.metric_definitions,
        "EnableSageMakerMetricsTimeSeries": False,
    }
    shown: dict[str, Any] = {
        "TrainingJobName": job.name,
        "TrainingJobArn": job.arn,
        "TuningJobArn": job.tuning_arn,
        "ModelArtifacts": {"S3ModelArtifacts": job.artifact} if job.artifact else None,
        "TrainingJobStatus": job.status,
        "SecondaryStatus": job.secondary,
        "FailureReason": job.failure,
        "HyperParameters": request.get("HyperParameters"),
        "AlgorithmSpecification": specification,
        "RoleArn": request["RoleArn"],
        "InputDataConfig": channels_shown or None,
        "OutputDataConfig": {"KmsKeyId": "", "CompressionType": "GZIP", **request["OutputDataConfig"]},
        "ResourceConfig": request["ResourceConfig"],
        "StoppingCondition": {
            "MaxRuntimeInSeconds": training_checks.DEFAULT_RUNTIME_S,
            **request.get("StoppingCondition", {}),
        },
        "CreationTime": job.created,
        "TrainingStartTime": job.started,
        "TrainingEndTime": job.ended,
        "LastModifiedTime": job.modified,
        "SecondaryStatusTransitions": list(job.transitions),
        "FinalMetricDataList": job_metrics.final(job.metrics) or None,
        "EnableNetworkIsolation": request.get("EnableNetworkIsolation", False),
        "EnableInterContainerTrafficEncryption": request.get("EnableInterContainerTrafficEncryption", False),
        "EnableManagedSpotTraining": request.get("EnableManagedSpotTraining", False),
        "ProfilingStatus": "Disabled",
        **{name: request.get(name) for name in KEPT},
    }
    if job.started and job.ended:
        seconds = max(1, round(job.ended - job.started))
        shown |= {"TrainingTimeInSeconds": seconds, "BillableTimeInSeconds": seconds}
    return {name: value for name, value in shown.items() if value is not None}


def summary(job: TrainingJob) -> dict[str, Any]:
    shown = {
        "TrainingJobName": job.name,
        "TrainingJobArn": job.arn,
        "CreationTime": job.created,
        "TrainingEndTime": job.ended,
        "LastModifiedTime": job.modified,
        "TrainingJobStatus": job.status,
        "SecondaryStatus": job.secondary,
    }
    return {name: value for name, value in shown.items() if value is not None}
