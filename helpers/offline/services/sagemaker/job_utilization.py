"""What a training job's hosts use, as CloudWatch shows it: CPU, memory and disk of each process, measured."""

from __future__ import annotations

import contextlib
import logging
import os
import time
from pathlib import Path

import psutil

from helpers.offline.kernel import AwsError, Kernel

NAMESPACE = "/aws/sagemaker/TrainingJobs"
PUT_S, LOOK_S = 10.0, 0.05  # AWS puts a value a minute; jobs offline are shorter than that
log = logging.getLogger("offline.sagemaker")


class Utilization:
    """Of one host. `look` while the process lives, as often as one likes; `put` once more when it has ended.

    `host` is as CloudWatch names it: JOB/algo-1. `directory` is the host's disk, `volume_bytes` how large that is.
    """

    def __init__(self, kernel: Kernel, region: str, host: str, pid: int, directory: Path, volume_bytes: int) -> None:
        self.kernel = kernel
        self.region = region
        self.host = host
        self.directory = directory
        self.volume_bytes = volume_bytes
        self._process: psutil.Process | None = None
        try:
            self._process = psutil.Process(pid)
        except (psutil.Error, ValueError):  # -1: no such process
            log.info("%s ended before its use was looked at", host)
        self._put_at = self._looked_at = time.monotonic()
        self._cpu_s = self._cpu_s_put = 0.0
        self._most_bytes = 0

    def look(self) -> None:
        now = time.monotonic()
        if self._process is None or now - self._looked_at < LOOK_S:
            return
        try:
            with self._process.oneshot():
                times, held_bytes = self._process.cpu_times(), self._process.memory_info().rss
        except psutil.Error:  # it has ended
            return
        self._looked_at = now
        self._cpu_s = times.user + times.system
        self._most_bytes = max(self._most_bytes, held_bytes)
        if now - self._put_at >= PUT_S:
            self.put()

    def put(self) -> None:
        """The use since the last time. Nothing where nothing was seen."""
        seconds = self._looked_at - self._put_at
        if seconds <= 0:
            return
        shares = {
            "CPUUtilization": (self._cpu_s - self._cpu_s_put) / seconds,
            "MemoryUtilization": self._most_bytes / psutil.virtual_memory().total,
            "DiskUtilization": used_bytes(self.directory) / self.volume_bytes,
        }
        self._put_at, self._cpu_s_put, self._most_bytes = self._looked_at, self._cpu_s, 0
        try:
            for name, share in shares.items():
                self.kernel.ports.metrics.put(
                    self.kernel.account_id, self.region, NAMESPACE, name, {"Host": self.host}, 100 * share,
                    unit="Percent",
                )  # fmt: skip
        except AwsError as error:
            log.info("no metric is put: %s", error.message)


def used_bytes(directory: Path) -> int:
    """Of the files below it, which may go meanwhile; links lead to what is not the job's."""
    found = 0
    for folder, _, names in os.walk(directory):
        for name in names:
            with contextlib.suppress(OSError):
                found += os.lstat(os.path.join(folder, name)).st_size
    return found
