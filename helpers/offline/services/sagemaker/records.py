"""What SageMaker remembers: one record for each job, model, endpoint configuration and endpoint.

They live in the dictionaries of moto's SageMaker backend, so that tags, counts and snapshots find them there. All of
them are plain data; what runs (threads, processes, loaded models) is kept elsewhere.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

Tags = list[dict[str, str]]


def now() -> float:
    """In milliseconds, as AWS keeps and shows times: what a client reads and gives back is the same moment."""
    return round(time.time(), 3)


@dataclass(slots=True)
class Model:
    arn: str
    request: dict[str, Any]
    tags: Tags
    created: float = field(default_factory=now)


@dataclass(slots=True)
class EndpointConfig:
    arn: str
    request: dict[str, Any]
    tags: Tags
    created: float = field(default_factory=now)


@dataclass(slots=True)
class Variant:
    """One production variant of an endpoint as it is deployed. `instances`: how many requests it serves at once."""

    name: str
    model: str
    weight: float
    instances: int
    instance_type: str
    desired_weight: float
    desired_instances: int
    status: list[dict[str, Any]] = field(default_factory=list)


@dataclass(slots=True)
class Endpoint:
    """`config` is what it serves now; `pending` what an update is on its way to.

    `deployed` holds what it was made of, for a restart: its configuration and models may be deleted while it serves.
    """

    arn: str
    name: str
    region: str
    config: str
    tags: Tags
    status: str = "Creating"
    variants: list[Variant] = field(default_factory=list)
    pending: dict[str, Any] | None = None
    failure: str | None = None
    last_deployment: dict[str, Any] | None = None
    deployed: dict[tuple[str, str], Any] = field(default_factory=dict)  # (kind, name) -> its record
    created: float = field(default_factory=now)
    modified: float = field(default_factory=now)


@dataclass(slots=True)
class TrainingJob:
    arn: str
    name: str
    region: str
    request: dict[str, Any]
    tags: Tags
    status: str = "InProgress"
    secondary: str = "Starting"
    transitions: list[dict[str, Any]] = field(default_factory=list)
    metrics: dict[str, tuple[float, float]] = field(default_factory=dict)  # name -> (value, time)
    metric_definitions: list[dict[str, str]] = field(default_factory=list)
    artifact: str | None = None
    failure: str | None = None
    started: float | None = None
    ended: float | None = None
    tuning_arn: str | None = None
    tuned: dict[str, str] = field(default_factory=dict)
    created: float = field(default_factory=now)
    modified: float = field(default_factory=now)


@dataclass(slots=True)
class TuningJob:
    arn: str
    name: str
    region: str
    request: dict[str, Any]
    tags: Tags
    status: str = "InProgress"
    children: list[str] = field(default_factory=list)
    failure: str | None = None
    ended: float | None = None
    created: float = field(default_factory=now)
    modified: float = field(default_factory=now)
