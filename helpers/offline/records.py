"""A file of checksummed records that only grows: whole up to its last record, whatever ends the process."""

from __future__ import annotations

import errno
import os
import struct
import threading
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

from helpers.offline.damage import Unreadable, copy_aside

_HEAD = struct.Struct(">II")  # length and CRC-32 of the record that follows
SEARCHED_BYTES = 64 * 1024  # for the next whole record behind a damaged one
SYNC_S = 1.0  # between two syncs of a file that is being written


class Records:
    """The file is made with its first record. Threads may share one."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = 0  # bytes, while it is open
        self._lock = threading.Lock()
        self._file: int | None = None
        self._is_unsynced = False
        self._is_new = False  # its name may not be on the disk yet

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
            is_new, self._is_new = self._is_new, False
        try:
            flush_to_disk(descriptor)
        finally:
            os.close(descriptor)
        if is_new:
            sync_folder(self.path.parent)

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
        self._is_new = not self.path.exists()
        self._file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        # An earlier process may have left a torn record: what follows it would be lost with it.
        ends = [end for _, end in _records(self.path.read_bytes())]
        self.size = ends[-1] if ends else 0
        os.ftruncate(self._file, self.size)


def read(path: Path, workspace: Path | None, damaged: Callable[[], None] = lambda: None) -> Iterator[bytes]:
    """The records of the file, oldest first; none where there is no file.

    A torn last record was never acknowledged. Where the file is damaged elsewhere, what comes after the damage is read
    too, the whole file is set aside in `workspace` first, if that is given, and `damaged` is called.
    Raises Unreadable, OSError.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return
    except OSError as error:
        raise Unreadable(path, error) from error
    found = list(_records(data))
    gap = _gap(data, found)
    if gap is not None:
        damaged()
        if workspace is not None:
            copy_aside(workspace, path, f"{gap[1]} bytes from byte {gap[0]} on are no record")
    for start, end in found:
        yield data[start + _HEAD.size : end]


def _records(data: bytes) -> Iterator[tuple[int, int]]:
    """Where the whole records begin and end."""
    position: int | None = 0
    while position is not None:
        end = _end(data, position)
        if end is None:
            position = _next(data, position)
        else:
            yield position, end
            position = end


def _end(data: bytes, position: int) -> int | None:
    """Of the record that begins at `position`; None where there is no whole one."""
    if position + _HEAD.size > len(data):
        return None
    length, checksum = _HEAD.unpack_from(data, position)
    end = position + _HEAD.size + length
    if not length or end > len(data) or zlib.crc32(memoryview(data)[position + _HEAD.size : end]) != checksum:
        return None
    return end


def _next(data: bytes, position: int) -> int | None:
    """Where the first whole record after a damaged one begins: where that one says, or nearby."""
    if position + _HEAD.size <= len(data):
        said = position + _HEAD.size + _HEAD.unpack_from(data, position)[0]
        if _end(data, said) is not None:
            return said
    nearby = range(position + 1, min(position + SEARCHED_BYTES, len(data)))
    return next((start for start in nearby if _end(data, start) is not None), None)


def _gap(data: bytes, found: list[tuple[int, int]]) -> tuple[int, int] | None:
    """Position and length of the first bytes that are neither a record nor the end that a kill or a power failure
    leaves: a record cut short, or zeros."""
    end = 0
    for start, next_end in found:
        if start > end:
            return end, start - end
        end = next_end
    rest = data[end:]
    is_short = len(rest) < _HEAD.size or _HEAD.size + _HEAD.unpack_from(rest)[0] > len(rest)
    return None if is_short or not rest.strip(b"\0") else (end, len(rest))


def sync_folder(folder: Path) -> None:
    """The names of its files survive a power failure when this returns. Raises OSError."""
    if os.name != "posix":  # elsewhere a folder cannot be opened
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def flush_to_disk(descriptor: int) -> None:
    getattr(os, "fdatasync", os.fsync)(descriptor)
