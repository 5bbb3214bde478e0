"""S3 for the other services of the offline AWS: objects by bucket and key, without a request in between."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from helpers.offline.kernel import AwsError, ObjectSummary
from helpers.offline.services.s3.files import ObjectFile
from helpers.offline.services.s3.journal import ObjectJournal


class ObjectsPort:
    def __init__(self, account_id: str, journal: ObjectJournal) -> None:
        self.account_id = account_id
        self.journal = journal

    def get(self, bucket: str, key: str) -> bytes:
        """Raises AwsError NoSuchBucket or NoSuchKey."""
        return self._key(bucket, key).value

    def put(self, bucket: str, key: str, body: bytes) -> None:
        """On disk when it returns. Raises AwsError NoSuchBucket, or OSError."""
        self._bucket(bucket)
        self._backend().put_object(bucket, key, body)
        self.journal.note(bucket, key)

    def list(self, bucket: str, prefix: str) -> list[ObjectSummary]:
        """In the order of their keys."""
        held = self._bucket(bucket).keys
        names = sorted(name for name in list(dict.keys(held)) if name.startswith(prefix))
        found = ((name, held.get(name)) for name in names)
        return [ObjectSummary(name, key.contentsize) for name, key in found if _is_there(key)]

    def local_path(self, bucket: str, key: str) -> Path:
        """The file that holds the object's bytes, to be read only; it stays for some seconds after a deletion."""
        held: ObjectFile = self._key(bucket, key)._value_buffer
        return held.path

    def region_of(self, bucket: str) -> str | None:
        """Where the bucket was made; None where there is none."""
        found = self._backend().buckets.get(bucket)
        return found.region_name if found is not None else None

    def _backend(self) -> Any:
        from moto.s3.models import s3_backends

        return s3_backends[self.account_id]["aws"]

    def _bucket(self, bucket: str) -> Any:
        found = self._backend().buckets.get(bucket)
        if found is None:
            raise AwsError("NoSuchBucket", "The specified bucket does not exist", 404, BucketName=bucket)
        return found

    def _key(self, bucket: str, key: str) -> Any:
        found = self._bucket(bucket).keys.get(key)
        if not _is_there(found):
            raise AwsError("NoSuchKey", "The specified key does not exist.", 404, Key=key)
        return found


def _is_there(key: Any) -> bool:
    """Neither missing nor a delete marker."""
    return key is not None and hasattr(key, "contentsize")
