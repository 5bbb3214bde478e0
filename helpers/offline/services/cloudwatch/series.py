"""Metrics in memory: one series per namespace, name and dimensions, in buckets of one second."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

# How long AWS keeps data by the second and by the minute; data by five minutes and by the hour are not kept here.
SECONDS_KEPT_S, MINUTES_KEPT_S = 3 * 3600, 15 * 86_400
STATISTICS = ("Sum", "Average", "Minimum", "Maximum", "SampleCount")
VALUES_PER_BUCKET = 1000  # beyond that, percentiles are of the first thousand values

Dimensions = tuple[tuple[str, str], ...]
Key = tuple[str, str, Dimensions]


def dimensions_of(pairs: Iterable[Mapping[str, str]] | None) -> Dimensions:
    """`[{"Name": …, "Value": …}, …]` in an order of its own."""
    return tuple(sorted((pair["Name"], pair["Value"]) for pair in pairs or []))


@dataclass(slots=True)
class Bucket:
    """What was put within some time: count, sum, extremes and (some of) the values."""

    count: float = 0.0
    total: float = 0.0
    least: float = math.inf
    most: float = -math.inf
    values: list[float] = field(default_factory=list)

    def add(self, value: float, count: float = 1.0) -> None:
        """`count` times the same value."""
        self.count += count
        self.total += value * count
        self.least = min(self.least, value)
        self.most = max(self.most, value)
        if len(self.values) < VALUES_PER_BUCKET:
            self.values += [value] * min(int(count), VALUES_PER_BUCKET - len(self.values))

    def add_statistics(self, count: float, total: float, least: float, most: float) -> None:
        """Values of which only this is known: percentiles do not see them."""
        self.count += count
        self.total += total
        self.least = min(self.least, least)
        self.most = max(self.most, most)

    def merge(self, other: Bucket) -> None:
        self.add_statistics(other.count, other.total, other.least, other.most)
        self.values += other.values

    def absorb(self, other: Bucket) -> None:
        """`merge`, with as many values as a bucket keeps."""
        self.merge(other)
        del self.values[VALUES_PER_BUCKET:]

    def statistic(self, name: str) -> float | None:
        """`Sum`, `Average`, `Minimum`, `Maximum`, `SampleCount` or a percentile such as `p99.9`; None without data."""
        if not self.count:
            return None
        match name:
            case "Sum":
                return self.total
            case "Average":
                return self.total / self.count
            case "Minimum":
                return self.least
            case "Maximum":
                return self.most
            case "SampleCount":
                return self.count
        return percentile(self.values, float(name[1:]))


def percentile(values: list[float], q: float) -> float | None:
    """Linear interpolation between closest ranks; `q` from 0 to 100."""
    if not values:
        return None
    ordered = sorted(values)
    position = (len(ordered) - 1) * q / 100
    low = math.floor(position)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (position - low)


@dataclass(slots=True)
class Series:
    """`buckets`: second since the epoch -> Bucket."""

    unit: str = "None"
    buckets: dict[int, Bucket] = field(default_factory=dict)


class Store:
    """All series of one region."""

    def __init__(self) -> None:
        self.series: dict[Key, Series] = {}
        self.lock = threading.Lock()
        self._pruned = 0.0

    def bucket(self, key: Key, unit: str, timestamp: float) -> Bucket:
        """The bucket to add to. Hold `lock`."""
        series = self.series.get(key)
        if series is None:
            series = self.series[key] = Series(unit)
        elif unit != "None":
            series.unit = unit
        return series.buckets.setdefault(int(timestamp), Bucket())

    def put(self, key: Key, value: float, unit: str, timestamp: float, count: float = 1.0) -> None:
        with self.lock:
            self.bucket(key, unit, timestamp).add(value, count)

    def periods(self, key: Key, start: float, end: float, period_s: int) -> list[tuple[int, Bucket]]:
        """(start of the period, its data) for each period with data; periods begin at multiples of their length."""
        merged: dict[int, Bucket] = {}
        with self.lock:
            series = self.series.get(key)
            if series is None:
                return []
            for second, bucket in series.buckets.items():
                if start <= second < end:
                    merged.setdefault(second - second % period_s, Bucket()).merge(bucket)
        return sorted(merged.items())

    def unit_of(self, key: Key) -> str:
        series = self.series.get(key)
        return series.unit if series else "None"

    def prune(self) -> None:
        """Keeps old data by the minute, and forgets what is older still."""
        now = time.time()
        with self.lock:
            for key, series in list(self.series.items()):
                for second in [second for second in series.buckets if second < now - SECONDS_KEPT_S]:
                    minute = second - second % 60
                    if second < now - MINUTES_KEPT_S:
                        del series.buckets[second]
                    elif second != minute:
                        series.buckets.setdefault(minute, Bucket()).absorb(series.buckets.pop(second))
                if not series.buckets:
                    del self.series[key]
