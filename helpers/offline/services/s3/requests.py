"""What S3 refuses before anything is kept: names of buckets, policies, parts out of order, torn bytes."""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import re
from urllib.parse import parse_qs

from helpers.offline import uploads
from helpers.offline.kernel import AwsError, Call

# https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
BUCKET_NAME = re.compile(r"(?!xn--|sthree-)(?!\d+\.\d+\.\d+\.\d+$)[a-z0-9][a-z0-9-]*(\.[a-z0-9][a-z0-9-]*)*")
PART_NUMBER = re.compile(rb"<PartNumber>\s*(\d+)\s*</PartNumber>")
KEY_LIMIT_BYTES = 1024


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
