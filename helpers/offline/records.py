"""A file of checksummed records that only grows: whole up to its last record, whatever ends the process."""

from __future__ import annotations

import errno
import os
import struct
import threading
import zlib
from collections.abc import Iterator
from pathlib import Path

_HEAD = struct.Struct(">II")  # length and CRC-32 of the record that follows
SYNC_S = 1.0  # between two syncs of a file that is being written


class Records:
    """The file is made with its first record. Threads may share one."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = 0  # bytes, while it is open
        self._lock = threading.Lock()
        self._file: int | None = None
        self._is_unsynced = False

    def append(self, data: bytes) -> int:
        """Returns the file's new size once the operating system has the record.

        It survives this process then, not a power failure. Raises OSError, and then nothing was added.
        """
        record = _HEAD.pack(len(data), zlib.crc32(data)) + data
        with self._lock:
            if self._file is None:
                self._open()
            try:
                written = os.write(self._file, record)
            except OSError as error:
                raise OSError(error.errno, error.strerror, str(self.path)) from None
            if written < len(record):
                os.ftruncate(self._file, self.size)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path))
            self.size += len(record)
            self._is_unsynced = True
            return self.size

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

    def clear(self) -> None:
        """Takes all records away. Raises OSError."""
        with self._lock:
            if self._file is None:
                self._open()
            os.ftruncate(self._file, 0)
            self.size = 0

    def close(self) -> None:
        with self._lock:
            if self._file is not None:
                os.close(self._file)
                self._file = None

    def _open(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        # An earlier process may have left a torn record: what follows it would be lost with it.
        self.size = sum(_HEAD.size + len(record) for record in read(self.path))
        os.ftruncate(self._file, self.size)


def read(path: Path) -> Iterator[bytes]:
    """The records of the file, oldest first; none where there is no file. A torn last record was never acknowledged."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return
    position = 0
    while position + _HEAD.size <= len(data):
        length, checksum = _HEAD.unpack_from(data, position)
        record = data[position + _HEAD.size : position + _HEAD.size + length]
        if len(record) < length or zlib.crc32(record) != checksum:
            return
        yield record
        position += _HEAD.size + length


def flush_to_disk(descriptor: int) -> None:
    getattr(os, "fdatasync", os.fsync)(descriptor)
