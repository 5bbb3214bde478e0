"""Signature Version 4, verified: header form and presigned URLs, signed and unsigned payloads, chunked uploads.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html and, for chunks,
https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html
"""

from __future__ import annotations

import calendar
import hashlib
import hmac
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal
from urllib.parse import parse_qsl, quote, unquote

ALGORITHM = "AWS4-HMAC-SHA256"
EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()
UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"
WINDOW_S = 15 * 60
LONGEST_PRESIGNED_S = 7 * 24 * 3600
NEED_NO_SIGNATURE = ("x-amz-content-sha256",)  # it is in the signature by itself
LONGEST_LINE_BYTES = 16 * 1024  # of a chunked body: a chunk's size and signature, or all trailing headers


@dataclass(slots=True)
class Signed:
    """What a request says about its own signature. `timestamp` is AWS's form, 20261124T020304Z."""

    access_key_id: str
    date: str
    region: str
    service: str
    signed_headers: tuple[str, ...]
    signature: str
    timestamp: str
    session_token: str | None = None
    expires_s: int | None = None  # of a presigned URL

    @property
    def scope(self) -> str:
        return f"{self.date}/{self.region}/{self.service}/aws4_request"


class BadSignature(Exception):
    """`kind` is one of: missing, incomplete, unsigned, mismatch, skewed, expired, payload, trailer."""

    def __init__(self, kind: str, detail: str = "") -> None:
        super().__init__(f"{kind}: {detail}")
        self.kind = kind
        self.detail = detail


def parse(headers: Mapping[str, str], query: str) -> Signed:
    """Raises BadSignature missing or incomplete."""
    authorization = headers.get("authorization")
    if authorization is not None:
        return _parse_header(authorization, headers)
    if "X-Amz-Signature=" in query:
        return _parse_presigned(query)
    raise BadSignature("missing")


def _parse_header(authorization: str, headers: Mapping[str, str]) -> Signed:
    stated, _, last = authorization.rpartition(",")
    name, _, said = last.strip().partition("=")
    if name != "Signature":  # where SDKs have it, so that what comes before is the same for many requests
        stated, said = authorization, ""
    credential, names, among = _stated(stated)
    timestamp = headers.get("x-amz-date", "")
    if bool(said) is bool(among) or not timestamp:
        raise BadSignature("incomplete", authorization)
    return Signed(
        *credential,
        signed_headers=names,
        signature=said or among,
        timestamp=timestamp,
        session_token=headers.get("x-amz-security-token"),
    )


@lru_cache(1024)
def _stated(authorization: str) -> tuple[list[str], tuple[str, ...], str]:
    """Key, date, region and service; the names of the signed headers; the signature if it is among the parts."""
    algorithm, _, rest = authorization.partition(" ")
    parts = [part.strip().partition("=")[::2] for part in rest.split(",")]
    fields = dict(parts)
    credential = fields.get("Credential", "").split("/")
    names = fields.get("SignedHeaders", "")
    # Of what is said twice, who reads the first and who reads the last would disagree.
    if len(fields) < len(parts) or algorithm != ALGORITHM or len(credential) != 5 or not names:
        raise BadSignature("incomplete", authorization)
    return credential[:4], tuple(names.split(";")), fields.get("Signature", "")


def _parse_presigned(query: str) -> Signed:
    parts = parse_qsl(query)
    fields = dict(parts)
    if len([name for name, _ in parts if name.startswith("X-Amz-")]) > len(
        {name for name in fields if name.startswith("X-Amz-")}
    ):
        raise BadSignature("incomplete", query)
    credential = fields.get("X-Amz-Credential", "").split("/")
    expires = fields.get("X-Amz-Expires", "")
    if len(credential) != 5 or not re.fullmatch("[0-9]{1,7}", expires) or int(expires) > LONGEST_PRESIGNED_S:
        raise BadSignature("incomplete", query)
    if "X-Amz-Signature" not in fields:
        raise BadSignature("incomplete", query)
    return Signed(
        *credential[:4],
        signed_headers=tuple(fields.get("X-Amz-SignedHeaders", "").split(";")),
        signature=fields["X-Amz-Signature"],
        timestamp=fields.get("X-Amz-Date", ""),
        session_token=fields.get("X-Amz-Security-Token"),
        expires_s=int(expires),
    )


class Verification:
    """What a request's head says about its signature, so that little is left to do once its body is there.

    Raises BadSignature mismatch, unsigned, skewed or expired. `raw_path` is percent-encoded as it arrived.
    """

    def __init__(
        self, signed: Signed, secret: str, method: str, raw_path: str, query: str, headers: Mapping[str, str]
    ) -> None:
        _check_time(signed)
        names = signed.signed_headers
        if signed.date != signed.timestamp[:8]:
            raise BadSignature("mismatch")
        if not headers.keys() >= set(names) or "host" not in names:
            raise BadSignature("mismatch")
        unsigned = [name for name in headers if name.startswith("x-amz-") and name not in names]
        if any(name not in NEED_NO_SIGNATURE for name in unsigned):  # else a presigned URL could be turned to more
            raise BadSignature("unsigned", ", ".join(unsigned))
        path = raw_path if signed.service == "s3" else quote(_normalized(raw_path), safe="/~")
        canonical_headers = "".join([f"{name}:{' '.join(headers[name].split())}\n" for name in names])
        end = f"{canonical_headers}\n{';'.join(names)}\n"
        self._begun = [
            hashlib.sha256(f"{method}\n{path}\n{canonical_query}\n{end}".encode())
            for canonical_query in _canonical_queries(query)
        ]
        self._text = f"{ALGORITHM}\n{signed.timestamp}\n{signed.scope}\n"
        self._key = signing_key(secret, signed.date, signed.region, signed.service)
        self._signed = signed
        self._headers = headers

    def of(self, body: bytes | None) -> None:
        """Raises BadSignature mismatch or payload, incomplete where nothing is said about a body that is None.

        `body` is None where it has not arrived yet: then the hash that is promised for it is verified, not the body.
        """
        payload_hash = _payload_hash(self._signed, self._headers, body).encode()
        said = self._signed.signature.encode()
        for begun in self._begun:
            begun.update(payload_hash)
            if hmac.compare_digest(_sign(self._key, self._text + begun.hexdigest()).hex().encode(), said):
                return
        raise BadSignature("mismatch")


def _sign(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")


@lru_cache(4096)
def signing_key(secret: str, date: str, region: str, service: str) -> bytes:
    return _sign(_sign(_sign(_sign(b"AWS4" + secret.encode(), date), region), service), "aws4_request")


@lru_cache(256)
def epoch_s(timestamp: str) -> float:
    """Raises BadSignature incomplete."""
    try:
        return float(calendar.timegm(time.strptime(timestamp, "%Y%m%dT%H%M%SZ")))
    except ValueError:
        raise BadSignature("incomplete", timestamp) from None


def _check_time(signed: Signed) -> None:
    age = time.time() - epoch_s(signed.timestamp)
    if signed.expires_s is not None:
        if age > signed.expires_s:
            raise BadSignature("expired")
        if age < -WINDOW_S:
            raise BadSignature("skewed")
    elif abs(age) > WINDOW_S:
        raise BadSignature("skewed", signed.timestamp)


def promised_sha256(headers: Mapping[str, str]) -> str | None:
    """The hash that the body must have; None where no hash of the whole body is signed."""
    said = headers.get("x-amz-content-sha256")
    return None if said is None or said == UNSIGNED_PAYLOAD or said.startswith("STREAMING-") else said


def _payload_hash(signed: Signed, headers: Mapping[str, str], body: bytes | None) -> str:
    said = headers.get("x-amz-content-sha256")
    if said is None:
        if signed.expires_s is not None and signed.service == "s3":
            return UNSIGNED_PAYLOAD
        if body is None:
            raise BadSignature("incomplete", "x-amz-content-sha256 is missing")
        return hashlib.sha256(body).hexdigest()
    promised = promised_sha256(headers)
    if body is not None and promised is not None and promised != hashlib.sha256(body).hexdigest():
        raise BadSignature("payload")
    return said


def _canonical_queries(query: str) -> list[str]:
    """As it arrived, which is how botocore signs, and with every part encoded anew, as the specification says."""
    if not query:
        return [""]
    pairs = [part.partition("=")[::2] for part in query.split("&") if part]
    pairs = [(name, value) for name, value in pairs if name != "X-Amz-Signature"]
    raw = "&".join(f"{name}={value}" for name, value in sorted(pairs))
    encoded = [(quote(unquote(name), safe="-_.~"), quote(unquote(value), safe="-_.~")) for name, value in pairs]
    strict = "&".join(f"{name}={value}" for name, value in sorted(encoded))
    return [raw] if raw == strict else [raw, strict]


def _normalized(path: str) -> str:
    """Without dot segments and doubled slashes, as all services but S3 sign it."""
    if "//" not in path and "/." not in path:
        return path or "/"
    kept: list[str] = []
    for part in path.split("/"):
        if part == "..":
            if kept:
                kept.pop()
        elif part and part != ".":
            kept.append(part)
    ending = "/" if path.endswith("/") and kept else ""
    return "/" + "/".join(kept) + ending


# --- Chunked uploads --------------------------------------------------------------------------------------------------


def is_chunked(headers: Mapping[str, str]) -> bool:
    return headers.get("x-amz-content-sha256", "").startswith("STREAMING-")


class ChunkDecoder:
    """The uploaded bytes out of a chunked body that arrives in pieces; each signed chunk is verified as it ends.

    What `feed` gives is to be trusted only once `finish` has returned. Both raise BadSignature mismatch or incomplete,
    `finish` also trailer, where a header that was announced for it did not come.
    """

    def __init__(self, signed: Signed, secret: str, headers: Mapping[str, str]) -> None:
        self.signed = signed
        self._is_signed = headers["x-amz-content-sha256"].startswith("STREAMING-AWS4-HMAC-SHA256-PAYLOAD")
        self._key = signing_key(secret, signed.date, signed.region, signed.service)
        self._previous = signed.signature
        self._announced = {name.strip().lower() for name in headers.get("x-amz-trailer", "").split(",")} - {""}
        self._rest = b""
        self._left = 0  # bytes of the current chunk that are still to come
        self._hash = hashlib.sha256()
        self._said = ""
        self._state: Literal["size", "data", "end", "trailer"] = "size"

    def feed(self, piece: bytes) -> Iterator[bytes]:
        data, position = (self._rest + piece if self._rest else piece), 0
        while position < len(data):
            if self._state == "data":
                part = data[position : position + self._left]
                position += len(part)
                self._left -= len(part)
                if self._is_signed:
                    self._hash.update(part)
                if not self._left:
                    self._end_chunk("end")
                yield part
            elif self._state == "end":
                if len(data) - position < 2:
                    break
                if data[position : position + 2] != b"\r\n":
                    raise BadSignature("incomplete", "a chunk does not end where it said")
                position += 2
                self._state = "size"
            elif self._state == "size":
                line_end = data.find(b"\r\n", position)
                if line_end < 0:
                    break
                self._begin_chunk(data[position:line_end])
                position = line_end + 2
            else:
                break
        self._rest = data[position:]
        if len(self._rest) > LONGEST_LINE_BYTES:
            raise BadSignature("incomplete", "a line of the chunked body is too long")

    def finish(self) -> dict[str, str]:
        """The trailing headers."""
        if self._state != "trailer":
            raise BadSignature("incomplete", "the chunked body ends early")
        trailer = _trailer(self._rest)
        said = trailer.pop("x-amz-trailer-signature", None)
        if self._is_signed and (said is not None or trailer):
            text = "".join(f"{name}:{value}\n" for name, value in trailer.items())
            hashes = [hashlib.sha256(text.encode()).hexdigest()]
            _compare(self.signed, self._key, "AWS4-HMAC-SHA256-TRAILER", self._previous, hashes, said or "")
        if not self._announced <= trailer.keys():
            raise BadSignature("trailer")
        return trailer

    def _begin_chunk(self, line: bytes) -> None:
        size, _, extension = line.partition(b";")
        if not re.fullmatch(rb"[0-9a-fA-F]{1,16}", size):
            raise BadSignature("incomplete", "a chunk has no size")
        self._left = int(size, 16)
        self._said = extension.partition(b"chunk-signature=")[2].decode("latin-1")
        self._hash = hashlib.sha256()
        self._state = "data"
        if not self._left:
            self._end_chunk("trailer")

    def _end_chunk(self, state: Literal["end", "trailer"]) -> None:
        if self._is_signed:
            hashes = [EMPTY_SHA256, self._hash.hexdigest()]
            _compare(self.signed, self._key, "AWS4-HMAC-SHA256-PAYLOAD", self._previous, hashes, self._said)
            self._previous = self._said
        self._state = state


def _compare(signed: Signed, key: bytes, kind: str, previous: str, hashes: list[str], said: str) -> None:
    text = "\n".join([kind, signed.timestamp, signed.scope, previous, *hashes])
    if not hmac.compare_digest(_sign(key, text).hex().encode(), said.encode()):
        raise BadSignature("mismatch")


def _trailer(rest: bytes) -> dict[str, str]:
    lines = [line for line in rest.decode("latin-1").replace("\r\n", "\n").split("\n") if ":" in line]
    return {name.strip().lower(): value.strip() for name, value in (line.split(":", 1) for line in lines)}
