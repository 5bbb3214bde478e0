"""Presigned S3 URLs of the old kind (AWSAccessKeyId, Signature, Expires), which boto3 still makes by default.

Only for URLs: signature version 2 in a header is refused, as S3 refuses it for new buckets.
"""

from __future__ import annotations

import hmac
import re
import time
from collections.abc import Mapping
from urllib.parse import parse_qsl, urlencode, urlsplit

from botocore.auth import HmacV1QueryAuth
from botocore.awsrequest import HTTPHeaders
from botocore.credentials import Credentials

from helpers.offline.signature import BadSignature, Signed

_NOT_SIGNED = {"AWSAccessKeyId", "Signature", "Expires"}


class _Signer(HmacV1QueryAuth):
    """botocore's, with the moment of expiry that was signed instead of one counted from now."""

    def _get_date(self) -> str:
        return str(self._expires)


def is_presigned(query: str) -> bool:
    return "AWSAccessKeyId=" in query and "Signature=" in query


def parse(query: str, region: str) -> Signed:
    """Raises BadSignature incomplete."""
    fields = dict(parse_qsl(query))
    complete = fields.keys() >= {"AWSAccessKeyId", "Signature"}
    if not (complete and re.fullmatch("[0-9]{1,12}", fields.get("Expires", ""))):
        raise BadSignature("incomplete", query)
    return Signed(
        fields["AWSAccessKeyId"],
        date="",
        region=region,
        service="s3",
        signed_headers=(),
        signature=fields["Signature"],
        timestamp="",
        session_token=fields.get("x-amz-security-token"),
        expires_s=int(fields["Expires"]),
    )


def verify(signed: Signed, secret: str, method: str, raw_path: str, query: str, headers: Mapping[str, str]) -> None:
    """Raises BadSignature mismatch or expired. `signed.expires_s` is a moment here: seconds since the epoch."""
    if time.time() > signed.expires_s:
        raise BadSignature("expired")
    canonical = HTTPHeaders()
    for name, value in headers.items():
        if name in ("content-type", "content-md5") or (name.startswith("x-amz-") and name != "x-amz-date"):
            canonical[name] = value
    kept = []
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name.lower().startswith("x-amz-"):
            canonical[name.lower()] = value
        elif name not in _NOT_SIGNED:
            kept.append((name, value))
    url = urlsplit(f"http://127.0.0.1{raw_path}?{urlencode(kept)}")
    signer = _Signer(Credentials(signed.access_key_id, secret), expires=signed.expires_s)
    expected = signer.get_signature(method, url, canonical, str(signed.expires_s))
    if not hmac.compare_digest(expected.encode(), signed.signature.encode()):
        raise BadSignature("mismatch")
