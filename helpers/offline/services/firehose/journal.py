"""Records that were acknowledged and are not yet in S3, on disk: what is read back after a crash."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from urllib.parse import quote

from helpers.offline import records

LENGTH = struct.Struct("<I")


class Journal:
    """One file for the buffer that is being filled; what was put at once is one checksummed frame in it."""

    def __init__(self, workspace: Path, region: str, stream: str) -> None:
        name = quote(stream, safe="")
        self.workspace = workspace
        self.directory = workspace / "firehose" / region / (name if name.strip(".") else name.replace(".", "%2E"))
        self.directory.mkdir(parents=True, exist_ok=True)
        self._number = max((int(path.stem) for path in self.directory.glob("*.records")), default=0)
        self.file: records.Records | None = None  # that the next frame goes to, once there is one

    def append(self, batch: Sequence[bytes]) -> None:
        """Returns once the operating system has the records: they survive the death of this process. Raises OSError."""
        if self.file is None:
            self._number += 1
            self.file = records.Records(self.directory / f"{self._number:08d}.records")
        self.file.append(b"".join([part for record in batch for part in (LENGTH.pack(len(record)), record)]))

    def cut(self) -> Path | None:
        """Ends the current file; the next record begins another. Returns the ended one."""
        if self.file is None:
            return None
        ended, self.file = self.file, None
        ended.close()
        return ended.path

    def files(self) -> list[Path]:
        """Oldest first."""
        former = self.directory.glob("*.journal")  # of development versions before 2026-11-29: without checksums
        return sorted([*former, *self.directory.glob("*.records")], key=lambda path: (path.suffix, int(path.stem)))

    def left_over(self) -> Iterator[tuple[Path, bool]]:
        """Files of an earlier process, oldest first, and whether there is a record in them.

        A damaged one is set aside too. Raises Unreadable, OSError.
        """
        for path in self.files():
            yield path, next(iter(read(path, self.workspace)), None) is not None


def read(path: Path, workspace: Path | None = None) -> Iterable[bytes]:
    """A torn end is ignored; what is damaged is left out, and set aside where `workspace` is given."""
    frames: Iterable[bytes] = [path.read_bytes()] if path.suffix == ".journal" else records.read(path, workspace)
    for data in frames:
        position = 0
        while position + LENGTH.size <= len(data):
            (length,) = LENGTH.unpack_from(data, position)
            position += LENGTH.size
            if position + length > len(data):
                break
            yield data[position : position + length]
            position += length
