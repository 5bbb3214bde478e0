"""Large bodies for S3: written to a file while they arrive, and checked against what was promised for them."""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import functools
import hashlib
import hmac
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from concurrent.futures import Executor
from pathlib import Path
from typing import Any, BinaryIO

from helpers.offline import crc
from helpers.offline.kernel import AwsError, Upload
from helpers.offline.signature import BadSignature, ChunkDecoder

Receive = Callable[[], Awaitable[dict[str, Any]]]

DIRECTORY = "uploads"  # in the workspace; what is found there at a start was torn
STREAMED_FROM_BYTES = 1024 * 1024
PIECE_BYTES = 1024 * 1024
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/upload-objects.html
LIMIT_BYTES = 5 * 1024**3
# The largest body of any other call: a Lambda package of 50 MB as base64 in JSON, with room to spare.
OTHER_LIMIT_BYTES = 80 * 1024**2


class ClientGone(Exception):
    """The connection ended before the body did: there is nobody to answer, and nothing may be kept."""


class TooLarge(Exception):
    """The body is larger than any call's may be."""


def is_large(headers: Mapping[str, str]) -> bool:
    """Whether the body is better read once it is clear who sends it."""
    length = headers.get("content-length", "")
    return "transfer-encoding" in headers or (length.isdecimal() and int(length) >= STREAMED_FROM_BYTES)


async def read_body(receive: Receive, headers: Mapping[str, str]) -> bytes:
    """The whole body. Raises ClientGone, TooLarge."""
    length = headers.get("content-length", "")
    if len(length) > 7 and int(length) > OTHER_LIMIT_BYTES:
        raise TooLarge
    message = await receive()
    if message["type"] == "http.request" and not message.get("more_body"):
        return message.get("body", b"")
    chunks, size = [], 0
    async for chunk in pieces(receive, message):
        size += len(chunk)
        if size > OTHER_LIMIT_BYTES:
            raise TooLarge
        chunks.append(chunk)
    return b"".join(chunks)


async def pieces(receive: Receive, message: dict[str, Any] | None = None) -> AsyncIterator[bytes]:
    """The body as it arrives, at least one piece; `message` came already. Raises ClientGone."""
    while True:
        message = message or await receive()
        if message["type"] != "http.request":
            raise ClientGone
        yield message.get("body", b"")
        if not message.get("more_body"):
            return
        message = None


async def store(
    receive: Receive,
    headers: Mapping[str, str],
    directory: Path,
    executor: Executor,
    *,
    chunks: ChunkDecoder | None,
    promised_sha256: str | None,
) -> tuple[Upload, dict[str, str]]:
    """The upload in a file of its own in `directory`, and the trailing headers of a chunked one.

    Raises ClientGone, OSError, BadSignature, and AwsError in S3's words where the bytes are not what was promised;
    no file is left then.
    """
    if (length := headers.get("content-length", "")).isdecimal() and int(length) > LIMIT_BYTES:
        raise _too_large(int(length))
    writer = Writer(directory, headers, chunks, promised_sha256)
    run = asyncio.get_running_loop().run_in_executor
    try:
        waiting: list[bytes] = []
        size = 0
        async for piece in pieces(receive):
            waiting.append(piece)
            size += len(piece)
            if size >= PIECE_BYTES:
                await run(executor, writer.write, waiting)
                waiting, size = [], 0
        return await run(executor, writer.finish, waiting)
    except BaseException:
        writer.give_up()
        raise


class Writer:
    """Takes the pieces of one body in order; blocks on the disk."""

    def __init__(
        self, directory: Path, headers: Mapping[str, str], chunks: ChunkDecoder | None, promised_sha256: str | None
    ) -> None:
        self.headers = headers
        self.chunks = chunks
        self.promised_sha256 = promised_sha256
        self.path = directory / uuid.uuid4().hex
        self.size = 0
        self._file: BinaryIO | None = None
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._sha256 = hashlib.sha256() if promised_sha256 is not None else None
        self._checksums = {name: CHECKSUMS[name]() for name in algorithms(headers) & CHECKSUMS.keys()}

    def write(self, arrived: list[bytes]) -> None:
        """Raises OSError, BadSignature, AwsError EntityTooLarge."""
        if self._file is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self.path.open("xb", buffering=0)
        hashes = [self._md5, *self._checksums.values(), *([self._sha256] if self._sha256 else [])]
        for piece in arrived:
            for data in (piece,) if self.chunks is None else self.chunks.feed(piece):
                self.size += len(data)
                if self.size > LIMIT_BYTES:
                    raise _too_large(self.size)
                for one in hashes:
                    one.update(data)
                _write_all(self._file, data)

    def finish(self, arrived: list[bytes]) -> tuple[Upload, dict[str, str]]:
        self.write(arrived)
        assert self._file is not None
        self._file.close()
        trailer = self.chunks.finish() if self.chunks is not None else {}
        self._compare(trailer)
        digests = {f"x-amz-checksum-{name}": _base64(one.digest()) for name, one in self._checksums.items()}
        return Upload(self.path, self.size, self._md5.hexdigest()), trailer | digests

    def give_up(self) -> None:
        if self._file is not None:
            self._file.close()
        with contextlib.suppress(OSError):
            self.path.unlink(missing_ok=True)

    def _compare(self, trailer: dict[str, str]) -> None:
        if self._sha256 is not None and self._sha256.hexdigest() != self.promised_sha256:
            raise BadSignature("payload")
        said = self.headers.get("x-amz-decoded-content-length", "")
        if said.isdecimal() and int(said) != self.size:
            raise AwsError(
                "IncompleteBody", "You did not provide the number of bytes specified by the Content-Length HTTP header"
            )
        compare_md5(self.headers, self._md5.digest())
        for name, one in self._checksums.items():
            said = trailer.get(f"x-amz-checksum-{name}") or self.headers.get(f"x-amz-checksum-{name}")
            if said is not None:
                compare_checksum(name, said, one.digest())


# https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html
CHECKSUMS: dict[str, Callable[[], Any]] = {
    "crc32": crc.Crc32,
    "crc32c": crc.Crc32c,
    "crc64nvme": crc.Crc64Nvme,
    "sha1": hashlib.sha1,
    "sha256": hashlib.sha256,
    "sha512": hashlib.sha512,
    "md5": functools.partial(hashlib.md5, usedforsecurity=False),
}
_NOT_HERE = ("xxhash64", "xxhash3", "xxhash128")


def digest(algorithm: str, body: bytes) -> bytes:
    """`algorithm` is one of CHECKSUMS."""
    one = CHECKSUMS[algorithm]()
    one.update(body)
    return one.digest()


def compare_md5(headers: Mapping[str, str], received: bytes) -> None:
    """Raises AwsError InvalidDigest, BadDigest."""
    said = headers.get("content-md5")
    if said is None:
        return
    if (given := _decoded(said, len(received))) is None:
        raise AwsError("InvalidDigest", "The Content-MD5 you specified was invalid.")
    if not hmac.compare_digest(given, received):
        raise AwsError("BadDigest", "The Content-MD5 you specified did not match what we received.")


def compare_checksum(algorithm: str, said: str, received: bytes) -> None:
    """Raises AwsError InvalidRequest, BadDigest."""
    if (given := _decoded(said, len(received))) is None:
        raise AwsError("InvalidRequest", f"Value for x-amz-checksum-{algorithm} header is invalid.")
    if not hmac.compare_digest(given, received):
        raise AwsError("BadDigest", f"The {algorithm.upper()} you specified did not match the calculated checksum.")


def check_algorithms(headers: Mapping[str, str]) -> None:
    """Raises AwsError where the request names a checksum that is none, or none that is known here."""
    for name in algorithms(headers) - CHECKSUMS.keys():
        if name in _NOT_HERE:
            raise AwsError("NotImplemented", f"The offline AWS's S3 does not compute {name.upper()} checksums.", 501)
        raise AwsError(
            "InvalidRequest",
            "Checksum algorithm provided is unsupported. Please try again with any of the valid types: "
            "[CRC32, CRC32C, CRC64NVME, MD5, SHA1, SHA256, SHA512, XXHASH128, XXHASH3, XXHASH64]",
        )


def algorithms(headers: Mapping[str, str]) -> set[str]:
    """Of the checksums that the request gives, announces for its trailer, or asks for; in lower case."""
    said = {*headers, *(name.strip().lower() for name in headers.get("x-amz-trailer", "").split(","))}
    named = {name.removeprefix("x-amz-checksum-") for name in said if name.startswith("x-amz-checksum-")}
    asked = [headers.get(f"x-amz-{whose}checksum-algorithm", "").lower() for whose in ("sdk-", "")]
    return (named - {"type", "mode", "algorithm"}) | {name for name in asked if name}


def _write_all(file: BinaryIO, data: bytes) -> None:
    """A full disk first takes a part, and refuses only the rest."""
    left = memoryview(data)
    while left:
        left = left[file.write(left) :]


def _decoded(said: str, size: int) -> bytes | None:
    """None where it is not so many bytes as base64."""
    try:
        given = base64.b64decode(said, validate=True)
    except binascii.Error:
        return None
    return given if len(given) == size else None


def _base64(digest: bytes) -> str:
    return base64.b64encode(digest).decode()


def _too_large(size_bytes: int) -> AwsError:
    return AwsError(
        "EntityTooLarge",
        "Your proposed upload exceeds the maximum allowed size",
        ProposedSize=size_bytes,
        MaxSizeAllowed=LIMIT_BYTES,
    )
