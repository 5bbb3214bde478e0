"""The query protocol of Publish and PublishBatch: form in, XML out."""

from __future__ import annotations

import base64
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

from helpers.offline.kernel import Answer, AwsError
from helpers.offline.services.sns.message import Message

NAMESPACE = "http://sns.amazonaws.com/doc/2010-03-31/"
ENTRY = re.compile(r"PublishBatchRequestEntries\.member\.(\d+)\.(.+)")
ATTRIBUTE = re.compile(r"MessageAttributes\.entry\.(\d+)\.(Name|Value\.(?:DataType|StringValue|BinaryValue))")


@dataclass(slots=True)
class Entry:
    """One message of a batch, still as form fields."""

    id: str = ""
    fields: dict[str, str] = field(default_factory=dict)


def fields_of(body: bytes) -> dict[str, str]:
    return dict(parse_qsl(body.decode(), keep_blank_values=True))


def message_of(fields: Mapping[str, str]) -> Message:
    """Raises AwsError InvalidParameterValue where an attribute has no type or no value."""
    return Message(
        text=fields.get("Message", ""),
        subject=fields.get("Subject"),
        attributes=attributes_of(fields),
        structure=fields.get("MessageStructure"),
    )


def attributes_of(fields: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Attributes by name, in moto's form: {"Type": …, "Value": …}."""
    found: dict[str, dict[str, str]] = {}
    for name, value in fields.items():
        if name.startswith("MessageAttributes") and (match := ATTRIBUTE.fullmatch(name)):
            found.setdefault(match[1], {})[match[2]] = value
    attributes = {}
    for parts in found.values():
        name, kind = parts.get("Name", ""), parts.get("Value.DataType", "")
        if not kind:
            raise AwsError(
                "ParameterValueInvalid",
                f"The message attribute '{name}' must contain non-empty message attribute value.",
            )
        if kind.split(".")[0] not in ("String", "Number", "Binary"):
            raise AwsError(
                "ParameterValueInvalid",
                f"The message attribute '{name}' has an invalid message attribute type, the set of supported type "
                "prefixes is Binary, Number, and String.",
            )
        if kind.startswith("Binary"):
            value: Any = base64.b64decode(parts.get("Value.BinaryValue", ""))
        else:
            value = parts.get("Value.StringValue", "")
            if kind.startswith("Number") and kind == "Number":
                value = number(name, value)
        attributes[name] = {"Type": kind, "Value": value}
    return attributes


def size_bytes(fields: Mapping[str, str]) -> int:
    """What counts towards SNS's limit: the text, and names, types and values of the attributes."""
    counted = len(fields.get("Message", "").encode())
    for name, value in fields.items():
        if name.startswith("MessageAttributes") and ATTRIBUTE.fullmatch(name):
            counted += len(value.encode())
    return counted


def number(name: str, text: str) -> int | float:
    try:
        return int(text)
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError:
        raise AwsError(
            "ParameterValueInvalid",
            f"Could not cast message attribute '{name}' value to number.",
        ) from None


def entries_of(fields: Mapping[str, str]) -> list[Entry]:
    """The batch's entries in order."""
    entries: dict[int, Entry] = {}
    for name, value in fields.items():
        match = ENTRY.fullmatch(name)
        if match is None:
            continue
        entry = entries.setdefault(int(match[1]), Entry())
        if match[2] == "Id":
            entry.id = value
        else:
            entry.fields[match[2]] = value
    return [entries[position] for position in sorted(entries)]


def published(message_id: str) -> Answer:
    return xml("Publish", f"<MessageId>{message_id}</MessageId>")


def batch_published(successful: list[tuple[str, str]], failed: list[tuple[str, AwsError]]) -> Answer:
    """`successful`: (entry id, message id); `failed`: (entry id, why)."""
    good = "".join(
        f"<member><Id>{entry}</Id><MessageId>{message}</MessageId></member>" for entry, message in successful
    )
    bad = "".join(
        f"<member><Id>{entry}</Id><Code>{error.code}</Code><Message>{escape(error.message)}</Message>"
        "<SenderFault>true</SenderFault></member>"
        for entry, error in failed
    )
    return xml("PublishBatch", f"<Successful>{good}</Successful><Failed>{bad}</Failed>")


def xml(operation: str, inner: str) -> Answer:
    identity = uuid.uuid4()
    text = (
        f'<{operation}Response xmlns="{NAMESPACE}"><{operation}Result>{inner}</{operation}Result>'
        f"<ResponseMetadata><RequestId>{identity}</RequestId></ResponseMetadata></{operation}Response>"
    )
    return Answer(200, {"content-type": "text/xml", "x-amzn-requestid": str(identity)}, text.encode())
