"""One training job as it runs: download, a clean subprocess, its log and metrics, upload, and the states between."""

from __future__ import annotations

import io
import json
import logging
import os
import shutil
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from helpers.offline.kernel import AwsError, Kernel
from helpers.offline.services.sagemaker import channels, images, roles
from helpers.offline.services.sagemaker.job_log import ContainerLog
from helpers.offline.services.sagemaker.job_metrics import Extraction
from helpers.offline.services.sagemaker.records import TrainingJob

PROGRAM = "helpers.offline.services.sagemaker.algorithms"
LOG_GROUP = "/aws/sagemaker/TrainingJobs"
GRACE_S = 120.0  # between SIGTERM and SIGKILL
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


class JobRun:
    """`changed` is called after each change of the record."""

    def __init__(self, kernel: Kernel, job: TrainingJob, changed: Callable[[TrainingJob], None]) -> None:
        self.kernel = kernel
        self.job = job
        self.changed = changed
        self.directory = kernel.workspace.dir / "sagemaker" / "jobs" / f"{job.region}-{job.name}"
        self.log = ContainerLog(kernel, job.region, LOG_GROUP, f"{job.name}/algo-1-{int(time.time())}")
        self.extraction = Extraction(job.metric_definitions)
        self.process: subprocess.Popen[bytes] | None = None
        self.stopping = threading.Event()
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
        except JobFailed as error:
            self._end("Failed", "Failed", str(error))
        except Exception as error:
            log.exception("training job %s", self.job.name)
            self._end("Failed", "Failed", f"InternalServerError: {type(error).__name__}: {error}")
        finally:
            shutil.rmtree(self.directory, ignore_errors=True)

    def stop(self) -> None:
        self.stopping.set()
        process = self.process
        if process is not None and process.poll() is None:
            process.terminate()
            threading.Timer(GRACE_S, process.kill).start()

    def _run(self) -> None:
        if self.stopping.is_set():
            return self._end("Stopped", "Stopped")
        self.job.started = time.time()
        enter(self.job, "Downloading")
        self.changed(self.job)
        self._download()
        enter(self.job, "Training")
        self.changed(self.job)
        code = self._train()
        if self.is_late or self.stopping.is_set():
            self._upload_what_is_there()
            return self._end("Stopped", "MaxRuntimeExceeded" if self.is_late else "Stopped")
        if code != 0:
            raise JobFailed(self._reason(code))
        enter(self.job, "Uploading")
        self.changed(self.job)
        self._upload()
        self._end("Completed", "Completed")

    # --- Before -------------------------------------------------------------------------------------------------------

    def _download(self) -> None:
        request = self.job.request
        shutil.rmtree(self.directory, ignore_errors=True)
        config = self.directory / "input" / "config"
        for folder in (config, self.directory / "model", self.directory / "output" / "data"):
            folder.mkdir(parents=True)
        given = request.get("InputDataConfig", [])
        try:
            for channel in given:
                self._ask_role_for(channel)
                folder = self.directory / "input" / "data" / channel["ChannelName"]
                channels.download(self.kernel, channel, folder, 0, 1)
        except (AwsError, OSError) as error:
            text = error.message if isinstance(error, AwsError) else str(error)
            raise JobFailed(f"ClientError: Data download failed:{text}") from None
        image = images.built_in(request["AlgorithmSpecification"]["TrainingImage"])
        assert image is not None
        resources = {
            "current_host": "algo-1",
            "hosts": ["algo-1"],
            "threads": threads_of(request["ResourceConfig"]["InstanceType"]),
            "image_version": image.version,
        }
        documents = {
            "hyperparameters": request.get("HyperParameters", {}),
            "inputdataconfig": {entry["ChannelName"]: channels.configuration(entry) for entry in given},
            "resourceconfig": resources,
        }
        for name, document in documents.items():
            (config / f"{name}.json").write_text(json.dumps(document))

    def _ask_role_for(self, channel: dict[str, Any]) -> None:
        found = channels.sources(self.kernel, channel)
        if found:
            problem = roles.refusal(
                self.kernel, self.job.request["RoleArn"], "GetObject", found[0].bucket, found[0].key
            )
            if problem:
                raise AwsError("AccessDenied", problem, 403)

    # --- Training -----------------------------------------------------------------------------------------------------

    def _train(self) -> int:
        image = images.built_in(self.job.request["AlgorithmSpecification"]["TrainingImage"])
        assert image is not None
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", PROGRAM, image.algorithm, str(self.directory)],
            cwd=self.directory,
            env=environment(self.directory),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        limit_s = self.job.request.get("StoppingCondition", {}).get("MaxRuntimeInSeconds", 86400)
        timer = threading.Timer(min(limit_s, 28 * 86400), self._too_late)
        timer.daemon = True
        timer.start()
        flusher = threading.Thread(target=self._flush_while_running, daemon=True)
        flusher.start()
        if self.stopping.is_set():
            self.process.terminate()
        try:
            self._read(self.process.stdout)
            return self.process.wait()
        finally:
            timer.cancel()
            self.process.stdin.close()
            self.log.flush()
            self._note_metrics()

    def _read(self, stdout: Any) -> None:
        for raw in io.TextIOWrapper(stdout, "utf-8", "replace"):
            line = raw.rstrip("\r\n").replace("\t", "#011")
            self.extraction.read(line, time.time())
            self.log.add(line)

    def _flush_while_running(self) -> None:
        while self.process is not None and self.process.poll() is None:
            time.sleep(0.3)
            self.log.flush()
            self._note_metrics()

    def _note_metrics(self) -> None:
        self.job.metrics = {name: values[-1] for name, values in list(self.extraction.seen.items())}

    def _too_late(self) -> None:
        self.is_late = True
        self.stop()

    def _reason(self, code: int) -> str:
        failure = self.directory / "output" / "failure"
        text = failure.read_text() if failure.exists() else ""
        if code == 2:
            return f"ClientError: {text}, exit code: 2"
        if not text:
            return f"AlgorithmError: , exit code: {code}"
        return f"AlgorithmError: {text}, exit code: {code}"

    # --- After --------------------------------------------------------------------------------------------------------

    def _upload(self) -> None:
        bucket, prefix = channels.split_uri(self.job.request["OutputDataConfig"]["S3OutputPath"])
        folder = "/".join(part for part in (prefix.rstrip("/"), self.job.name, "output") if part)
        role = self.job.request["RoleArn"]
        problem = roles.refusal(self.kernel, role, "PutObject", bucket, f"{folder}/model.tar.gz")
        try:
            if problem:
                raise AwsError("AccessDenied", problem, 403)
            self.kernel.ports.objects.put(bucket, f"{folder}/model.tar.gz", packed(self.directory / "model"))
            extra = self.directory / "output" / "data"
            if any(extra.iterdir()):
                self.kernel.ports.objects.put(bucket, f"{folder}/output.tar.gz", packed(extra))
        except AwsError as error:
            number = 7 if error.status == 403 else 2
            raise JobFailed(
                f"ClientError: Artifact upload failed:Error {number}: {error.code}: {error.message}"
            ) from None
        self.job.artifact = f"s3://{bucket}/{folder}/model.tar.gz"

    def _upload_what_is_there(self) -> None:
        if any((self.directory / "model").iterdir()):
            self._upload()

    def _end(self, status: str, secondary: str, reason: str | None = None) -> None:
        now = time.time()
        self.job.failure = reason[:LONGEST_REASON] if reason else None
        self.job.ended = now
        enter(self.job, secondary, message=reason[:LONGEST_REASON] if reason else None)
        self.job.transitions[-1]["EndTime"] = self.job.transitions[-1]["StartTime"]
        self.job.status = status
        self.log.flush()
        self.changed(self.job)


def enter(job: TrainingJob, secondary: str, message: str | None = None) -> None:
    """The job's secondary status changes."""
    now = time.time()
    if job.transitions and "EndTime" not in job.transitions[-1]:
        job.transitions[-1]["EndTime"] = now
    job.transitions.append({"Status": secondary, "StartTime": now, "StatusMessage": message or MESSAGES[secondary]})
    job.secondary = secondary
    job.modified = now


def packed(folder: Path) -> bytes:
    """The folder's content as tar.gz, the same bytes for the same content."""
    import gzip

    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                entry = tarfile.TarInfo(str(path.relative_to(folder)))
                entry.size, entry.mode = path.stat().st_size, 0o644
                with path.open("rb") as file:
                    archive.addfile(entry, file)
    return gzip.compress(plain.getvalue(), compresslevel=1, mtime=0)


_SIZES = {"medium": 2, "large": 2, "xlarge": 4}


def threads_of(instance_type: str) -> int:
    """The instance type's vCPUs, as far as this machine has them."""
    size = instance_type.rpartition(".")[2]
    number = size.removesuffix("xlarge")
    vcpus = 4 * int(number) if number.isdigit() else _SIZES.get(size, 2)
    return max(1, min(vcpus, os.cpu_count() or 2))


def environment(directory: Path) -> dict[str, str]:
    """A training process inherits nothing that would let it call AWS or find the workspace's keys."""
    kept = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT", "LANG", "LC_ALL") if name in os.environ}
    return kept | {
        "HOME": str(directory),
        "TMPDIR": str(directory),
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "OMP_WAIT_POLICY": "PASSIVE",
    }
