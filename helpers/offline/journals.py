"""A journal beside a service's snapshot: what changed since, in numbered files that only grow, replayed at a start."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from helpers.offline.records import Records, read

GROWN_BYTES = 8 * 1024 * 1024  # by then a snapshot is due, so that a start need not replay for long


class Journal:
    """Files `<name>-<number>.journal`. A snapshot begins the next one, and removes the former when it is written.

    `number` is of the file that the next record goes to: a snapshot that keeps it knows from where on to replay.
    `grown` is called, once for each file, when so much would be replayed that a snapshot should be taken.
    """

    def __init__(self, directory: Path, name: str, grown: Callable[[], None]) -> None:
        self.directory = directory
        self.name = name
        self.is_damaged = False  # whether a record may be missing in what was read
        self._grown = grown
        self._has_grown = False
        self._lock = threading.Lock()
        self.number = max((number + 1 for number, _ in self.files()), default=0)
        self._former_bytes = sum(path.stat().st_size for _, path in self.files())  # a start replays these too
        self._current = Records(self._path(self.number))

    def append(self, data: bytes) -> None:
        """Returns once the operating system has the record: it survives this process, not a power failure.

        Raises OSError, and then nothing was added.
        """
        with self._lock:
            is_new = self._former_bytes + self._current.append(data) >= GROWN_BYTES and not self._has_grown
            self._has_grown |= is_new
        if is_new:
            self._grown()

    def sync(self) -> None:
        """What was added by now survives a power failure too, when this returns. Raises OSError."""
        self._current.sync()

    def begin_next(self) -> Callable[[], None]:
        """For a snapshot that begins now. Returns what to do when it is written."""
        with self._lock:
            self._current.close()
            former = [path for _, path in self.files()]
            self.number += 1
            self._current, self._has_grown = Records(self._path(self.number)), False
            self._former_bytes = 0

        def remove_former() -> None:
            for path in former:
                path.unlink(missing_ok=True)

        return remove_former

    def records(self, first: int = 0) -> Iterator[bytes]:
        """Those of the files from number `first` on, oldest first. Raises Unreadable, OSError."""
        for number, path in self.files():
            if number >= first:
                yield from read(path, self.directory.parent, self._note_damage)

    def _note_damage(self) -> None:
        self.is_damaged = True

    def files(self) -> list[tuple[int, Path]]:
        """(number, path) of those that are there, oldest first."""
        found = self.directory.glob(f"{self.name}-*.journal")
        return sorted((int(path.stem.rpartition("-")[2]), path) for path in found)

    def _path(self, number: int) -> Path:
        return self.directory / f"{self.name}-{number:08d}.journal"
