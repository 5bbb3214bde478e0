"""One host of a training job: its directory laid out as /opt/ml, its process, and its log."""

from __future__ import annotations

import io
import json
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from helpers.offline.kernel import Kernel
from helpers.offline.services.sagemaker import channels, images, job_files
from helpers.offline.services.sagemaker.job_log import ContainerLog
from helpers.offline.services.sagemaker.job_processes import JobProcesses, Process
from helpers.offline.services.sagemaker.job_utilization import Utilization
from helpers.offline.services.sagemaker.records import TrainingJob

LOG_GROUP = "/aws/sagemaker/TrainingJobs"
DEFAULT_VOLUME_GB = 30
GRACE_S = 120.0  # between SIGTERM and SIGKILL


class JobHost:
    """`number` counts from 0: algo-1, algo-2, …"""

    def __init__(self, kernel: Kernel, job: TrainingJob, number: int, directory: Path, processes: JobProcesses) -> None:
        self.kernel = kernel
        self.job = job
        self.processes = processes
        self.number = number
        self.name = f"algo-{number + 1}"
        self.directory = directory / self.name
        self.log = ContainerLog(kernel, job.region, LOG_GROUP, f"{job.name}/{self.name}-{int(time.time())}")
        self.process: Process | None = None
        self.utilization: Utilization | None = None
        self._last_line = ""

    def prepare(self, stopping: threading.Event) -> None:
        """Downloads the host's share of the channels and writes what the algorithm reads.

        Raises AwsError, OSError, or channels.Interrupted when `stopping` is set meanwhile.
        """
        request = self.job.request
        config = self.directory / "input" / "config"
        for folder in (config, self.directory / "model", self.directory / "output" / "data"):
            folder.mkdir(parents=True)
        given = request.get("InputDataConfig", [])
        count = request["ResourceConfig"]["InstanceCount"]
        mode = request["AlgorithmSpecification"].get("TrainingInputMode", "File")
        volume, stream = (
            channels.Room(self.directory, most, stopping) for most in (self._volume_gb << 30, float("inf"))
        )
        for channel in given:
            is_streamed = channel.get("InputMode", mode) == "FastFile"
            self._download(channel, stream if is_streamed else volume, is_streamed)
        image = images.built_in(request["AlgorithmSpecification"]["TrainingImage"])
        assert image is not None
        documents = {
            "hyperparameters": request.get("HyperParameters", {}),
            "inputdataconfig": {entry["ChannelName"]: channels.configuration(entry, mode) for entry in given},
            "resourceconfig": {
                "current_host": self.name,
                "hosts": [f"algo-{number + 1}" for number in range(count)],
                "threads": max(1, threads_of(request["ResourceConfig"]["InstanceType"]) // count),
                "image_version": image.version,
                "volume_gb": self._volume_gb,
            },
        }
        for name, document in documents.items():
            (config / f"{name}.json").write_text(json.dumps(document))

    @property
    def _volume_gb(self) -> int:
        return self.job.request["ResourceConfig"].get("VolumeSizeInGB") or DEFAULT_VOLUME_GB

    def _download(self, channel: dict[str, Any], room: channels.Room, is_streamed: bool) -> None:
        """From S3; what all hosts have, from the first one."""
        source = channel["DataSource"]["S3DataSource"]
        if is_streamed:
            channels.refuse_half_a_name(self.kernel, source)
        place = Path("input", "data", channel["ChannelName"])
        folder = self.directory / place
        if self.number and source.get("S3DataDistributionType") != "ShardedByS3Key":
            channels.share(self.directory.with_name("algo-1") / place, folder, room)
        else:
            count = self.job.request["ResourceConfig"]["InstanceCount"]
            channels.download(self.kernel, channel, folder, room, self.number, count)

    def start(self, algorithm: str) -> None:
        self.process = self.processes.start(
            algorithm,
            self.directory,
            environment(self.directory),
            is_alone=self.job.request["ResourceConfig"]["InstanceCount"] == 1,
        )
        volume_bytes = self._volume_gb << 30
        host = f"{self.job.name}/{self.name}"
        self.utilization = Utilization(
            self.kernel, self.job.region, host, self.process.pid, self.directory, volume_bytes
        )

    def look(self) -> None:
        """At what the process uses now."""
        if self.utilization is not None:
            self.utilization.look()

    def follow(self, seen: Callable[[str], None]) -> int:
        """Reads the log to its end, `seen` is called with each line; the exit code."""
        assert self.process is not None and self.process.stdout is not None and self.process.stdin is not None
        try:
            for raw in io.TextIOWrapper(self.process.stdout, "utf-8", "replace"):  # type: ignore[arg-type]
                line = raw.rstrip("\r\n").replace("\t", "#011")
                self._last_line = line or self._last_line
                seen(line)
                self.log.add(line)
                self.look()
            if self.utilization is not None:
                self.utilization.put()
            return self.process.wait()
        finally:
            self.process.stdin.close()
            self.log.flush()

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def terminate(self, grace_s: float = GRACE_S) -> None:
        process = self.process
        if process is not None and process.poll() is None:
            process.terminate()
            timer = threading.Timer(grace_s, process.kill)
            timer.daemon = True
            timer.start()

    def kill(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()

    def failure(self) -> str:
        """What the algorithm wrote about its failure; where it could not write, its last word in the log."""
        return job_files.text_of(self.directory.parent, self.directory / "output" / "failure") or self._last_line


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
