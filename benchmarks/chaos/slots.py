"""Things of the offline AWS that hold a number, set by a call that is acknowledged or not; those of S3 among them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from botocore.exceptions import ClientError

GONE = -1  # what a slot reads as where there is nothing


class Torn(Exception):
    """Something is there, and it is not what any call wrote."""


@dataclass
class Slot:
    """`write` makes the slot hold a number and returns when that is acknowledged; `read` tells what it holds."""

    name: str
    write: Callable[[int], None]
    read: Callable[[], int]
    acknowledged: int = GONE
    possible: set[int] = field(default_factory=set)  # written and never acknowledged

    def put(self, number: int) -> None:
        """Raises what the client raises; then the number is a possible one."""
        self.possible.add(number)
        self.write(number)
        self.acknowledged = number
        self.possible.clear()

    def problem(self) -> str | None:
        """After a restart, in words; None where it holds what it must. What it holds counts from now on."""
        try:
            found = self.read()
        except Torn as torn:
            return f"torn: {self.name}: {torn}"
        allowed = {self.acknowledged} | self.possible
        expected = self.acknowledged
        self.acknowledged = found
        self.possible.clear()
        if found in allowed:
            return None
        return f"lost: {self.name} holds {found}, acknowledged was {expected}"


def absent_is_gone(read: Callable[[], int]) -> Callable[[], int]:
    def reading() -> int:
        try:
            return read()
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404 or "NotFound" in code or "NoSuch" in code:
                return GONE
            raise

    return reading


def body_of(number: int, size: int) -> bytes:
    """Says its number and its own hash, so that a torn one is seen."""
    text = b"%d-" % number
    filled = (text * (size // len(text) + 1))[:size]
    return b"%d:%s:" % (number, hashlib.sha256(filled).hexdigest().encode()) + filled


def number_of(body: bytes) -> int:
    number, digest, filled = body.split(b":", 2)
    if hashlib.sha256(filled).hexdigest().encode() != digest:
        raise Torn(f"{len(body)} bytes that begin with {body[:20]!r}")
    return int(number)


def objects(world: Any) -> list[Slot]:
    s3, bucket = world.client("s3"), world.bucket

    def read(key: str) -> int:
        return number_of(s3.get_object(Bucket=bucket, Key=key)["Body"].read())

    def put_or_delete(key: str, number: int) -> None:
        s3.put_object(Bucket=bucket, Key=key, Body=body_of(number, 2_000))

    def tag(number: int) -> None:
        tags = {"TagSet": [{"Key": "n", "Value": str(number)}]}
        s3.put_object_tagging(Bucket=bucket, Key="tagged", Tagging=tags)

    def tagged() -> int:
        tags = s3.get_object_tagging(Bucket=bucket, Key="tagged")["TagSet"]
        return int(tags[0]["Value"]) if tags else GONE

    def tag_bucket(number: int) -> None:
        s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": [{"Key": "n", "Value": str(number)}]})

    def bucket_tag() -> int:
        return int(s3.get_bucket_tagging(Bucket=bucket)["TagSet"][0]["Value"])

    def versioned(number: int) -> None:
        s3.put_object(Bucket=world.versioned_bucket, Key="one", Body=body_of(number, 100))

    def version() -> int:
        return number_of(s3.get_object(Bucket=world.versioned_bucket, Key="one")["Body"].read())

    small = [
        Slot(f"object small/{n}", partial(put_or_delete, f"small/{n}"), absent_is_gone(partial(read, f"small/{n}")))
        for n in range(6)
    ]
    large = Slot(
        "large object",
        lambda number: s3.put_object(Bucket=bucket, Key="large", Body=body_of(number, 3_000_000)),
        absent_is_gone(partial(read, "large")),
    )

    def come_and_go(number: int) -> None:
        if number % 2:
            s3.delete_object(Bucket=bucket, Key="comes-and-goes")
        else:
            s3.put_object(Bucket=bucket, Key="comes-and-goes", Body=body_of(number, 500))

    def is_there() -> int:
        return absent_is_gone(partial(read, "comes-and-goes"))()

    return [
        *small,
        large,
        GoingSlot("object that comes and goes", come_and_go, is_there),
        Slot("tags of an object", tag, absent_is_gone(tagged)),
        Slot("tags of a bucket", tag_bucket, absent_is_gone(bucket_tag)),
        Slot("object of a versioned bucket", versioned, absent_is_gone(version)),
    ]


class GoingSlot(Slot):
    """An odd number takes the thing away."""

    def put(self, number: int) -> None:
        self.possible.add(GONE if number % 2 else number)
        self.write(number)
        self.acknowledged = GONE if number % 2 else number
        self.possible.clear()


def several_objects(world: Any) -> list[Slot]:
    """Three objects that are put one by one, and deleted in one call."""
    s3, keys = world.client("s3"), [f"together/&<{n}>" for n in range(3)]

    def write(number: int) -> None:
        if number % 2:
            named = [{"Key": key} for key in keys]
            s3.delete_objects(Bucket=world.bucket, Delete={"Objects": named})
            return
        for key in keys:
            s3.put_object(Bucket=world.bucket, Key=key, Body=body_of(number, 300))

    def read(key: str) -> int:
        return number_of(s3.get_object(Bucket=world.bucket, Key=key)["Body"].read())

    return [GoingSlot("objects deleted together", write, absent_is_gone(partial(read, key))) for key in keys[:1]]


def multipart(world: Any) -> list[Slot]:
    s3, bucket = world.client("s3"), world.bucket

    def write(number: int) -> None:
        whole = body_of(number, 5_500_000)
        place = {"Bucket": bucket, "Key": "multipart"}
        upload = s3.create_multipart_upload(**place)["UploadId"]
        parts = []
        for position, piece in enumerate((whole[:5_242_880], whole[5_242_880:]), 1):
            etag = s3.upload_part(**place, UploadId=upload, PartNumber=position, Body=piece)["ETag"]
            parts.append({"PartNumber": position, "ETag": etag})
        s3.complete_multipart_upload(**place, UploadId=upload, MultipartUpload={"Parts": parts})

    def read() -> int:
        return number_of(s3.get_object(Bucket=bucket, Key="multipart")["Body"].read())

    def begin(number: int) -> None:
        """A multipart upload that stays open, with one part: its number in the part's size."""
        if not world.open_upload:
            world.open_upload = s3.create_multipart_upload(Bucket=bucket, Key="open")["UploadId"]
        body = b"x" * (1 + number % 50_000)
        s3.upload_part(Bucket=bucket, Key="open", UploadId=world.open_upload, PartNumber=1, Body=body)

    def part() -> int:
        if not world.open_upload:
            return GONE
        parts = s3.list_parts(Bucket=bucket, Key="open", UploadId=world.open_upload).get("Parts", [])
        return parts[0]["Size"] - 1 if parts else GONE

    return [Slot("multipart object", write, absent_is_gone(read)), ModuloSlot("part of an open upload", begin, part)]


class ModuloSlot(Slot):
    """Keeps the number modulo 50,000."""

    def put(self, number: int) -> None:
        super().put(number % 50_000)
