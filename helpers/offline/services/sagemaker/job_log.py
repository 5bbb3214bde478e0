"""The log of a container: its lines, gathered for a moment and written to CloudWatch Logs."""

from __future__ import annotations

import logging
import threading
import time

from helpers.offline.kernel import AwsError, Kernel

FLUSH_S = 0.25
log = logging.getLogger("offline.sagemaker")


class ContainerLog:
    """Lines are written in order, at once where the last write is a while ago, else together a little later."""

    def __init__(self, kernel: Kernel, region: str, group: str, stream: str) -> None:
        self.kernel = kernel
        self.place = (kernel.account_id, region, group, stream)
        self.lines: list[str] = []
        self.lock = threading.Lock()
        self.written = 0.0

    def add(self, line: str) -> None:
        with self.lock:
            self.lines.append(line)
        if time.monotonic() - self.written > FLUSH_S:
            self.flush()

    def flush(self) -> None:
        with self.lock:
            lines, self.lines = self.lines, []
            self.written = time.monotonic()
            if not lines:
                return
            try:
                self.kernel.ports.logs.write(*self.place, lines)
            except AwsError as error:
                log.warning("the log of %s is not kept: %s", self.place[3], error.message)
