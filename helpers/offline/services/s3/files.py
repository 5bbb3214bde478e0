"""Objects' bytes as files: an object's value is a file under the workspace, written once, never changed.

moto keeps an object's bytes in a SpooledTemporaryFile; here an ObjectFile stands in its place. A file that is no longer
needed is removed a few seconds later, when what replaced it is safely recorded.
"""

from __future__ import annotations

import codecs
import os
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from helpers.offline.kernel import Upload
from helpers.offline.records import flush_to_disk, sync_folder

REMOVED_AFTER_S = 5.0
MANY_FILES = 500  # from then on one sync of everything takes less time
_CHUNK_BYTES = 4 * 1024 * 1024


class Store:
    """The directory of the files, and those that wait for their removal."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.keeps_all = False  # while what is recorded on disk may still name files that are in no use any more
        self._waiting: list[tuple[float, Path]] = []
        self._unsynced: list[Path] = []
        self._lock = threading.Lock()

    def new_path(self) -> Path:
        name = uuid.uuid4().hex
        path = self.directory / name[:2] / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def sync_later(self, path: Path) -> None:
        self._unsynced.append(path)

    def sync(self) -> None:
        """What was written by now survives a power failure too. Raises OSError."""
        paths, self._unsynced = self._unsynced, []
        if len(paths) > MANY_FILES and hasattr(os, "sync"):
            os.sync()
            return
        for path in paths:
            try:
                descriptor = os.open(path, os.O_RDONLY)
            except FileNotFoundError:  # it is deleted, or replaced, by now
                continue
            try:
                flush_to_disk(descriptor)
            finally:
                os.close(descriptor)
        folders = {path.parent for path in paths}
        for folder in (*folders, *([self.directory] if folders else [])):
            sync_folder(folder)

    def remove_later(self, path: Path) -> None:
        with self._lock:
            self._waiting.append((time.monotonic() + REMOVED_AFTER_S, path))

    def remove_due(self) -> None:
        if self.keeps_all:
            return
        now = time.monotonic()
        with self._lock:
            due = [path for moment, path in self._waiting if moment <= now]
            self._waiting = [entry for entry in self._waiting if entry[0] > now]
        for path in due:
            path.unlink(missing_ok=True)

    def orphans(self, needed: set[str]) -> list[Path]:
        """Files that no object names: those of changes that were never acknowledged, or whose record is damaged."""
        return [path for path in self.directory.glob("??/*") if path.name not in needed]


STORE = Store(Path())


class ObjectFile:
    """Bytes of one object, or of one part: `size` bytes of a file from `offset`. Has what moto asks of a file."""

    def __init__(self, max_size: int = 0) -> None:
        self.name: str | None = None
        self.offset = 0
        self.size = 0
        self.is_owner = True
        self._position = 0

    @property
    def path(self) -> Path:
        if self.name is None:
            raise FileNotFoundError("this object has no bytes yet")
        return STORE.directory / self.name[:2] / self.name

    def write(self, data: bytes) -> None:
        """All of the value at once. Raises OSError and leaves nothing behind."""
        self.close()
        self.fill([data])

    def fill(self, chunks: Iterator[bytes] | list[bytes]) -> None:
        path = STORE.new_path()
        size = 0
        try:
            with path.open("wb") as file:
                for chunk in chunks:
                    file.write(chunk)
                    size += len(chunk)
        except OSError:
            path.unlink(missing_ok=True)
            raise
        STORE.sync_later(path)
        self.name, self.offset, self.size, self.is_owner = path.name, 0, size, True

    def take(self, written: Path, size: int) -> None:
        """A file of the same file system becomes the value. Raises OSError."""
        self.close()
        path = STORE.new_path()
        os.rename(written, path)
        STORE.sync_later(path)
        self.name, self.offset, self.size, self.is_owner = path.name, 0, size, True

    def is_whole(self) -> bool:
        if self.name is None:
            return True
        try:
            return self.path.stat().st_size >= self.offset + self.size
        except FileNotFoundError:
            return False

    def contents(self) -> bytes:
        if self.name is None:
            return b""
        with self.path.open("rb") as file:
            file.seek(self.offset)
            return file.read(self.size)

    def chunks(self) -> Iterator[bytes]:
        if self.name is None:
            return
        with self.path.open("rb") as file:
            file.seek(self.offset)
            left = self.size
            while left and (chunk := file.read(min(left, _CHUNK_BYTES))):
                left -= len(chunk)
                yield chunk

    def view(self, offset: int, size: int) -> ObjectFile:
        """A part of this file, which stays this one's."""
        part = ObjectFile()
        part.name, part.offset, part.size, part.is_owner = self.name, self.offset + offset, size, False
        return part

    def close(self) -> None:
        if self.name is not None and self.is_owner:
            STORE.remove_later(self.path)
        self.name, self.size = None, 0

    # moto reads an object in blocks to compute its ETag
    def seek(self, position: int) -> None:
        self._position = position

    def truncate(self) -> None:
        pass

    def read(self, size: int = -1) -> bytes:
        if self.name is None:
            return b""
        left = self.size - self._position
        size = left if size < 0 else min(size, left)
        with self.path.open("rb") as file:
            file.seek(self.offset + self._position)
            data = file.read(size)
        self._position += len(data)
        return data

    def __deepcopy__(self, memo: object) -> ObjectFile:
        return self.view(0, self.size)

    __copy__ = __deepcopy__


class _Arriving(threading.local):
    upload: Upload | None = None


_arriving = _Arriving()


@contextmanager
def arriving(upload: Upload | None) -> Iterator[None]:
    """The object or part that this thread makes within has the upload's file as its value."""
    _arriving.upload = upload
    try:
        yield
    finally:
        _arriving.upload = None


def keep_objects_in_files(directory: Path) -> None:
    """Makes moto's S3 keep its objects under `directory`. To be called before the first object is made."""
    import moto.s3.models as models

    STORE.directory = directory
    models.tempfile = SimpleNamespace(SpooledTemporaryFile=ObjectFile)
    key = models.FakeKey
    key.value = property(_get_value, _set_value)
    key.__getstate__ = _get_state
    key.__setstate__ = _set_state
    key.__del__ = _dispose_unseen
    models.FakeMultipart.complete = _complete


def _get_value(key: Any) -> bytes:
    return key._value_buffer.contents()


def _set_value(key: Any, value: bytes | str | ObjectFile) -> None:
    upload, _arriving.upload = _arriving.upload, None
    if upload is not None:
        key._value_buffer.take(upload.path, upload.size)
        key._etag = upload.md5
    elif isinstance(value, ObjectFile):
        key._value_buffer = value
    else:
        key._value_buffer.write(value.encode() if isinstance(value, str) else value)
    key.contentsize = key._value_buffer.size


def _get_state(key: Any) -> dict[str, Any]:
    return {name: value for name, value in key.__dict__.items() if name != "lock"}


def _set_state(key: Any, state: dict[str, Any]) -> None:
    key.__dict__.update(state)
    key.lock = threading.Lock()


def _dispose_unseen(key: Any) -> None:
    if not getattr(key, "disposed", True):
        key.dispose()


def _complete(multipart: Any, body: Iterator[tuple[int, str]]) -> tuple[ObjectFile, str, Any]:
    """moto's FakeMultipart.complete, part after part into one file instead of in memory."""
    import moto.s3.models as models
    from moto.utilities.utils import md5_hash

    algorithm = multipart.metadata.get("x-amz-checksum-algorithm")
    builder = models.MultipartChecksumBuilder(algorithm, multipart.metadata.get("x-amz-checksum-type"))
    parts, digests = [], bytearray()
    for number, etag in body:
        part = multipart.parts.get(number)
        if part is None or part.etag.strip('"') != etag.strip('"'):
            raise models.InvalidPart()
        if parts and parts[-1].contentsize < models.S3_UPLOAD_PART_MIN_SIZE:
            raise models.EntityTooSmall()
        digests.extend(codecs.decode(part.etag.strip('"'), "hex"))
        parts.append(part)
    if not parts:
        raise models.MalformedXML()
    whole = ObjectFile()
    whole.fill(chunk for part in parts for chunk in part._value_buffer.chunks())
    offset = 0
    for part in parts:
        if algorithm:
            builder.addPart(part.value)
        size = part.contentsize
        part._value_buffer.close()
        part._value_buffer = whole.view(offset, size)
        offset += size
    digest = md5_hash()
    digest.update(bytes(digests))
    return whole, f"{digest.hexdigest()}-{len(parts)}", builder.build() if algorithm else None
