"""ListObjects and ListObjectsV2, written directly: moto's own take half a second for a thousand keys."""

from __future__ import annotations

import base64
import bisect
from typing import Any
from urllib.parse import parse_qs, quote
from xml.sax.saxutils import escape

from helpers.offline.kernel import Answer, AwsError, Call

OWNER = "75aa57f09aa0c8caeab4f8c24e99d10f8e7faeebf76c078efc7c6caea54ba06a"
_NAMESPACE = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'


def list_objects(call: Call) -> Answer:
    """Blocks for some milliseconds per thousand keys."""
    from moto.s3.models import s3_backends

    query = {name: values[0] for name, values in parse_qs(call.query, keep_blank_values=True).items()}
    is_v2 = call.operation == "ListObjectsV2"
    bucket_name = call.path_parameters["Bucket"]
    bucket = s3_backends[call.account_id]["aws"].buckets.get(bucket_name)
    if bucket is None:
        raise AwsError("NoSuchBucket", "The specified bucket does not exist", 404, BucketName=bucket_name)
    prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
    longest = _max_keys(query.get("max-keys", "1000"))
    after = _after(query, is_v2)
    entries, is_truncated = _page(bucket.keys, prefix, delimiter, after, longest)

    def encoded(text: str) -> str:
        return quote(text) if query.get("encoding-type") == "url" else escape(text)

    parts = [f"<Name>{escape(bucket_name)}</Name><Prefix>{encoded(prefix)}</Prefix><MaxKeys>{longest}</MaxKeys>"]
    parts.append(f"<IsTruncated>{'true' if is_truncated else 'false'}</IsTruncated>")
    if delimiter:
        parts.append(f"<Delimiter>{encoded(delimiter)}</Delimiter>")
    if "encoding-type" in query:
        parts.append(f"<EncodingType>{escape(query['encoding-type'])}</EncodingType>")
    last = entries[-1][0] if entries else ""
    if is_v2:
        parts.append(f"<KeyCount>{len(entries)}</KeyCount>")
        if "continuation-token" in query:
            parts.append(f"<ContinuationToken>{escape(query['continuation-token'])}</ContinuationToken>")
        if "start-after" in query:
            parts.append(f"<StartAfter>{encoded(query['start-after'])}</StartAfter>")
        if is_truncated:
            token = base64.urlsafe_b64encode(last.encode()).decode()
            parts.append(f"<NextContinuationToken>{token}</NextContinuationToken>")
    else:
        parts.append(f"<Marker>{encoded(query.get('marker', ''))}</Marker>")
        if is_truncated:
            parts.append(f"<NextMarker>{encoded(last)}</NextMarker>")
    with_owner = not is_v2 or query.get("fetch-owner") == "true"
    parts += [_contents(key, encoded(name), with_owner) for name, key in entries if key is not None]
    parts += [
        f"<CommonPrefixes><Prefix>{encoded(name)}</Prefix></CommonPrefixes>" for name, key in entries if key is None
    ]
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult {_NAMESPACE}>{"".join(parts)}</ListBucketResult>'
    return Answer(200, {"content-type": "application/xml", "x-amz-bucket-region": bucket.region_name}, body.encode())


def _page(keys: Any, prefix: str, delimiter: str, after: str, longest: int) -> tuple[list[tuple[str, Any]], bool]:
    """(name, key) in order; a common prefix comes as (prefix, None). And whether there is more."""
    names = sorted(name for name in list(dict.keys(keys)) if name.startswith(prefix))
    position = bisect.bisect_right(names, after) if after else 0
    entries: list[tuple[str, Any]] = []
    while position < len(names):
        name = names[position]
        cut = name.find(delimiter, len(prefix)) if delimiter else -1
        if cut >= 0:
            common = name[: cut + len(delimiter)]
            position = bisect.bisect_left(names, common + "\U0010ffff", position)
            if after and common <= after:
                continue
            entry = (common, None)
        else:
            position += 1
            key = keys.get(name)
            if key is None or not hasattr(key, "contentsize"):  # a delete marker
                continue
            entry = (name, key)
        if len(entries) == longest:
            return entries, longest > 0
        entries.append(entry)
    return entries, False


def _contents(key: Any, name: str, with_owner: bool) -> str:
    owner = f"<Owner><ID>{OWNER}</ID><DisplayName>workshop</DisplayName></Owner>" if with_owner else ""
    algorithm = f"<ChecksumAlgorithm>{key.checksum_algorithm}</ChecksumAlgorithm>" if key.checksum_algorithm else ""
    return (
        f"<Contents><Key>{name}</Key><LastModified>{key.last_modified_ISO8601}</LastModified>"
        f"<ETag>{escape(key.etag)}</ETag>{algorithm}<Size>{key.contentsize}</Size>{owner}"
        f"<StorageClass>{key.storage_class}</StorageClass></Contents>"
    )


def _max_keys(text: str) -> int:
    if not text.isdigit():
        raise AwsError("InvalidArgument", "Provided max-keys not an integer or within integer range", 400)
    return min(int(text), 1000)


def _after(query: dict[str, str], is_v2: bool) -> str:
    if not is_v2:
        return query.get("marker", "")
    if "continuation-token" in query:
        try:
            return base64.urlsafe_b64decode(query["continuation-token"]).decode()
        except ValueError:
            raise AwsError("InvalidArgument", "The continuation token provided is incorrect", 400) from None
    return query.get("start-after", "")
