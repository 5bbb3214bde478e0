"""One stream's buffer: filled by size and by time, whichever is first, then handed over as one batch."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from helpers.offline.services.firehose.journal import Journal, read


@dataclass(slots=True)
class Batch:
    """What becomes one object: records in order of arrival, and the journal files that hold them until then.

    `records` is None where only the files hold them: what waits for a bucket that is not there takes no memory.
    """

    arrived: float
    records: list[bytes] | None
    files: list[Path]
    attempts: int = 0
    next_attempt: float = 0.0

    def body(self) -> bytes:
        """Raises OSError where the files cannot be read."""
        records = self.records if self.records is not None else (one for path in self.files for one in read(path))
        return b"".join(records)


@dataclass(slots=True)
class Buffer:
    """Not yet delivered records of one stream. `records` and `files` are guarded by `lock`."""

    journal: Journal
    lock: threading.Lock = field(default_factory=threading.Lock)
    records: list[bytes] = field(default_factory=list)
    size_bytes: int = 0
    arrived: float = 0.0
    files: list[Path] = field(default_factory=list)
    waiting: list[Batch] = field(default_factory=list)  # cut, and not yet in S3

    def add(self, records: Sequence[bytes]) -> None:
        """Acknowledgeable when it returns. Raises OSError, and then holds none of `records`."""
        with self.lock:
            self.journal.append(records)
            if not self.records:
                self.arrived = time.time()
            self.records += records
            self.size_bytes += sum(map(len, records))

    def recover(self) -> None:
        """Takes up what an earlier process left; due at once."""
        for path, holds_records in self.journal.left_over():
            if holds_records:
                self.waiting.append(Batch(path.stat().st_mtime, None, [path]))
            else:
                path.unlink(missing_ok=True)

    def is_due(self, size_bytes: int, interval_s: float) -> bool:
        return bool(self.records) and (
            self.size_bytes >= size_bytes or time.time() - self.arrived >= max(interval_s, 0.2)
        )

    def cut(self) -> None:
        """Moves what was collected to the batches that wait for delivery."""
        with self.lock:
            if not self.records:
                return
            ended = self.journal.cut()
            self.waiting.append(Batch(self.arrived, self.records, [ended] if ended else []))
            self.records, self.size_bytes = [], 0
