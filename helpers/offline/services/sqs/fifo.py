"""FIFO queues: what was sent is not sent again within five minutes, and every message has its number."""

from __future__ import annotations

from typing import Any

from helpers.offline import deduplication


def add_message(queue: Any, message: Any) -> None:
    """In the place of moto's, which forgets what was received and deleted. A repeated message becomes the first one."""
    with queue._messages_lock:
        if queue.fifo_queue and message.deduplication_id:
            if (first := deduplication.known(_recent(queue), _key(queue, message))) is not None:
                message.id, message.sequence_number = first
                return
            message.sequence_number = deduplication.next_sequence_number(queue.__dict__.get("last_sequence_number"))
            remember(queue, message)
        queue._messages.append(message)
        queue._messages_lock.notify_all()


def remember(queue: Any, message: Any) -> None:
    """That the queue has had this message, when it was sent."""
    if queue.fifo_queue and message.deduplication_id:
        queue.last_sequence_number = message.sequence_number
        sent_s = message.sent_timestamp / 1000 if message.sent_timestamp else None
        what = (message.id, message.sequence_number)
        deduplication.remember(_recent(queue), _key(queue, message), what, sent_s)


def _recent(queue: Any) -> dict[tuple[str | None, str], tuple[float, Any]]:
    return queue.__dict__.setdefault("recently_sent", {})


def _key(queue: Any, message: Any) -> tuple[str | None, str]:
    of_group = queue.__dict__.get("deduplication_scope") == "messageGroup"
    return message.group_id if of_group else None, message.deduplication_id
