"""What became of single objects since the last snapshot of S3: a file that only grows, replayed at the next start."""

from __future__ import annotations

import errno
import logging
import os
import struct
import threading
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from helpers.offline import pickling

_HEAD = struct.Struct(">II")  # length and CRC-32 of the record that follows

log = logging.getLogger("offline.s3")


class Journal:
    """Numbered files; a snapshot begins the next, and removes the former ones once it is written."""

    def __init__(self, directory: Path, account_id: str) -> None:
        self.directory = directory
        self.account_id = account_id
        self._lock = threading.Lock()
        self._file: BinaryIO | None = None
        self._number = max((number for number, _ in self._files()), default=0)

    def note(self, bucket_name: str, key_name: str) -> None:
        """Records the object as it now is, gone or not. Raises OSError."""
        bucket = _buckets(self.account_id).get(bucket_name)
        if bucket is None:
            return
        with self._lock:
            versions = list(bucket.keys.getlist(key_name, []))
            tagger = _backend(self.account_id).tagger
            tags = {key.arn: tagger.tags[key.arn] for key in versions if getattr(key, "arn", None) in tagger.tags}
            data = pickling.dump((bucket_name, key_name, versions, tags))
            file = self._open()
            position = file.tell()
            record = _HEAD.pack(len(data), zlib.crc32(data)) + data
            try:
                if file.write(record) < len(record):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            except OSError:
                file.truncate(position)
                raise

    def begin_next(self) -> Callable[[], None]:
        """For a snapshot that begins now. Returns what to do when it is written."""
        with self._lock:
            if self._file is not None:
                self._file.close()
                self._file = None
            former = [path for _, path in self._files()]
            self._number += 1

        def remove_former() -> None:
            for path in former:
                path.unlink(missing_ok=True)

        return remove_former

    def replay(self) -> None:
        """Puts every recorded object where its record says. A torn last record was never acknowledged."""
        for _, path in self._files():
            for data in _records(path):
                try:
                    self._apply(*pickling.load(data))
                except Exception:
                    log.exception("a record of %s cannot be used", path)

    def _apply(self, bucket_name: str, key_name: str, versions: list[Any], tags: dict[str, Any]) -> None:
        bucket = _buckets(self.account_id).get(bucket_name)
        if bucket is None:
            return
        if versions:
            dict.__setitem__(bucket.keys, key_name, versions)
        else:
            dict.pop(bucket.keys, key_name, None)
        _backend(self.account_id).tagger.tags.update(tags)
        for key in versions:
            if getattr(key, "multipart", None) is not None:
                dict.pop(bucket.multiparts, key.multipart.id, None)

    def _open(self) -> BinaryIO:
        if self._file is None:
            self.directory.mkdir(parents=True, exist_ok=True)
            self._file = (self.directory / f"objects-{self._number:08d}.journal").open("ab", buffering=0)
        return self._file

    def _files(self) -> list[tuple[int, Path]]:
        return sorted((int(path.stem.rpartition("-")[2]), path) for path in self.directory.glob("objects-*.journal"))


def _records(path: Path) -> Iterator[bytes]:
    data = path.read_bytes()
    position = 0
    while position + _HEAD.size <= len(data):
        length, checksum = _HEAD.unpack_from(data, position)
        record = data[position + _HEAD.size : position + _HEAD.size + length]
        if len(record) < length or zlib.crc32(record) != checksum:
            return
        yield record
        position += _HEAD.size + length


def _backend(account_id: str) -> Any:
    from moto.s3.models import s3_backends

    return s3_backends[account_id]["aws"]


def _buckets(account_id: str) -> dict[str, Any]:
    return _backend(account_id).buckets
