"""Rate limits: token buckets, one per client and purpose, bounded in number."""

import time
from collections import OrderedDict
from collections.abc import Callable


class Limiter:
    """Allows `burst` actions at once and `per_second` in the long run, for each key."""

    def __init__(
        self, burst: float, per_second: float, keys: int = 4096, now: Callable[[], float] = time.monotonic
    ) -> None:
        self.burst = burst
        self.per_second = per_second
        self._keys = keys
        self._now = now
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def allow(self, key: str) -> bool:
        """Whether `key` may act now; if so, it counts."""
        now = self._now()
        level, when = self._levels.pop(key, (self.burst, now))
        level = min(self.burst, level + (now - when) * self.per_second)
        allowed = level >= 1.0
        self._levels[key] = (level - 1.0 if allowed else level, now)
        if len(self._levels) > self._keys:
            self._levels.popitem(last=False)
        return allowed
