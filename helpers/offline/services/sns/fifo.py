"""FIFO topics: a message needs its group, is delivered once in five minutes, and has a number.

https://docs.aws.amazon.com/sns/latest/dg/fifo-topic-message-dedup.html
"""

from __future__ import annotations

import hashlib
import threading
from typing import Any

from helpers.offline import deduplication
from helpers.offline.kernel import AwsError
from helpers.offline.services.sns.message import Message

_lock = threading.Lock()


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
        recent = topic.__dict__.setdefault("recently_published", {})
        if (first := deduplication.known(recent, message.deduplication_id)) is not None:
            message.id, message.sequence_number = first
            return False
        message.sequence_number = topic.last_sequence_number = deduplication.next_sequence_number(
            topic.__dict__.get("last_sequence_number")
        )
        deduplication.remember(recent, message.deduplication_id, (message.id, message.sequence_number))
    return True
