"""GetObject of large objects: sent from their file, whole or in ranges, without being read into memory."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from helpers.offline import fallthrough
from helpers.offline.kernel import Answer, Call

LARGE_BYTES = 1024 * 1024


def get_object(call: Call) -> Answer:
    """Blocks. Small objects, and whatever is unusual, are moto's."""
    key = _large_object(call)
    if key is None:
        return fallthrough.ask_moto(call)
    headers = {name: value for name, value in call.headers.items() if name not in ("range", "x-amz-checksum-mode")}
    answer = fallthrough.ask_moto(replace(call, method="HEAD", operation="HeadObject", headers=headers))
    if answer.status != 200 or _large_object(call) is not key:  # else the head may be of one that took its place
        return fallthrough.ask_moto(call)
    size = key.contentsize
    first, last = 0, size - 1
    asked = re.fullmatch(r"bytes=(\d+)-(\d*)", call.headers.get("range", ""))
    if asked:
        first, last = int(asked[1]), min(int(asked[2] or last), last)
        answer.status = 206
        answer.headers["content-range"] = f"bytes {first}-{last}/{size}"
    answer.headers["content-length"] = str(last - first + 1)
    answer.file = (key._value_buffer.path, key._value_buffer.offset + first, last - first + 1)
    return answer


def _large_object(call: Call) -> Any:
    from moto.s3.models import s3_backends

    if set(call.query.split("&")) - {"", "x-id=GetObject"}:
        return None
    bucket = s3_backends[call.account_id]["aws"].buckets.get(call.path_parameters.get("Bucket", ""))
    key = bucket.keys.get(call.path_parameters.get("Key", "")) if bucket is not None else None
    size = getattr(key, "contentsize", 0)
    if size < LARGE_BYTES:
        return None
    asked = call.headers.get("range")
    simple = asked is None or ((found := re.fullmatch(r"bytes=(\d+)-(\d*)", asked)) and int(found[1]) < size)
    if asked and simple and found[2] and int(found[2]) < int(found[1]):
        simple = False
    return key if simple else None
