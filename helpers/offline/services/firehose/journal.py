"""Records that were acknowledged and are not yet in S3, on disk: what is read back after a crash."""

from __future__ import annotations

import errno
import os
import struct
from collections.abc import Iterable, Sequence
from pathlib import Path
from urllib.parse import quote

LENGTH = struct.Struct("<I")


class Journal:
    """One file of length-prefixed records for the buffer that is being filled. A torn end is ignored when read."""

    def __init__(self, directory: Path, region: str, stream: str) -> None:
        name = quote(stream, safe="")
        self.directory = directory / region / (name if name.strip(".") else name.replace(".", "%2E"))
        self.directory.mkdir(parents=True, exist_ok=True)
        self._number = max((int(path.stem) for path in self.directory.glob("*.journal")), default=0)
        self._file: int | None = None
        self._is_unsynced = False

    def append(self, records: Sequence[bytes]) -> None:
        """Returns once the operating system has the records: they survive the death of this process. Raises OSError."""
        if self._file is None:
            self._number += 1
            self._file = os.open(self._path(self._number), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        whole = b"".join(part for record in records for part in (LENGTH.pack(len(record)), record))
        before = os.fstat(self._file).st_size
        written = os.write(self._file, whole)
        if written != len(whole):
            os.ftruncate(self._file, before)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.directory))
        self._is_unsynced = True

    def unsynced(self) -> int | None:
        """A descriptor, for the caller to sync and close, where something was added since the last time."""
        if self._file is None or not self._is_unsynced:
            return None
        self._is_unsynced = False
        return os.dup(self._file)

    def cut(self) -> Path | None:
        """Ends the current file; the next record begins another. Returns the ended one."""
        if self._file is None:
            return None
        os.close(self._file)
        self._file = None
        return self._path(self._number)

    def left_over(self) -> Iterable[tuple[Path, bool]]:
        """Files of an earlier process, oldest first, and whether there is a whole record in them."""
        for path in sorted(self.directory.glob("*.journal"), key=lambda path: int(path.stem)):
            yield path, next(iter(read(path)), None) is not None

    def _path(self, number: int) -> Path:
        return self.directory / f"{number:08d}.journal"


def read(path: Path) -> Iterable[bytes]:
    data = path.read_bytes()
    position = 0
    while position + LENGTH.size <= len(data):
        (length,) = LENGTH.unpack_from(data, position)
        position += LENGTH.size
        if position + length > len(data):
            return
        yield data[position : position + length]
        position += length
