"""FIFO topics: a message needs its group, is delivered once in five minutes, and has a number.

https://docs.aws.amazon.com/sns/latest/dg/fifo-topic-message-dedup.html
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from moto.sns.models import sns_backends

from helpers.offline import deduplication
from helpers.offline.journals import Journal
from helpers.offline.kernel import AwsError
from helpers.offline.services.sns.message import Message

_lock = threading.Lock()


class PublishedJournal:
    """Which messages FIFO topics have had since the last snapshot of SNS, noted when they are delivered."""

    def __init__(self, directory: Path, account_id: str, grown: Callable[[], None]) -> None:
        self.account_id = account_id
        self.journal = Journal(directory, "published", grown)

    def note(self, topic: Any, messages: Sequence[Message]) -> None:
        """Raises OSError."""
        region = topic.sns_backend.region_name
        told = [(one.deduplication_id, one.id, one.sequence_number) for one in messages]
        self.journal.append(json.dumps([region, topic.arn, time.time(), told]).encode())

    def replay(self) -> None:
        """Raises Unreadable, OSError."""
        for record in self.journal.records():
            region, arn, at_s, told = json.loads(record)
            topic = sns_backends[self.account_id][region].topics.get(arn)
            for deduplication_id, identity, number in told if topic is not None else ():
                topic.last_sequence_number = number
                deduplication.remember(_recent(topic), deduplication_id, (identity, number), at_s)


def forget(topic: Any, messages: Sequence[Message]) -> None:
    """They could not be kept, so who tries again must not be taken for one who repeats."""
    with _lock:
        for message in messages:
            _recent(topic).pop(message.deduplication_id, None)


def _recent(topic: Any) -> dict[str, tuple[float, Any]]:
    return topic.__dict__.setdefault("recently_published", {})


def admit(topic: Any, message: Message) -> bool:
    """Whether the message is to be delivered; a repeated one takes on the identity of the first.

    Raises AwsError where the topic's kind and the message's members do not go together.
    """
    if not topic.fifo_topic:
        if message.deduplication_id is not None:
            raise AwsError(
                "InvalidParameter",
                "Invalid parameter: MessageDeduplicationId Reason: The request includes MessageDeduplicationId "
                "parameter that is not valid for this topic type",
            )
        return True
    if not message.group_id:
        raise AwsError(
            "InvalidParameter", "Invalid parameter: The MessageGroupId parameter is required for FIFO topics"
        )
    if message.deduplication_id is None:
        if str(topic.content_based_deduplication).lower() != "true":
            raise AwsError(
                "InvalidParameter",
                "Invalid parameter: The topic should either have ContentBasedDeduplication enabled or "
                "MessageDeduplicationId provided explicitly",
            )
        message.deduplication_id = hashlib.sha256(message.text.encode()).hexdigest()
    with _lock:
        recent = _recent(topic)
        if (first := deduplication.known(recent, message.deduplication_id)) is not None:
            message.id, message.sequence_number = first
            return False
        message.sequence_number = topic.last_sequence_number = deduplication.next_sequence_number(
            topic.__dict__.get("last_sequence_number")
        )
        deduplication.remember(recent, message.deduplication_id, (message.id, message.sequence_number))
    return True
