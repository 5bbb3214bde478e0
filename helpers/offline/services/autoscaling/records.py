"""What Application Auto Scaling remembers: targets, policies and activities."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

NAMESPACE = "sagemaker"
DIMENSION = "sagemaker:variant:DesiredInstanceCount"
CLOCK_TAG = "offline-clock-factor"
FASTEST_CLOCK = 600.0
ACTIVITIES_KEPT = 50


@dataclass(slots=True)
class Policy:
    arn: str
    name: str
    config: dict[str, Any]
    alarms: list[dict[str, str]] = field(default_factory=list)  # AlarmName, AlarmARN: high, low
    created: float = field(default_factory=time.time)


@dataclass(slots=True)
class Target:
    """One variant of an endpoint. `resource` is endpoint/NAME/variant/VARIANT."""

    region: str
    resource: str
    arn: str
    least: int
    most: int
    role: str
    suspended: dict[str, bool] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    policies: dict[str, Policy] = field(default_factory=dict)
    activities: list[dict[str, Any]] = field(default_factory=list)
    scaled_out: float = 0.0
    scaled_in: float = 0.0
    created: float = field(default_factory=time.time)

    @property
    def endpoint(self) -> str:
        return self.resource.split("/")[1]

    @property
    def variant(self) -> str:
        return self.resource.split("/")[3]

    @property
    def clock_factor(self) -> float:
        """How many times faster the clock of this target runs offline; 1 without the tag."""
        try:
            return min(FASTEST_CLOCK, max(1.0, float(self.tags.get(CLOCK_TAG, "1"))))
        except ValueError:
            return 1.0
