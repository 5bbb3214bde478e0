"""RPC v2 CBOR, the newest of CloudWatch's protocols: in and out as JSON, which the services read and write.

https://smithy.io/2.0/additional-specs/protocols/smithy-rpc-v2.html
"""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any

from botocore.model import Shape
from botocore.parsers import RpcV2CBORParser
from botocore.serialize import RpcV2CBORSerializer

from helpers.offline.kernel import Answer, AwsError, Call

TARGETS = {"monitoring": "GraniteServiceVersion20100801", "tagging": "ResourceGroupsTaggingAPI_20170126"}
_parser, _serializer = RpcV2CBORParser(), RpcV2CBORSerializer()
_TEXT = Shape("Text", {"type": "string"})


def to_json(call: Call) -> None:
    """Makes `call` the JSON call that it would have been. Raises AwsError for what is not CBOR."""
    try:
        request = _parser.parse_data_item(_parser.get_peekable_stream_from_bytes(call.body)) if call.body else {}
        call.body = json.dumps(request, default=_plain).encode()
    except Exception:
        raise AwsError("SerializationException", "The request is not CBOR.") from None
    version = "1.0" if call.service == "monitoring" else "1.1"
    target = f"{TARGETS.get(call.service, call.service)}.{call.operation}"
    dropped = ("smithy-protocol", "content-length", "accept")
    call.headers = {name: value for name, value in call.headers.items() if name not in dropped} | {
        "content-type": f"application/x-amz-json-{version}",
        "x-amz-target": target,
    }
    call.path, call.protocol = "/", "json"


def from_json(answer: Answer, output: Shape | None) -> Answer:
    """`answer`, which is in JSON, as CBOR. `output` is the shape of what the operation answers with."""
    document = json.loads(answer.body or b"{}")
    if answer.status < 400:
        body = _encoded(document, output) if output is not None else _map({})
    else:
        body = _map({"__type": str(document.get("__type", "")), "message": str(document.get("message", ""))})
    headers = {name: value for name, value in answer.headers.items() if name not in ("content-length", "content-type")}
    return Answer(
        answer.status, headers | {"content-type": "application/cbor", "smithy-protocol": "rpc-v2-cbor"}, bytes(body)
    )


def error(code: str, message: str) -> bytes:
    return bytes(_map({"__type": code, "message": message}))


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.timestamp()
    return base64.b64encode(value).decode()


def _encoded(value: Any, shape: Shape) -> bytearray:
    out = bytearray()
    _serializer._serialize_data_item(out, _typed(value, shape), shape)
    return out


def _typed(value: Any, shape: Shape) -> Any:
    """JSON's values in the types that the serializer wants; members that the model does not know are left out."""
    match shape.type_name:
        case "structure":
            return {
                name: _typed(member, shape.members[name])
                for name, member in value.items()
                if name in shape.members and member is not None
            }
        case "list":
            return [_typed(member, shape.member) for member in value]
        case "map":
            return {key: _typed(member, shape.value) for key, member in value.items()}
        case "timestamp":
            if isinstance(value, int | float):
                return datetime.fromtimestamp(value, UTC)
            return datetime.fromisoformat(str(value).replace("Z", "+00:00"))
        case "float" | "double":
            return float(value)
        case "integer" | "long":
            return int(value)
        case "blob":
            return base64.b64decode(value)
    return value


def _map(texts: dict[str, str]) -> bytearray:
    out = bytearray([0xA0 + len(texts)])
    for name, value in texts.items():
        _serializer._serialize_type_string(out, name, _TEXT, None)
        _serializer._serialize_type_string(out, value, _TEXT, None)
    return out
