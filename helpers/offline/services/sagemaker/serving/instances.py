"""The instances behind a variant: each works on one request at a time, the others wait in its queue.

What is modelled: a request occupies its instance for a fixed time. What is not: that AWS's instances work on several
requests at once, and differ by type. The time is told by the tag `offline-service-time-ms` of the endpoint; without it
an instance is as quick as this computer, where one more adds nothing.
"""

from __future__ import annotations

import random

SERVICE_TIME_TAG = "offline-service-time-ms"
LONGEST_SERVICE_TIME_MS = 60_000
LEAST_OUTSTANDING = "LEAST_OUTSTANDING_REQUESTS"  # of RoutingConfig; AWS's default is RANDOM


class Instances:
    """`service_s`: how long an instance works on a request. `routing`: RANDOM or LEAST_OUTSTANDING_REQUESTS."""

    def __init__(self, count: int, service_s: float, routing: str = "RANDOM") -> None:
        self.service_s = service_s
        self.routing = routing
        self._free_at = [0.0] * max(1, count)  # when each will have done what it was given

    def resize(self, count: int) -> None:
        """New instances begin idle. Of too many the busiest go, once they have done what they were given."""
        idle = [0.0] * (count - len(self._free_at))
        self._free_at = sorted(self._free_at + idle)[: max(1, count)]

    def take(self, now: float) -> float:
        """Gives one instance a request; seconds from `now` until it has done it. A request stays where it waits."""
        free_at = self._free_at  # `resize` may put another list in its place
        if self.routing == LEAST_OUTSTANDING:
            chosen = min(range(len(free_at)), key=free_at.__getitem__)
        else:
            chosen = random.randrange(len(free_at))
        done = max(now, free_at[chosen]) + self.service_s
        free_at[chosen] = done
        return done - now


def service_time_s(tags: list[dict[str, str]]) -> float | None:
    """What the endpoint's tag says, in seconds; None without the tag or with one that is no sensible number."""
    for tag in tags:
        if tag["Key"] == SERVICE_TIME_TAG:
            try:
                milliseconds = float(tag["Value"])
            except ValueError:
                return None
            return milliseconds / 1000 if 0 < milliseconds <= LONGEST_SERVICE_TIME_MS else None
    return None
