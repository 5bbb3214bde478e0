"""The query protocol of Publish and PublishBatch: form in, XML out."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

from helpers.offline.identifiers import random_uuid
from helpers.offline.kernel import Answer, AwsError
from helpers.offline.services.sns.message import Message

NAMESPACE = "http://sns.amazonaws.com/doc/2010-03-31/"
ENTRY = "PublishBatchRequestEntries.member."
# What stands for a form's syntax while its escapes are resolved; where the body has ODD, that would not be clear.
TO_QUOTED_PRINTABLE = bytes.maketrans(b"&=+%", b"\x01\x00 =")
ODD = (b"\x00", b"\x01", b"%00", b"%01", b"\n", b"\r")
ATTRIBUTE = re.compile(r"MessageAttributes\.entry\.(\d+)\.(Name|Value\.(?:DataType|StringValue|BinaryValue))")


@dataclass(slots=True)
class Entry:
    """One message of a batch, still as form fields."""

    id: str = ""
    fields: dict[str, str] = field(default_factory=dict)


def fields_of(body: bytes) -> dict[str, str]:
    """The form's fields, as `urllib.parse.parse_qsl` reads them, in a seventh of its time.

    The escapes of the whole body are resolved at once, by what the standard library has in C for quoted-printable text:
    there `=` escapes, so that the form's own syntax is set aside before, in characters that do not occur.
    """
    for odd in ODD:
        if odd in body:
            return _fields_one_by_one(body)
    plain = binascii.a2b_qp(body.translate(TO_QUOTED_PRINTABLE))
    if len(body) - len(plain) != 2 * body.count(b"%"):  # an escape that is none
        return _fields_one_by_one(body)
    try:
        text = plain.decode()
    except UnicodeDecodeError:
        return _fields_one_by_one(body)
    fields = {}
    for pair in text.split("\x01"):
        name, _, value = pair.partition("\x00")
        if pair:
            fields[name] = value.replace("\x00", "=") if "\x00" in value else value
    return fields


def _fields_one_by_one(body: bytes) -> dict[str, str]:
    return dict(parse_qsl(body.decode(errors="replace"), keep_blank_values=True))


def message_of(fields: Mapping[str, str], identity: str, published: datetime) -> Message:
    """Raises AwsError InvalidParameterValue where an attribute has no type or no value."""
    if len(fields) == 1 and "Message" in fields:
        return Message(fields["Message"], id=identity, published=published)
    return Message(
        text=fields.get("Message", ""),
        subject=fields.get("Subject"),
        attributes=attributes_of(fields),
        structure=fields.get("MessageStructure"),
        group_id=fields.get("MessageGroupId"),
        deduplication_id=fields.get("MessageDeduplicationId"),
        id=identity,
        published=published,
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
    entries: dict[int, Entry] = {}
    for name, value in fields.items():
        place = _place(name)
        if place is None:
            continue
        position, member = place
        entry = entries.get(position)
        if entry is None:
            entry = entries[position] = Entry()
        if member == "Id":
            entry.id = value
        else:
            entry.fields[member] = value
    return [entries[position] for position in sorted(entries)]


@lru_cache(4096)
def _place(name: str) -> tuple[int, str] | None:
    """The number of the entry that a field is of, and which of its members it is."""
    if not name.startswith(ENTRY):
        return None
    position, _, member = name[len(ENTRY) :].partition(".")
    return (int(position), member) if position.isdecimal() and len(position) < 10 and member else None


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
