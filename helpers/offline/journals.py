"""A journal beside a service's snapshot: what changed since, in numbered files that only grow, replayed at a start."""

from __future__ import annotations

import errno
import os
import struct
import threading
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

_HEAD = struct.Struct(">II")  # length and CRC-32 of the record that follows
SYNC_S = 1.0  # between two syncs of a journal that is being written
GROWN_BYTES = 8 * 1024 * 1024  # by then a snapshot is due, so that a start need not replay for long


class Journal:
    """Files `<name>-<number>.journal`. A snapshot begins the next one, and removes the former when it is written.

    `grown` is called, once for each file, when the file is so large that a snapshot should be taken.
    """

    def __init__(self, directory: Path, name: str, grown: Callable[[], None]) -> None:
        self.directory = directory
        self.name = name
        self._grown = grown
        self._lock = threading.Lock()
        self._file: int | None = None
        self._size = 0
        self._is_unsynced = False
        self._number = max((number for number, _ in self.files()), default=0)

    def append(self, data: bytes) -> None:
        """Returns once the operating system has the record: it survives this process, not a power failure.

        Raises OSError, and then nothing was added.
        """
        record = _HEAD.pack(len(data), zlib.crc32(data)) + data
        with self._lock:
            if self._file is None:
                self._open()
            size = self._size
            if os.write(self._file, record) < len(record):
                os.ftruncate(self._file, size)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.directory))
            self._size += len(record)
            self._is_unsynced = True
            is_grown = size < GROWN_BYTES <= self._size
        if is_grown:
            self._grown()

    def sync(self) -> None:
        """What was added by now survives a power failure too, when this returns. Raises OSError."""
        with self._lock:
            if self._file is None or not self._is_unsynced:
                return
            descriptor, self._is_unsynced = os.dup(self._file), False
        try:
            flush_to_disk(descriptor)
        finally:
            os.close(descriptor)

    def begin_next(self) -> Callable[[], None]:
        """For a snapshot that begins now. Returns what to do when it is written."""
        with self._lock:
            if self._file is not None:
                os.close(self._file)
                self._file = None
            former = [path for _, path in self.files()]
            self._number += 1

        def remove_former() -> None:
            for path in former:
                path.unlink(missing_ok=True)

        return remove_former

    def records(self) -> Iterator[bytes]:
        """All of them, oldest first. A torn last record was never acknowledged."""
        for _, path in self.files():
            yield from _records(path.read_bytes())

    def files(self) -> list[tuple[int, Path]]:
        found = self.directory.glob(f"{self.name}-*.journal")
        return sorted((int(path.stem.rpartition("-")[2]), path) for path in found)

    def _open(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        path = self.directory / f"{self.name}-{self._number:08d}.journal"
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        # An earlier server may have left a torn record: what follows it would be lost with it.
        self._size = sum(_HEAD.size + len(record) for record in _records(path.read_bytes()))
        os.ftruncate(self._file, self._size)


def flush_to_disk(descriptor: int) -> None:
    getattr(os, "fdatasync", os.fsync)(descriptor)


def _records(data: bytes) -> Iterator[bytes]:
    position = 0
    while position + _HEAD.size <= len(data):
        length, checksum = _HEAD.unpack_from(data, position)
        record = data[position + _HEAD.size : position + _HEAD.size + length]
        if len(record) < length or zlib.crc32(record) != checksum:
            return
        yield record
        position += _HEAD.size + length
