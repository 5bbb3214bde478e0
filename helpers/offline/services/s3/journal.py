"""What became of single objects and parts since the last snapshot of S3, replayed at the next start."""

from __future__ import annotations

import logging
import threading
from bisect import insort
from collections.abc import Callable
from pathlib import Path
from typing import Any

from helpers.offline import pickling
from helpers.offline.journals import Journal
from helpers.offline.services.s3.files import STORE

log = logging.getLogger("offline.s3")


class ObjectJournal:
    """Objects' files that are no longer needed stay while the disk's state may still name them."""

    def __init__(self, directory: Path, account_id: str, grown: Callable[[], None]) -> None:
        self.account_id = account_id
        self.journal = Journal(directory, "objects", grown)
        self._snapshot_wanted = grown
        self._lock = threading.RLock()  # from looking at an object to its record, so that the last record is the newest
        self._failures = 0

    def note(self, bucket_name: str, key_name: str) -> None:
        """Records the object as it now is, gone or not. Raises OSError."""
        with self._lock:
            bucket = _buckets(self.account_id).get(bucket_name)
            if bucket is None:
                return
            versions = list(bucket.keys.getlist(key_name, []))
            tags = _backend(self.account_id).tagger.tags
            held = {key.arn: tags.get(key.arn) for key in versions if hasattr(key, "arn")}
            self._append(("object", bucket_name, key_name, versions, held))

    def note_part(self, bucket_name: str, upload_id: str, number: int) -> None:
        """Records a part of a multipart upload as it now is. Raises OSError."""
        with self._lock:
            bucket = _buckets(self.account_id).get(bucket_name)
            upload = bucket.multiparts.get(upload_id) if bucket is not None else None
            if upload is not None and number in upload.parts:
                self._append(("part", bucket_name, upload_id, number, upload.parts[number]))

    def begin_next(self) -> Callable[[], None]:
        """For a snapshot that begins now. Returns what to do when it is written."""
        remove_former, failures = self.journal.begin_next(), self._failures
        STORE.keeps_all = True

        def written() -> None:
            remove_former()
            STORE.keeps_all = self._failures > failures

        return written

    def replay(self) -> None:
        """Puts every recorded object and part where its record says. Raises Unreadable, OSError."""
        for data in self.journal.records():
            try:
                kind, *fields = pickling.load(data)
                {"object": self._put_object, "part": self._put_part}[kind](*fields)
            except Exception:
                self.journal.is_damaged = True
                log.exception("a record of S3's journal cannot be used")

    def drop_torn(self) -> None:
        """After a power failure an object may be known and its bytes not: it is lost, and said to be."""
        for bucket in _buckets(self.account_id).values():
            for name, versions in list(dict.items(bucket.keys)):
                whole = [key for key in versions if not hasattr(key, "_value_buffer") or key._value_buffer.is_whole()]
                if len(whole) < len(versions):
                    log.error("s3://%s/%s lost its bytes, as by a power failure: it is gone", bucket.name, name)
                    if whole:
                        dict.__setitem__(bucket.keys, name, whole)
                    else:
                        dict.pop(bucket.keys, name)

    def _append(self, record: tuple[Any, ...]) -> None:
        try:
            self.journal.append(pickling.dump(record))
        except OSError:
            self._failures += 1
            STORE.keeps_all = True
            self._snapshot_wanted()
            raise

    def _put_object(self, bucket_name: str, key_name: str, versions: list[Any], held: dict[str, Any]) -> None:
        bucket = _buckets(self.account_id).get(bucket_name)
        if bucket is None:
            _let_go(versions)
            return
        _let_go(dict.get(bucket.keys, key_name, []))
        if versions:
            dict.__setitem__(bucket.keys, key_name, versions)
        else:
            dict.pop(bucket.keys, key_name, None)
        tags = _backend(self.account_id).tagger.tags
        for arn, of_version in held.items():
            if of_version is None:
                tags.pop(arn, None)
            else:
                tags[arn] = of_version
        for key in versions:
            if getattr(key, "multipart", None) is not None:
                ended = dict.pop(bucket.multiparts, key.multipart.id, None)
                _let_go(list(ended.parts.values()) if ended is not None else [])

    def _put_part(self, bucket_name: str, upload_id: str, number: int, part: Any) -> None:
        bucket = _buckets(self.account_id).get(bucket_name)
        upload = bucket.multiparts.get(upload_id) if bucket is not None else None
        if upload is None:
            _let_go([part])
            return
        _let_go([upload.parts[number]] if number in upload.parts else [])
        upload.parts[number] = part
        if number not in upload.partlist:
            insort(upload.partlist, number)


def _let_go(keys: list[Any]) -> None:
    """Of what a later record replaces: their files may be those of the later ones, so that none is removed with them.

    What is then in nobody's use is found as an orphan.
    """
    for key in keys:
        key.disposed = True


def _backend(account_id: str) -> Any:
    from moto.s3.models import s3_backends

    return s3_backends[account_id]["aws"]


def _buckets(account_id: str) -> dict[str, Any]:
    return _backend(account_id).buckets
