"""One training job as it runs: download, clean subprocesses, their logs and metrics, upload, and the states between."""

from __future__ import annotations

import errno
import logging
import shutil
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from typing import Any

from helpers.offline.kernel import AwsError, Kernel
from helpers.offline.services.sagemaker import channels, images, job_checkpoints, job_files, job_metrics, roles
from helpers.offline.services.sagemaker.job_host import JobHost
from helpers.offline.services.sagemaker.job_processes import JobProcesses
from helpers.offline.services.sagemaker.records import TrainingJob, now

LONGEST_REASON = 1024
MESSAGES = {
    "Starting": "Preparing the instances for training",
    "Downloading": "Downloading the training image",
    "Training": "Training image download completed. Training in progress.",
    "Uploading": "Uploading generated training model",
    "Stopping": "Stopping the training job",
    "Completed": "Training job completed",
    "Failed": "Training job failed",
    "Stopped": "Training job stopped",
    "MaxRuntimeExceeded": "Training job exceeded MaxRuntimeInSeconds provided",
}
log = logging.getLogger("offline.sagemaker")


class JobFailed(Exception):
    """The text is the FailureReason."""


class JobStopped(Exception):
    """StopTrainingJob was called before the algorithm ran."""


class JobRun:
    """`changed` is called after each change of the record; `lock` guards its status."""

    def __init__(
        self,
        kernel: Kernel,
        job: TrainingJob,
        changed: Callable[[TrainingJob], None],
        processes: JobProcesses,
        lock: AbstractContextManager[Any],
    ) -> None:
        self.kernel = kernel
        self.job = job
        self.changed = changed
        self.lock = lock
        self.directory = kernel.workspace.dir / "sagemaker" / "jobs" / f"{job.region}-{job.name}"
        count = job.request["ResourceConfig"]["InstanceCount"]
        self.hosts = [JobHost(kernel, job, number, self.directory, processes) for number in range(count)]
        self.extraction = job_metrics.Extraction(job.metric_definitions)
        self.stopping = threading.Event()
        self.gone = threading.Event()  # nothing of the job is left but its record
        self.is_late = False

    def run(self, places: threading.Semaphore) -> None:
        """Blocks until the job has ended. `places`: how many jobs may work at once."""
        try:
            while not places.acquire(timeout=0.2):
                if self.stopping.is_set():
                    return self._end("Stopped", "Stopped")
            try:
                self._run()
            finally:
                places.release()
        except JobStopped:
            self._end("Stopped", "Stopped")
        except JobFailed as error:
            self._end("Failed", "Failed", str(error))
        except Exception as error:
            log.exception("training job %s", self.job.name)
            self._end("Failed", "Failed", f"InternalServerError: {type(error).__name__}: {error}")
        finally:
            shutil.rmtree(self.directory, ignore_errors=True)
            self.gone.set()

    def stop(self) -> None:
        self.stopping.set()
        for host in self.hosts:
            host.terminate()

    def abandon(self) -> None:
        """The server ends: the processes end, and what the run still notes does not reach the record."""
        from copy import deepcopy

        if any(host.is_running for host in self.hosts):
            self.job = deepcopy(self.job)
            for host in self.hosts:
                host.job = self.job
                host.kill()

    def _run(self) -> None:
        self.job.started = self._enter("Downloading")
        self._download()
        self._enter("Training")
        failed = self._train()
        self._upload_checkpoints()
        if self.is_late or self.stopping.is_set():
            self._upload_what_is_there()
            return self._end("Stopped", "MaxRuntimeExceeded" if self.is_late else "Stopped")
        if failed is not None:
            raise JobFailed(_reason(*failed))
        with suppress(JobStopped):  # what is trained is kept
            self._enter("Uploading")
        self._upload()
        self._end("Completed", "Completed")

    def _enter(self, secondary: str) -> float:
        """The next step, and when it began. Raises JobStopped."""
        with self.lock:
            if self.job.status == "Stopping":
                raise JobStopped
            moment = enter(self.job, secondary)
        self.changed(self.job)
        return moment

    # --- Before -------------------------------------------------------------------------------------------------------

    def _download(self) -> None:
        shutil.rmtree(self.directory, ignore_errors=True)
        try:
            for channel in self.job.request.get("InputDataConfig", []):
                self._ask_role_for(channel)
            for host in self.hosts:
                host.prepare(self.stopping)
                if "CheckpointConfig" in self.job.request:
                    job_checkpoints.download(self.kernel, self.job, host.directory / "checkpoints")
        except channels.Interrupted:
            raise JobStopped from None
        except (AwsError, OSError, ValueError) as error:
            raise JobFailed(f"ClientError: Data download failed:{_words(error)}") from None

    def _ask_role_for(self, channel: dict[str, Any]) -> None:
        found = channels.sources(self.kernel, channel)
        if found:
            problem = roles.refusal(
                self.kernel, self.job.request["RoleArn"], "GetObject", found[0].bucket, found[0].key
            )
            if problem:
                raise AwsError("AccessDenied", problem, 403)

    # --- Training -----------------------------------------------------------------------------------------------------

    def _train(self) -> tuple[int, str] | None:
        """Exit code and words of the first host that failed; None where all did their work."""
        image = images.built_in(self.job.request["AlgorithmSpecification"]["TrainingImage"])
        assert image is not None
        failures: list[tuple[int, str]] = []

        def follow(host: JobHost) -> None:
            try:
                code = host.follow(lambda line: self.extraction.read(line, time.time()))
                failed = (code, host.failure()) if code else None
            except Exception as error:
                log.exception("training job %s on %s", self.job.name, host.name)
                failed = (1, f"{type(error).__name__}: {error}")
            if failed is not None:
                failures.append(failed)
                for other in self.hosts:
                    other.kill()  # they would wait for this one

        for host in self.hosts:
            host.start(image.algorithm)
        limit_s = self.job.request.get("StoppingCondition", {}).get("MaxRuntimeInSeconds", 86400)
        timer = threading.Timer(min(limit_s, 28 * 86400), self._too_late)
        timer.daemon = True
        timer.start()
        threading.Thread(target=self._flush_while_running, daemon=True).start()
        followers = [threading.Thread(target=follow, args=(host,), daemon=True) for host in self.hosts[1:]]
        for follower in followers:
            follower.start()
        if self.stopping.is_set():
            self.stop()
        try:
            follow(self.hosts[0])
            for follower in followers:
                follower.join()
        finally:
            timer.cancel()
            self._note_metrics()
            job_metrics.put(self.kernel, self.job, self.extraction.seen)
        return failures[0] if failures else None

    def _flush_while_running(self) -> None:
        while any(host.is_running for host in self.hosts):
            time.sleep(0.3)
            for host in self.hosts:
                host.look()
                host.log.flush()
            self._note_metrics()

    def _note_metrics(self) -> None:
        self.job.metrics = {name: values[-1] for name, values in list(self.extraction.seen.items())}

    def _too_late(self) -> None:
        self.is_late = True
        self.stop()

    # --- After --------------------------------------------------------------------------------------------------------

    def _upload(self) -> None:
        path = self.job.request["OutputDataConfig"]["S3OutputPath"].rstrip("/")
        bucket, prefix = channels.split_uri(path)
        folder = "/".join(part for part in (prefix, self.job.name, "output") if part)
        role = self.job.request["RoleArn"]
        problem = roles.refusal(self.kernel, role, "PutObject", bucket, f"{folder}/model.tar.gz")
        try:
            if problem:
                raise AwsError("AccessDenied", problem, 403)
            self.kernel.ports.objects.put(bucket, f"{folder}/model.tar.gz", self._packed("model"))
            if self._holds("output/data"):
                self.kernel.ports.objects.put(bucket, f"{folder}/output.tar.gz", self._packed("output/data"))
        except AwsError as error:
            number = 7 if error.status == 403 else 2
            raise JobFailed(
                f"ClientError: Artifact upload failed:Error {number}: {error.code}: {error.message}"
            ) from None
        self.job.artifact = f"{path}/{self.job.name}/output/model.tar.gz"

    def _packed(self, name: str) -> bytes:
        return job_files.packed(self.directory, *(host.directory / name for host in self.hosts))

    def _holds(self, name: str) -> bool:
        return any(job_files.regular_files(self.directory, host.directory / name) for host in self.hosts)

    def _upload_what_is_there(self) -> None:
        if self._holds("model"):
            self._upload()

    def _upload_checkpoints(self) -> None:
        if "CheckpointConfig" not in self.job.request:
            return
        try:
            for host in self.hosts:
                job_checkpoints.upload(self.kernel, self.job, host.directory / "checkpoints")
        except AwsError as error:
            raise JobFailed(f"ClientError: Artifact upload failed:{error.code}: {error.message}") from None

    def _end(self, status: str, secondary: str, reason: str | None = None) -> None:
        """A job that was told to stop does not end as Completed."""
        for host in self.hosts:
            host.log.flush()
        job = self.job
        with self.lock:
            if job.status == "Stopping" and status == "Completed":
                status = secondary = "Stopped"
            job.failure = reason[:LONGEST_REASON] if reason else None
            job.ended = enter(job, secondary, message=job.failure)
            job.transitions[-1]["EndTime"] = job.transitions[-1]["StartTime"]
            job.status = status
        self.changed(job)


def _words(error: Exception) -> str:
    if isinstance(error, AwsError):
        return error.message
    if isinstance(error, OSError):
        return channels.FULL if error.errno == errno.ENOSPC else error.strerror or str(error)
    return str(error)


def _reason(code: int, text: str) -> str:
    kind = "ClientError" if code == 2 else "AlgorithmError"
    return f"{kind}: {text}, exit code: {code}"


def enter(job: TrainingJob, secondary: str, message: str | None = None) -> float:
    """The job's secondary status changes; when."""
    moment = now()
    if job.transitions and "EndTime" not in job.transitions[-1]:
        job.transitions[-1]["EndTime"] = moment
    job.transitions.append({"Status": secondary, "StartTime": moment, "StatusMessage": message or MESSAGES[secondary]})
    job.secondary = secondary
    job.modified = moment
    return moment
