"""Throttling by token buckets, and quotas of usage plans by day, week or month."""

from __future__ import annotations

import contextlib
import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from helpers.offline.journals import Journal


class Bucket:
    """`burst` tokens, refilled at `rate` a second."""

    def __init__(self, rate: float, burst: float) -> None:
        self.rate, self.burst = rate, burst
        self.tokens, self.at = burst, time.monotonic()

    def take(self) -> bool:
        now = time.monotonic()
        self.tokens = min(self.burst, self.tokens + (now - self.at) * self.rate)
        self.at = now
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True


class Limits:
    """Used on the event loop alone. What was used of a quota is in the journal before the request is answered."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self._buckets: dict[tuple[str, ...], Bucket] = {}
        self.used: dict[tuple[str, str, str], int] = {}  # (usage plan, key, period) -> requests

    def within_rate(self, who: tuple[str, ...], limit: dict[str, Any]) -> bool:
        """`limit` has rateLimit and burstLimit; a missing one does not limit."""
        rate, burst = limit.get("rateLimit"), limit.get("burstLimit")
        if rate is None and burst is None:
            return True
        rate = float(rate if rate is not None else 10_000)
        burst = float(burst if burst is not None else 5_000)
        bucket = self._buckets.get(who)
        if bucket is None or (bucket.rate, bucket.burst) != (rate, burst):
            bucket = self._buckets[who] = Bucket(rate, burst)
        return bucket.take()

    def within_quota(self, plan_id: str, key_id: str, quota: dict[str, Any]) -> bool:
        """While the disk is full it is counted in memory alone."""
        if not quota or quota.get("limit") is None:
            return True
        key = (plan_id, key_id, period_of(quota.get("period", "DAY"), datetime.now(UTC)))
        used = self.used.get(key, int(quota.get("offset") or 0))
        if used >= int(quota["limit"]):
            return False
        with contextlib.suppress(OSError):
            self.journal.append(json.dumps([*key, used + 1]).encode())
        self.used[key] = used + 1
        return True

    def replay(self) -> None:
        """What was used since the last snapshot. Raises Unreadable, OSError."""
        for record in self.journal.records():
            plan_id, key_id, period, used = json.loads(record)
            self.used[plan_id, key_id, period] = used


def period_of(period: str, now: datetime) -> str:
    """The first day of the period that `now` is in; weeks begin on Sunday."""
    if period == "MONTH":
        return now.strftime("%Y-%m")
    if period == "WEEK":
        now -= timedelta(days=(now.weekday() + 1) % 7)
    return now.strftime("%Y-%m-%d")
