"""One stream's buffer: filled by size and by time, whichever is first, then handed over as one batch."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from helpers.offline.services.firehose.journal import Journal, read
from helpers.offline.services.firehose.quota import Quota


@dataclass(slots=True)
class Batch:
    """What becomes one object: records in order of arrival, and the journal files that hold them until then.

    `records` is None where only the files hold them: what waits for a bucket that is not there takes no memory.
    """

    arrived: float
    records: list[bytes] | None
    files: list[Path]
    attempts: int = 0
    begun: float = field(default_factory=time.monotonic)  # of the attempts, which a changed clock must not end
    next_attempt: float = 0.0  # monotonic

    def body(self) -> bytes:
        """Raises OSError where the files cannot be read."""
        return b"".join(self.each())

    def each(self) -> Iterable[bytes]:
        """The records, in order. Raises OSError where the files cannot be read."""
        return self.records if self.records is not None else (one for path in self.files for one in read(path))


@dataclass(slots=True)
class Buffer:
    """Not yet delivered records of one stream. `records` and `files` are guarded by `lock`."""

    journal: Journal
    quota: Quota
    lock: threading.Lock = field(default_factory=threading.Lock)
    records: list[bytes] = field(default_factory=list)
    size_bytes: int = 0
    arrived: float = 0.0  # of the first record, by the clock, for the object's name
    since: float = 0.0  # the same moment, monotonic, for the interval
    files: list[Path] = field(default_factory=list)
    waiting: list[Batch] = field(default_factory=list)  # cut, and not yet in S3
    delivering: threading.Lock = field(default_factory=threading.Lock)

    def add(self, records: Sequence[bytes], limit_bytes: int) -> None:
        """Acknowledgeable when it returns. The record with which the buffer reaches `limit_bytes` ends its batch.

        Raises OSError; of records that are more than a batch it then may hold the first ones.
        """
        with self.lock:
            for part, size_bytes in parts(records, limit_bytes, limit_bytes - self.size_bytes):
                self.journal.append(part)
                if not self.records:
                    self.arrived, self.since = time.time(), time.monotonic()
                self.records += part
                self.size_bytes += size_bytes
                if self.size_bytes >= limit_bytes:
                    self._cut()

    def sync(self) -> None:
        """What was added by now survives a power failure too. Raises OSError. Does not keep `add` waiting."""
        with self.lock:
            file = self.journal.file
        if file is not None:
            file.sync()

    def recover(self) -> None:
        """Takes up what an earlier process left; due at once. Raises Unreadable, OSError."""
        for path, holds_records in self.journal.left_over():
            if holds_records:
                self.waiting.append(Batch(path.stat().st_mtime, None, [path]))
            else:
                path.unlink(missing_ok=True)

    def is_due(self, size_bytes: int, interval_s: float) -> bool:
        return bool(self.records) and (
            self.size_bytes >= size_bytes or time.monotonic() - self.since >= max(interval_s, 0.2)
        )

    def cut(self) -> None:
        """Moves what was collected to the batches that wait for delivery."""
        with self.lock:
            if self.records:
                self._cut()

    def _cut(self) -> None:
        ended = self.journal.cut()
        self.waiting.append(Batch(self.arrived, self.records, [ended] if ended else []))
        self.records, self.size_bytes = [], 0


def parts(records: Sequence[bytes], limit_bytes: int, room_bytes: int) -> Iterator[tuple[Sequence[bytes], int]]:
    """`records` in order, in parts and with their sizes; each part but the last fills the room that is left."""
    size_bytes = sum(map(len, records))
    if size_bytes < room_bytes:
        yield records, size_bytes
        return
    start, size_bytes = 0, 0
    for position, record in enumerate(records, start=1):
        size_bytes += len(record)
        if size_bytes >= room_bytes:
            yield records[start:position], size_bytes
            start, size_bytes, room_bytes = position, 0, limit_bytes
    if start < len(records):
        yield records[start:], size_bytes
