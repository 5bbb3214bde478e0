"""Log lines and metrics of invocations, handed to CloudWatch by a thread so that no caller waits for them."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from helpers.offline.errands import Errands
from helpers.offline.kernel import Kernel

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


class Telemetry(Errands):
    """Errands to the ports of logs and metrics."""

    def __init__(self, kernel: Kernel) -> None:
        super().__init__("lambda-telemetry", log)
        self.kernel = kernel

    def lines(self, region: str, group: str, stream: str, lines: Sequence[str], at: float) -> None:
        """`at`: Unix time of the events, which the thread may come to much later."""
        account = self.kernel.account_id
        self.put(lambda: self.kernel.ports.logs.write(account, region, group, stream, lines, at))

    def metric(
        self, region: str, namespace: str, dimensions: dict[str, str], values: dict[str, tuple[float, str]]
    ) -> None:
        """`values`: metric name -> (value, unit)."""

        def put() -> None:
            for name, (value, unit) in values.items():
                self.kernel.ports.metrics.put(
                    self.kernel.account_id, region, namespace, name, dimensions, value, unit=unit
                )

        self.put(put)
