"""The query protocol of Publish and PublishBatch: form in, XML out."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote
from xml.sax.saxutils import escape

from helpers.offline.identifiers import random_uuid
from helpers.offline.kernel import Answer, AwsError
from helpers.offline.services.sns.message import Message

NAMESPACE = "http://sns.amazonaws.com/doc/2010-03-31/"
ENTRY = "PublishBatchRequestEntries.member."
# Escapes of ASCII characters that are neither part of a form's syntax (& = + %) nor hexadecimal digits.
PLAIN = tuple((f"%{ord(character):02X}", character) for character in ',:/"{}[] \n')
ATTRIBUTE = re.compile(r"MessageAttributes\.entry\.(\d+)\.(Name|Value\.(?:DataType|StringValue|BinaryValue))")


@dataclass(slots=True)
class Entry:
    """One message of a batch, still as form fields."""

    id: str = ""
    fields: dict[str, str] = field(default_factory=dict)


def fields_of(body: bytes) -> dict[str, str]:
    """The form's fields, as `urllib.parse.parse_qsl` reads them, in a third of its time.

    What most escapes of a message stand for is put in their place at once: none of it means anything to what follows.
    """
    text = body.decode().replace("+", " ")
    if "%" in text:
        for escaped, plain in PLAIN:
            text = text.replace(escaped, plain)
    fields = {}
    for pair in text.split("&"):
        name, _, value = pair.partition("=")
        if "%" in pair:
            name, value = unquote(name), unquote(value)
        if pair:
            fields[name] = value
    return fields


def message_of(fields: Mapping[str, str]) -> Message:
    """Raises AwsError InvalidParameterValue where an attribute has no type or no value."""
    return Message(
        text=fields.get("Message", ""),
        subject=fields.get("Subject"),
        attributes=attributes_of(fields),
        structure=fields.get("MessageStructure"),
        group_id=fields.get("MessageGroupId"),
        deduplication_id=fields.get("MessageDeduplicationId"),
    )


def attributes_of(fields: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Attributes by name, in moto's form: {"Type": …, "Value": …}."""
    found: dict[str, dict[str, str]] = {}
    if len(fields) == 1:  # the message itself
        return {}
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
            if not value:
                raise AwsError(
                    "ParameterValueInvalid",
                    f"The message attribute '{name}' must contain non-empty message attribute value for message "
                    f"attribute type '{kind}'.",
                )
            if kind.startswith("Number") and kind == "Number":
                value = number(name, value)
        attributes[name] = {"Type": kind, "Value": value}
    return attributes


def size_bytes(fields: Mapping[str, str]) -> int:
    """What counts towards SNS's limit: the text, and names, types and values of the attributes."""
    counted = len(fields.get("Message", "").encode())
    if len(fields) == 1:
        return counted
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
    entries: dict[str, Entry] = {}
    for name, value in fields.items():
        if not name.startswith(ENTRY):
            continue
        position, _, member = name[len(ENTRY) :].partition(".")
        entry = entries.get(position)
        if entry is None:
            if not (position.isdecimal() and member):
                continue
            entry = entries[position] = Entry()
        if member == "Id":
            entry.id = value
        else:
            entry.fields[member] = value
    return [entries[position] for position in sorted(entries, key=int)]


def published(message: Message) -> Answer:
    return xml("Publish", _identity(message))


def batch_published(successful: list[tuple[str, Message]], failed: list[tuple[str, AwsError]]) -> Answer:
    """`successful`: (entry id, message); `failed`: (entry id, why)."""
    good = "".join(f"<member><Id>{entry}</Id>{_identity(message)}</member>" for entry, message in successful)
    bad = "".join(
        f"<member><Id>{entry}</Id><Code>{error.code}</Code><Message>{escape(error.message)}</Message>"
        "<SenderFault>true</SenderFault></member>"
        for entry, error in failed
    )
    return xml("PublishBatch", f"<Successful>{good}</Successful><Failed>{bad}</Failed>")


def _identity(message: Message) -> str:
    if message.sequence_number is None:
        return f"<MessageId>{message.id}</MessageId>"
    return f"<MessageId>{message.id}</MessageId><SequenceNumber>{message.sequence_number}</SequenceNumber>"


def xml(operation: str, inner: str) -> Answer:
    identity = random_uuid()
    text = (
        f'<{operation}Response xmlns="{NAMESPACE}"><{operation}Result>{inner}</{operation}Result>'
        f"<ResponseMetadata><RequestId>{identity}</RequestId></ResponseMetadata></{operation}Response>"
    )
    return Answer(200, {"content-type": "text/xml", "x-amzn-requestid": identity}, text.encode())
