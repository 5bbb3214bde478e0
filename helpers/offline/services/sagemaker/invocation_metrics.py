"""What CloudWatch shows of an endpoint: invocations, errors and latency, gathered by the second and put a little later.

An invocation is counted when it arrives, so that the metric shows the load also where requests wait for an answer.
"""

from __future__ import annotations

import functools
import logging
import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field

from helpers.offline.kernel import AwsError, Kernel
from helpers.offline.services.sagemaker.fleet import Running

NAMESPACE = "AWS/SageMaker"
log = logging.getLogger("offline.sagemaker")

Key = tuple[str, str, str, str, int]  # region, endpoint, variant, its configuration if green, second since the epoch


@dataclass(slots=True)
class Gathered:
    """Of one second: `arrived` by the instance count of that moment; of what was answered the time and the status."""

    arrived: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    seconds: list[float] = field(default_factory=list)
    overhead: list[float] = field(default_factory=list)
    client_errors: int = 0
    server_errors: int = 0


class InvocationMetrics:
    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.lock = threading.Lock()
        self.gathered: dict[Key, Gathered] = defaultdict(Gathered)

    def arrived(self, region: str, endpoint: str, running: Running) -> None:
        key = _key(region, endpoint, running)
        with self.lock:
            self.gathered[key].arrived[running.variant.instances] += 1

    def answered(
        self, region: str, endpoint: str, running: Running, seconds: float, status: int, overhead_s: float = 0.0
    ) -> None:
        """`seconds` the model took, its queue included; `status` 0: no answer in time; `overhead_s`: all the rest."""
        key = _key(region, endpoint, running)
        with self.lock:
            entry = self.gathered[key]
            entry.seconds.append(seconds)
            entry.overhead.append(overhead_s)
            if status >= 500 or status == 0:
                entry.server_errors += 1
            elif status >= 400:
                entry.client_errors += 1

    def flush(self) -> None:
        """Puts every call's values, so that sums, averages and percentiles are right."""
        with self.lock:
            gathered, self.gathered = self.gathered, defaultdict(Gathered)
        try:
            for (region, endpoint, variant, config, second), entry in gathered.items():
                put = functools.partial(self.kernel.ports.metrics.put, self.kernel.account_id, region, NAMESPACE)
                put = functools.partial(put, timestamp=float(second))
                places = [{"EndpointName": endpoint, "VariantName": variant}]
                if config:
                    places.append(places[0] | {"EndpointConfigName": config})
                for name, value, unit, count in _data(entry):
                    for dimensions in places:
                        put(name=name, dimensions=dimensions, value=value, unit=unit, count=count)
        except AwsError as error:
            log.info("no metric is put: %s", error.message)


def _key(region: str, endpoint: str, running: Running) -> Key:
    return region, endpoint, running.variant.name, running.config if running.is_green else "", int(time.time())


def _data(entry: Gathered) -> list[tuple[str, float, str, int]]:
    """(metric, value, unit, how many calls have this value)."""
    data = [("Invocations", 1.0, "None", sum(entry.arrived.values()))]
    data += [("InvocationsPerInstance", 1 / max(1, count), "None", calls) for count, calls in entry.arrived.items()]
    errors = {
        "Invocation4XXErrors": entry.client_errors,
        "Invocation5XXErrors": entry.server_errors,
        "InvocationModelErrors": entry.client_errors + entry.server_errors,
    }
    for name, failed in errors.items():
        data += [(name, 1.0, "None", failed), (name, 0.0, "None", len(entry.seconds) - failed)]
    data += [("ModelLatency", 1e6 * seconds, "Microseconds", 1) for seconds in entry.seconds]
    data += [("OverheadLatency", 1e6 * seconds, "Microseconds", 1) for seconds in entry.overhead]
    return [datum for datum in data if datum[3]]
