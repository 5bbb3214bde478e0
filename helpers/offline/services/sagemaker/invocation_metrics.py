"""What CloudWatch shows of an endpoint: invocations, errors and latency, gathered and put once a second."""

from __future__ import annotations

import functools
import logging
import threading
import time
from collections import defaultdict

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
        """Puts one datum for each call and metric, so that sums, averages and percentiles are right."""
        with self.lock:
            gathered, self.gathered = self.gathered, defaultdict(list)
        now = time.time()
        try:
            for (region, endpoint, variant, instances), calls in gathered.items():
                dimensions = {"EndpointName": endpoint, "VariantName": variant}
                put = functools.partial(self.kernel.ports.metrics.put, self.kernel.account_id, region, NAMESPACE)
                for seconds, status in calls:
                    for name, value, unit in _data(seconds, status, instances):
                        put(name, dimensions, value, unit=unit, timestamp=now)
        except AwsError as error:
            log.info("no metric is put: %s", error.message)


def _data(seconds: float, status: int, instances: int) -> list[tuple[str, float, str]]:
    is_client_error, is_server_error = 400 <= status < 500, status >= 500 or status == 0
    return [
        ("Invocations", 1.0, "None"),
        ("InvocationsPerInstance", 1 / max(1, instances), "None"),
        ("Invocation4XXErrors", float(is_client_error), "None"),
        ("Invocation5XXErrors", float(is_server_error), "None"),
        ("InvocationModelErrors", float(is_client_error or is_server_error), "None"),
        ("ModelLatency", 1e6 * seconds, "Microseconds"),
    ]
