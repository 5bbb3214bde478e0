"""What serves at this moment: the loaded variants of each endpoint, and how traffic is shared among them."""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import dataclass, field
from typing import Any

from helpers.offline.kernel import Kernel
from helpers.offline.services.sagemaker import images, model_data
from helpers.offline.services.sagemaker.records import Model, Variant
from helpers.offline.services.sagemaker.serving.container import Container, LoadError, Reply, load
from helpers.offline.services.sagemaker.serving.instances import Instances


@dataclass(slots=True)
class Running:
    """One variant, its model loaded.

    `places`: one for each instance, which serves one large request at a time. `instances`: the queues of an endpoint
    whose tag says how long a request takes; None where an instance is as quick as this computer. `is_green`: it is on
    its way to take over, and its metrics are told apart.
    """

    variant: Variant
    container: Container
    config: str
    routing: str = "RANDOM"
    is_green: bool = False
    instances: Instances | None = None
    places: asyncio.Semaphore = field(init=False)
    cpu_s: float = field(init=False, default=0.0)  # of all invocations so far
    _asked_cpu_s: float = field(init=False, default=0.0)

    def __post_init__(self) -> None:
        self.resize(self.variant.instances)

    def invoke(self, body: bytes, content_type: str | None, accept: str | None) -> tuple[Reply, float]:
        """What the container answers, and the seconds of CPU time that this thread took for it."""
        began = time.thread_time()
        reply = self.container.invoke(body, content_type, accept)
        return reply, time.thread_time() - began

    def cpu_since_asked(self) -> float:
        """Seconds of CPU time of the invocations since the last time this was asked."""
        now, before = self.cpu_s, self._asked_cpu_s
        self._asked_cpu_s = now
        return now - before

    def resize(self, instances: int) -> None:
        self.variant.instances = instances
        self.places = asyncio.Semaphore(max(1, instances))
        if self.instances is not None:
            self.instances.resize(instances)

    def pace(self, service_s: float | None) -> None:
        """A request now takes its instance so long; None: as long as it takes this computer."""
        if service_s is None:
            self.instances = None
        elif self.instances is None:
            self.instances = Instances(self.variant.instances, service_s, self.routing)
        else:
            self.instances.service_s = service_s


@dataclass(slots=True)
class Fleet:
    """The variants of one endpoint. During an update `green` takes `green_share` of the traffic."""

    blue: list[Running]
    capture: dict[str, Any] | None = None
    green: list[Running] = field(default_factory=list)
    green_share: float = 0.0

    def pick(self, wanted: str | None = None) -> Running | None:
        """By weight, or the variant that is asked for; None where there is no such variant."""
        side = self.green if self.green and random.random() < self.green_share else self.blue
        if wanted is not None:
            found = [running for running in (*side, *self.blue) if running.variant.name == wanted]
            return found[0] if found else None
        if len(side) == 1:
            return side[0]
        total = sum(running.variant.weight for running in side)
        point = random.random() * total
        for running in side:
            point -= running.variant.weight
            if point < 0:
                return running
        return side[0] if side else None


def load_variant(kernel: Kernel, variant: Variant, model: Model, config: str, routing: str = "RANDOM") -> Running:
    """Raises LoadError."""
    request = model.request
    description = request.get("PrimaryContainer") or request["Containers"][0]
    image = images.built_in(description["Image"])
    if image is None:
        raise LoadError(images.why_not(description["Image"]))
    files = model_data.files(kernel, description)
    return Running(variant, load(image, files, description.get("Environment", {})), config, routing)
