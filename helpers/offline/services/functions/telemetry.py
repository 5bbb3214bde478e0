"""Log lines and metrics of invocations, handed to CloudWatch by a thread so that no caller waits for them."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Sequence

from helpers.offline.kernel import AwsError, Kernel

log = logging.getLogger("offline.lambda")


def report(
    request_id: str,
    *,
    duration_ms: float,
    memory_size_mb: int,
    memory_mb: int,
    init_ms: float | None = None,
    status: str = "",
) -> str:
    """The REPORT line. Billed duration: rounded up to the next millisecond, with the init phase where there was one."""
    billed = int(duration_ms + (init_ms or 0)) + 1
    parts = [
        f"REPORT RequestId: {request_id}",
        f"Duration: {duration_ms:.2f} ms",
        f"Billed Duration: {billed} ms",
        f"Memory Size: {memory_size_mb} MB",
        f"Max Memory Used: {memory_mb} MB",
    ]
    if init_ms is not None:
        parts.append(f"Init Duration: {init_ms:.2f} ms")
    if status:
        parts.append(status)
    return "\t".join(parts) + "\t"


class Telemetry:
    """One thread that empties a queue of calls into the ports of logs and metrics."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self._queue: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="lambda-telemetry", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._queue.put(None)
        if self._thread is not None:
            self._thread.join(5)

    def lines(self, region: str, group: str, stream: str, lines: Sequence[str], at: float) -> None:
        """`at`: Unix time of the events, which the thread may come to much later."""
        account = self.kernel.account_id
        self._queue.put(lambda: self.kernel.ports.logs.write(account, region, group, stream, lines, at))

    def metric(
        self, region: str, namespace: str, dimensions: dict[str, str], values: dict[str, tuple[float, str]]
    ) -> None:
        """`values`: metric name -> (value, unit)."""

        def put() -> None:
            for name, (value, unit) in values.items():
                self.kernel.ports.metrics.put(
                    self.kernel.account_id, region, namespace, name, dimensions, value, unit=unit
                )

        self._queue.put(put)

    def _run(self) -> None:
        while (call := self._queue.get()) is not None:
            try:
                call()
            except AwsError as error:
                log.debug("telemetry: %s", error)
            except Exception:
                log.exception("telemetry failed")
