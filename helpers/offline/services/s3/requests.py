"""What S3 refuses before anything is kept: names of buckets, policies, parts out of order, torn bytes."""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import parse_qs, unquote
from xml.parsers.expat import ExpatError

import xmltodict

from helpers.offline import uploads
from helpers.offline.kernel import AwsError, Call

# https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
BUCKET_NAME = re.compile(r"(?!xn--|sthree-)(?!\d+\.\d+\.\d+\.\d+$)[a-z0-9][a-z0-9-]*(\.[a-z0-9][a-z0-9-]*)*")
PART_NUMBER = re.compile(rb"<PartNumber>\s*(\d+)\s*</PartNumber>")
KEY_LIMIT_BYTES = 1024
VERSION_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")  # as they are offline
DELETE_LIMIT = 1000  # https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html


def check_bucket_name(name: str) -> None:
    if not 3 <= len(name) <= 63 or BUCKET_NAME.fullmatch(name) is None or name.endswith(("-", "-s3alias")):
        raise AwsError("InvalidBucketName", "The specified bucket is not valid.", BucketName=name)


def check_key(key: str) -> None:
    size = len(key.encode())
    if size > KEY_LIMIT_BYTES:
        raise AwsError("KeyTooLongError", "Your key is too long", Size=size, MaxSizeAllowed=KEY_LIMIT_BYTES)


def check_policy(text: bytes, bucket: str) -> None:
    """Raises AwsError MalformedPolicy."""
    try:
        policy = json.loads(text) if text.startswith(b"{") else None
    except ValueError:
        policy = None
    if not isinstance(policy, dict):
        raise malformed("Policies must be valid JSON and the first byte must be '{'")
    statements = policy.get("Statement")
    if not statements:
        raise malformed("Missing required field Statement")
    for statement in statements if isinstance(statements, list) else [statements]:
        if not isinstance(statement, dict):
            raise malformed("Invalid policy syntax.")
        for one, other in (("Effect", "Effect"), ("Principal", "NotPrincipal"), ("Action", "NotAction")):
            if one not in statement and other not in statement:
                raise malformed(f"Missing required field {one}")
        if statement["Effect"] not in ("Allow", "Deny"):
            raise malformed(f"Invalid effect : {statement['Effect']}")
        for action in _listed(statement.get("Action", statement.get("NotAction"))):
            if action != "*" and not str(action).lower().startswith("s3:"):
                raise malformed("Policy has invalid action")
        resources = _listed(statement.get("Resource", statement.get("NotResource")))
        if not resources:
            raise malformed("Missing required field Resource")
        ours = f"arn:aws:s3:::{bucket}"
        if not all(resource in (ours, "*") or str(resource).startswith(f"{ours}/") for resource in resources):
            raise malformed("Policy has invalid resource")


def check_order(document: bytes) -> None:
    """Parts of an upload are completed in ascending order."""
    numbers = [int(number) for number in PART_NUMBER.findall(document)]
    if any(later <= earlier for earlier, later in itertools.pairwise(numbers)):
        raise AwsError(
            "InvalidPartOrder",
            "The list of parts was not in ascending order. Parts must be ordered by part number.",
        )


def objects_to_delete(document: bytes) -> list[tuple[str, str | None]]:
    """(key, version id) of the body of DeleteObjects, read as moto reads it. Raises AwsError MalformedXML."""
    try:
        objects = xmltodict.parse(document, strip_whitespace=False)["Delete"]["Object"]
        found = [(one["Key"], one.get("VersionId")) for one in (objects if isinstance(objects, list) else [objects])]
    except (ExpatError, ValueError, KeyError, TypeError, AttributeError):
        found = []
    if not 1 <= len(found) <= DELETE_LIMIT or not all(isinstance(key, str) for key, _ in found):
        raise AwsError(
            "MalformedXML",
            "The XML you provided was not well-formed or did not validate against our published schema",
        )
    return found


def check_upload_exists(call: Call) -> None:
    from moto.s3.models import s3_backends

    bucket = s3_backends[call.account_id]["aws"].buckets.get(call.path_parameters["Bucket"])
    upload_id = parse_qs(call.query).get("uploadId", [""])[0]
    if bucket is not None and upload_id not in bucket.multiparts:
        raise AwsError(
            "NoSuchUpload",
            "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted "
            "or completed.",
            404,
            UploadId=upload_id,
        )


def check_version(call: Call) -> None:
    """The version that a call names: a delete marker is no object, and what S3 never gave out is no version."""
    wanted = parse_qs(call.query).get("versionId", [""])[0]
    if not wanted:
        return
    if wanted != "null" and VERSION_ID.fullmatch(wanted) is None:
        raise AwsError(
            "InvalidArgument",
            "Invalid version id specified",
            400,
            ArgumentName="versionId",
            ArgumentValue=wanted,
        )
    held = [key for key in _versions(call, call.path_parameters) if str(key.version_id) == wanted]
    if held and not hasattr(held[0], "contentsize") and call.operation == "GetObject":
        raise AwsError(
            "MethodNotAllowed",
            "The specified method is not allowed against this resource.",
            405,
            Method=call.method,
            ResourceType="DeleteMarker",
        )


def check_copy(call: Call) -> None:
    """The conditions on the source of a copy. Raises AwsError PreconditionFailed."""
    path, _, query = call.headers.get("x-amz-copy-source", "").lstrip("/").partition("?")
    bucket, _, key = unquote(path).partition("/")
    versions = _versions(call, {"Bucket": bucket, "Key": key})
    wanted = parse_qs(query).get("versionId", [""])[0]
    held = [one for one in versions if not wanted or str(one.version_id) == wanted]
    if not held or not hasattr(held[-1], "contentsize"):
        return  # which is refused as missing
    etag = held[-1].etag.strip('"')
    changed = held[-1].last_modified.replace(microsecond=0, tzinfo=UTC)
    match, none_match = (call.headers.get(f"x-amz-copy-source-if-{name}") for name in ("match", "none-match"))
    since, unmodified = (_moment(call, name) for name in ("modified-since", "unmodified-since"))
    failed = ""
    if match is not None:
        failed = "" if match.strip('"') in (etag, "*") else "x-amz-copy-source-If-Match"
    elif unmodified is not None and changed > unmodified:
        failed = "x-amz-copy-source-If-Unmodified-Since"
    if none_match is not None and none_match.strip('"') in (etag, "*"):
        failed = failed or "x-amz-copy-source-If-None-Match"
    elif none_match is None and since is not None and changed <= since:
        failed = failed or "x-amz-copy-source-If-Modified-Since"
    if failed:
        text = "At least one of the pre-conditions you specified did not hold"
        raise AwsError("PreconditionFailed", text, 412, Condition=failed)


def _moment(call: Call, name: str) -> datetime | None:
    text = call.headers.get(f"x-amz-copy-source-if-{name}")
    try:
        return parsedate_to_datetime(text).astimezone(UTC) if text else None
    except ValueError:
        return None


def _versions(call: Call, place: Mapping[str, str]) -> list[Any]:
    from moto.s3.models import s3_backends

    bucket = s3_backends[call.account_id]["aws"].buckets.get(place.get("Bucket", ""))
    return list(bucket.keys.getlist(place.get("Key", ""), [])) if bucket is not None else []


def check_bytes(call: Call) -> None:
    """A body that came as a whole, against what its headers say; one in a file was checked while it arrived."""
    headers = call.headers
    uploads.check_algorithms(headers)
    given = [name for name in uploads.CHECKSUMS if f"x-amz-checksum-{name}" in headers]
    if call.upload is None:
        uploads.compare_md5(headers, hashlib.md5(call.body, usedforsecurity=False).digest())
        for name in given:
            said = headers[f"x-amz-checksum-{name}"]
            uploads.compare_checksum(name, said, uploads.digest(name, call.body))
    if given and "x-amz-sdk-checksum-algorithm" not in headers:  # else moto would not keep it
        call.headers = {**headers, "x-amz-sdk-checksum-algorithm": given[0].upper()}


def compute_checksum(body: bytes, algorithm: str, encode_base64: bool = True) -> bytes:
    """In the place of moto's, which takes CRC-32 for what it does not know."""
    digest = uploads.digest(algorithm.lower(), body)
    return base64.b64encode(digest) if encode_base64 else digest


def malformed(message: str) -> AwsError:
    return AwsError("MalformedPolicy", message)


def _listed(value: object) -> list[object]:
    return value if isinstance(value, list) else [] if value is None else [value]
