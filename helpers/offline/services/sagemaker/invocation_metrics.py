"""What CloudWatch shows of an endpoint: invocations, errors and latency, gathered and put once a second."""

from __future__ import annotations

import logging
import threading
import time
from collections import defaultdict
from typing import Any

from helpers.offline.kernel import AwsError, Kernel
from helpers.offline.services.sagemaker.fleet import Running

NAMESPACE = "AWS/SageMaker"
log = logging.getLogger("offline.sagemaker")


class InvocationMetrics:
    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.lock = threading.Lock()
        self.gathered: dict[tuple[str, str, str, int], list[tuple[float, int]]] = defaultdict(list)

    def count(self, region: str, endpoint: str, running: Running, seconds: float, status: int) -> None:
        key = (region, endpoint, running.variant.name, running.variant.instances)
        with self.lock:
            self.gathered[key].append((seconds, status))

    def flush(self) -> None:
        """Puts one datum a metric: the sum of the invocations, the mean and the longest of the latencies."""
        with self.lock:
            gathered, self.gathered = self.gathered, defaultdict(list)
        now = time.time()
        for (region, endpoint, variant, instances), calls in gathered.items():
            dimensions = {"EndpointName": endpoint, "VariantName": variant}
            for name, value, unit in _data(calls, instances):
                self._put(region, name, dimensions, value, unit, now)

    def _put(self, region: str, name: str, dimensions: dict[str, Any], value: float, unit: str, now: float) -> None:
        put = self.kernel.ports.metrics.put
        try:
            put(self.kernel.account_id, region, NAMESPACE, name, dimensions, value, unit=unit, timestamp=now)
        except AwsError as error:
            log.info("no metric is put: %s", error.message)


def _data(calls: list[tuple[float, int]], instances: int) -> list[tuple[str, float, str]]:
    number = len(calls)
    latencies = [1e6 * seconds for seconds, _ in calls]
    client = sum(400 <= status < 500 for _, status in calls)
    server = sum(status >= 500 or status == 0 for _, status in calls)
    return [
        ("Invocations", number, "None"),
        ("InvocationsPerInstance", number / max(1, instances), "None"),
        ("Invocation4XXErrors", client, "None"),
        ("Invocation5XXErrors", server, "None"),
        ("InvocationModelErrors", client + server, "None"),
        ("ModelLatency", sum(latencies) / number, "Microseconds"),
        ("OverheadLatency", 0.0, "Microseconds"),
    ]
