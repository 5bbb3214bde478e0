"""FIFO queues: what was sent is not sent again within five minutes, and every message has its number."""

from __future__ import annotations

from typing import Any

from helpers.offline import deduplication


def add_message(queue: Any, message: Any) -> None:
    """In the place of moto's, which forgets what was received and deleted. A repeated message becomes the first one."""
    with queue._messages_lock:
        if queue.fifo_queue and message.deduplication_id:
            recent = queue.__dict__.setdefault("recently_sent", {})
            of_group = queue.__dict__.get("deduplication_scope") == "messageGroup"
            key = (message.group_id if of_group else None, message.deduplication_id)
            if (first := deduplication.known(recent, key)) is not None:
                message.id, message.sequence_number = first
                return
            message.sequence_number = deduplication.next_sequence_number(queue.__dict__.get("last_sequence_number"))
            queue.last_sequence_number = message.sequence_number
            deduplication.remember(recent, key, (message.id, message.sequence_number))
        queue._messages.append(message)
        queue._messages_lock.notify_all()
