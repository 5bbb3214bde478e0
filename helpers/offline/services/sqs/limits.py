"""What a queue and a message may be, in SQS's words.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-quotas.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from helpers.offline.kernel import AwsError

NAME = re.compile(r"[\w-]{1,80}", re.ASCII)
FIFO_NAME = re.compile(r"[\w-]{1,75}\.fifo", re.ASCII)
BOUNDS = {
    "DelaySeconds": (0, 900),
    "KmsDataKeyReusePeriodSeconds": (60, 86_400),
    "MaximumMessageSize": (1024, 1_048_576),
    "MessageRetentionPeriod": (60, 1_209_600),
    "ReceiveMessageWaitTimeSeconds": (0, 20),
    "VisibilityTimeout": (0, 43_200),
}
FLAGS = {"ContentBasedDeduplication", "FifoQueue", "SqsManagedSseEnabled"}
CHOICES = {
    "DeduplicationScope": ("messageGroup", "queue"),
    "FifoThroughputLimit": ("perQueue", "perMessageGroupId"),
}
OTHERS = {"Policy", "RedrivePolicy", "RedriveAllowPolicy", "KmsMasterKeyId"}
ATTRIBUTES_LIMIT = 10
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
INVALID_CHARACTER = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def check_name(name: str, attributes: Mapping[str, Any]) -> None:
    """Raises AwsError InvalidParameterValue."""
    if str(attributes.get("FifoQueue")).lower() == "true":
        if not FIFO_NAME.fullmatch(name):
            raise invalid(
                "The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, must end "
                "with .fifo suffix and be 1 to 80 in length."
            )
    elif not NAME.fullmatch(name):
        raise invalid("Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length")


def check_attributes(attributes: Mapping[str, Any], *, is_fifo: bool) -> None:
    """Raises AwsError InvalidAttributeName, InvalidAttributeValue."""
    for name, value in attributes.items():
        text = str(value)
        if name in BOUNDS:
            least, most = BOUNDS[name]
            fits = re.fullmatch(r"\d{1,9}", text) is not None and least <= int(text) <= most
        elif name in FLAGS:
            fits = text.lower() in ("true", "false")
        elif name in CHOICES:
            fits = text in CHOICES[name]
        elif name in OTHERS:
            fits = True
        else:
            raise AwsError("InvalidAttributeName", f"Unknown Attribute {name}.")
        if name in CHOICES or name == "ContentBasedDeduplication":
            fits = fits and is_fifo
        if not fits and name in ("ContentBasedDeduplication", *CHOICES) and not is_fifo:
            raise AwsError("InvalidAttributeName", f"Unknown Attribute {name}.")
        if not fits:
            raise AwsError("InvalidAttributeValue", f"Invalid value for the parameter {name}.")


def check_redrive(policy: Any, region: str, queues: Mapping[str, Any], *, is_fifo: bool) -> None:
    """`queues` are those of the region by name."""
    if policy in (None, ""):
        return
    text = policy if isinstance(policy, str) else json.dumps(policy)

    def wrong(reason: str) -> AwsError:
        return invalid(f"Value {text} for parameter RedrivePolicy is invalid. Reason: {reason}")

    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise wrong("Redrive policy is not a valid JSON map.")
    if not found:
        return
    for name in ("maxReceiveCount", "deadLetterTargetArn"):
        if name not in found:
            raise wrong(f"Redrive policy does not contain mandatory attribute: {name}.")
    count = found["maxReceiveCount"]
    if not str(count).isdigit() or not 1 <= int(count) <= 1000:
        raise wrong(f"Invalid value for maxReceiveCount: {count}, valid values are from 1 to 1000 both inclusive.")
    parts = str(found["deadLetterTargetArn"]).split(":")
    letters = queues.get(parts[5]) if len(parts) == 6 and parts[3] == region else None
    if letters is None:
        raise wrong("Dead letter target does not exist.")
    if bool(letters.fifo_queue) != is_fifo:
        raise wrong("Dead-letter queue must be same type of queue as the source.")


def check_message(
    body: str, attributes: Mapping[str, Any] | None, deduplication_id: str | None, *, is_fifo: bool
) -> None:
    """Raises AwsError MissingParameter, InvalidParameterValue, InvalidMessageContents."""
    if not body:
        raise AwsError("MissingParameter", "The request must contain the parameter MessageBody.")
    check_characters(body)
    if deduplication_id is not None and not is_fifo:
        raise invalid(
            f"Value {deduplication_id} for parameter MessageDeduplicationId is invalid. Reason: The request includes a "
            "parameter that is not valid for this queue type."
        )
    attributes = attributes or {}
    if len(attributes) > ATTRIBUTES_LIMIT:
        raise invalid(
            f"Number of message attributes [{len(attributes)}] exceeds the allowed maximum [{ATTRIBUTES_LIMIT}]."
        )
    for name, attribute in attributes.items():
        kind = str(attribute.get("DataType", ""))
        value = attribute.get("BinaryValue" if kind.startswith("Binary") else "StringValue")
        if value in (None, "", b""):
            raise invalid(f"Message (user) attribute '{name}' must contain a non-empty value of type '{kind}'.")
        if kind.split(".")[0] == "Number":
            try:
                float(value)
            except ValueError:
                raise invalid(f"Can't cast the value of message (user) attribute '{name}' to a number.") from None
        if isinstance(value, str):
            check_characters(value)


def check_characters(text: str) -> None:
    if INVALID_CHARACTER.search(text):
        raise AwsError(
            "InvalidMessageContents",
            "Invalid characters found. Valid unicode characters are #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to "
            "#xFFFD | #x10000 to #x10FFFF",
        )


def check_receive(request: Mapping[str, Any]) -> None:
    """Raises AwsError InvalidParameterValue."""
    for name, least, most in (
        ("MaxNumberOfMessages", 1, 10),
        ("WaitTimeSeconds", 0, 20),
        ("VisibilityTimeout", 0, 43_200),
    ):
        value = request.get(name)
        if value is not None and not least <= int(value) <= most:
            bounds = f"between {least} and {most}" if least else f">= {least} and <= {most}"
            raise invalid(f"Value {value} for parameter {name} is invalid. Reason: Must be {bounds}, if provided.")


def invalid(message: str) -> AwsError:
    return AwsError("InvalidParameterValue", message)
