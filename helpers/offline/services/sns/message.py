"""One message, and the forms in which its receivers get it."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from helpers.offline.identifiers import random_uuid
from helpers.offline.kernel import AwsError

LIMIT_BYTES = 256 * 1024
# https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
SUBJECT = re.compile(r"[^\x00-\x20\x7f][^\x00-\x1f\x7f]{0,99}")


@dataclass(slots=True)
class Message:
    """`attributes` in moto's form: name -> {"Type": "String"|"Number"|"Binary"|…, "Value": …}."""

    text: str
    subject: str | None = None
    attributes: dict[str, dict[str, Any]] = field(default_factory=dict)
    structure: str | None = None
    group_id: str | None = None
    deduplication_id: str | None = None  # of FIFO topics, as the next
    sequence_number: str | None = None
    id: str = field(default_factory=random_uuid)
    published: datetime = field(default_factory=lambda: datetime.now(UTC))

    def check(self) -> None:
        """Raises AwsError, in SNS's words, for what SNS does not take."""
        if not self.text:
            raise AwsError("InvalidParameter", "Invalid parameter: Empty message")
        if self.size_bytes > LIMIT_BYTES:
            raise AwsError("InvalidParameter", "Invalid parameter: Message too long")
        if self.subject is not None and not SUBJECT.fullmatch(self.subject):
            raise AwsError("InvalidParameter", "Invalid parameter: Subject")
        if self.structure == "json":
            self.text_for("default")

    def text_for(self, protocol: str) -> str:
        """The text that a subscriber of `protocol` gets: they differ where MessageStructure is json."""
        if self.structure != "json":
            return self.text
        try:
            texts = json.loads(self.text)
        except ValueError:
            texts = None
        if not isinstance(texts, dict):
            raise AwsError(
                "InvalidParameter", "Invalid parameter: Message Structure - JSON message body failed to parse"
            )
        if not isinstance(texts.get("default"), str):
            raise AwsError(
                "InvalidParameter", "Invalid parameter: Message Structure - No default entry in JSON message body"
            )
        return texts.get(protocol, texts["default"])

    @property
    def size_bytes(self) -> int:
        """The text, and names, types and values of the attributes."""
        size = len(self.text.encode())
        for name, attribute in self.attributes.items():
            value = attribute["Value"]
            size += len(name.encode()) + len(attribute["Type"])
            size += len(value) if isinstance(value, bytes) else len(str(value).encode())
        return size

    @property
    def timestamp(self) -> str:
        return self.published.strftime("%Y-%m-%dT%H:%M:%S.") + f"{self.published.microsecond // 1000:03d}Z"

    def attributes_as(self, kind: str, value: str) -> dict[str, dict[str, str]]:
        """Attributes with the member names that a receiver wants."""
        return {
            name: {
                kind: attribute["Type"],
                value: base64.b64encode(attribute["Value"]).decode()
                if isinstance(attribute["Value"], bytes)
                else str(attribute["Value"]),
            }
            for name, attribute in self.attributes.items()
        }

    def lambda_event(self, topic_arn: str, subscription_arn: str) -> bytes:
        """https://docs.aws.amazon.com/lambda/latest/dg/with-sns.html"""
        record = {
            "EventSource": "aws:sns",
            "EventVersion": "1.0",
            "EventSubscriptionArn": subscription_arn,
            "Sns": {
                "Type": "Notification",
                "MessageId": self.id,
                "TopicArn": topic_arn,
                "Subject": self.subject,
                "Message": self.text_for("lambda"),
                "Timestamp": self.timestamp,
                "SignatureVersion": "1",
                "Signature": "offline",
                "SigningCertUrl": "offline",
                "UnsubscribeUrl": "offline",
                "MessageAttributes": self.attributes_as("Type", "Value"),
            },
        }
        return json.dumps({"Records": [record]}).encode()

    def firehose_record(self, topic_arn: str, region: str, subscription_arn: str, *, raw: bool) -> bytes:
        """One line. https://docs.aws.amazon.com/sns/latest/dg/firehose-message-archive-formats.html"""
        if raw:
            return self.text_for("firehose").encode() + b"\n"
        return json.dumps(self.envelope(topic_arn, region, subscription_arn, "firehose")).encode() + b"\n"

    def envelope(self, topic_arn: str, region: str, subscription_arn: str, protocol: str) -> dict[str, Any]:
        """What a receiver of `protocol` gets around the text. Signatures are SQS's, and offline nobody signs."""
        envelope: dict[str, Any] = {
            "Type": "Notification",
            "MessageId": self.id,
            "TopicArn": topic_arn,
            "Subject": self.subject,
            "Message": self.text_for(protocol),
            "Timestamp": self.timestamp,
        }
        if self.sequence_number is not None:
            envelope["SequenceNumber"] = self.sequence_number
        if protocol == "sqs":
            envelope |= {"SignatureVersion": "1", "Signature": "offline", "SigningCertURL": "offline"}
        envelope["UnsubscribeURL"] = (
            f"https://sns.{region}.amazonaws.com/?Action=Unsubscribe&SubscriptionArn={subscription_arn}"
        )
        envelope["MessageAttributes"] = self.attributes_as("Type", "Value")
        return {name: value for name, value in envelope.items() if value not in (None, {})}
