"""What the variants of endpoints use, as CloudWatch shows it: measured in the process that serves them all.

CPU is what a variant's container took for its invocations. Memory and disk are the process's and its volume's: models
share them.
"""

from __future__ import annotations

import logging
import time

import psutil

from helpers.offline.kernel import AwsError, Kernel
from helpers.offline.services.sagemaker.deployments import Deployments
from helpers.offline.services.sagemaker.fleet import Running

NAMESPACE = "/aws/sagemaker/Endpoints"
EVERY_S = 10.0  # AWS puts a value a minute
log = logging.getLogger("offline.sagemaker")


class EndpointUtilization:
    def __init__(self, kernel: Kernel, deployments: Deployments) -> None:
        self.kernel = kernel
        self.deployments = deployments
        self._process = psutil.Process()
        self._put_at = time.monotonic()

    def put(self) -> None:
        """One value for each instance: what it used since the last time."""
        now = time.monotonic()
        seconds, self._put_at = now - self._put_at, now
        fleets = list(self.deployments.fleets.items())
        if not fleets or seconds <= 0:
            return
        memory = self._process.memory_info().rss / psutil.virtual_memory().total
        disk = psutil.disk_usage(str(self.kernel.workspace.dir)).percent
        try:
            for (region, name), fleet in fleets:
                for running in (*fleet.blue, *fleet.green):
                    self._put(region, name, running, running.cpu_since_asked() / seconds, memory, disk / 100)
        except AwsError as error:
            log.info("no metric is put: %s", error.message)

    def _put(self, region: str, endpoint: str, running: Running, cpu: float, memory: float, disk: float) -> None:
        instances = max(1, running.variant.instances)
        places = [{"EndpointName": endpoint, "VariantName": running.variant.name}]
        if running.is_green:
            places.append(places[0] | {"EndpointConfigName": running.config})
        shares = {"CPUUtilization": cpu / instances, "MemoryUtilization": memory, "DiskUtilization": disk}
        for metric, share in shares.items():
            for dimensions in places:
                self.kernel.ports.metrics.put(
                    self.kernel.account_id, region, NAMESPACE, metric, dimensions, 100 * share, unit="Percent",
                    count=instances,
                )  # fmt: skip
