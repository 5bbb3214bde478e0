"""How fast a stream takes records: AWS's quotas of Direct PUT, which answer `Slow down.` to what comes faster.

https://docs.aws.amazon.com/firehose/latest/dev/limits.html
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from helpers.offline.kernel import AwsError

MIB = 1024 * 1024
LARGE_REGIONS = ("us-east-1", "us-west-2", "eu-west-1")
LARGE = (500_000, 5 * MIB)  # records and bytes in a second
SMALL = (100_000, 1 * MIB)
BURST_S = 2.0  # AWS tells no burst; these two seconds, and no less than BURST_BYTES, are an assumption
BURST_BYTES = 10 * MIB


@dataclass(slots=True)
class Quota:
    """Two token buckets of one stream, for records and for bytes."""

    records_per_s: float
    bytes_per_s: float
    lock: threading.Lock = field(default_factory=threading.Lock)
    records: float = 0.0
    size_bytes: float = 0.0
    filled: float = 0.0

    def admitted(self, records: Sequence[bytes]) -> int:
        """How many of `records`, from the first on, may come in now."""
        with self.lock:
            self._fill()
            total = sum(map(len, records))
            if len(records) <= self.records and total <= self.size_bytes:
                self.records -= len(records)
                self.size_bytes -= total
                return len(records)
            number = 0
            for record in records:
                if self.records < 1 or self.size_bytes < len(record):
                    break
                self.records -= 1
                self.size_bytes -= len(record)
                number += 1
            return number

    def admit_all(self, records: Sequence[bytes]) -> None:
        """Raises AwsError, and then takes none, where not all of `records` may come in now."""
        with self.lock:
            self._fill()
            total = sum(map(len, records))
            if len(records) > self.records or total > self.size_bytes:
                raise slow_down()
            self.records -= len(records)
            self.size_bytes -= total

    def _fill(self) -> None:
        now = time.monotonic()
        passed = min(now - self.filled, 3600.0)
        self.filled = now
        self.records = min(self.records + passed * self.records_per_s, self.records_per_s * BURST_S)
        most_bytes = max(self.bytes_per_s * BURST_S, BURST_BYTES)
        self.size_bytes = min(self.size_bytes + passed * self.bytes_per_s, most_bytes)


def of_region(region: str) -> Quota:
    """A full bucket."""
    records_per_s, bytes_per_s = LARGE if region in LARGE_REGIONS else SMALL
    quota = Quota(records_per_s, bytes_per_s, filled=time.monotonic())
    quota.records, quota.size_bytes = records_per_s * BURST_S, max(bytes_per_s * BURST_S, BURST_BYTES)
    return quota


def slow_down() -> AwsError:
    return AwsError("ServiceUnavailableException", "Slow down.", 503)
