"""moto's queues, with what AWS checks before it keeps a queue or takes a message."""

from __future__ import annotations

import time
from typing import Any

from moto.core.exceptions import ServiceException
from moto.sqs.models import Message, Queue, SQSBackend

from helpers.offline.kernel import AwsError
from helpers.offline.services.sqs import fifo, limits

BATCH_LIMIT = 10
DELETED_RECENTLY_S = 60


def attach() -> None:
    """Once, before anything else takes hold of these methods."""
    create, set_attributes, delete = SQSBackend.create_queue, SQSBackend.set_queue_attributes, SQSBackend.delete_queue
    send = SQSBackend.send_message

    def create_queue(self: SQSBackend, name: str, tags: dict[str, str] | None = None, **attributes: Any) -> Queue:
        given = {key: value for key, value in attributes.items() if key != "region"}
        limits.check_name(name, given)
        is_fifo = str(given.get("FifoQueue")).lower() == "true"
        limits.check_attributes(given, is_fifo=is_fifo)
        limits.check_redrive(given.get("RedrivePolicy"), self.region_name, self.queues, is_fifo=is_fifo)
        held = self.queues.get(name)
        if held is not None:
            _compare(held, given)
        elif time.time() - _deleted(self).get(name, 0.0) < DELETED_RECENTLY_S:
            raise AwsError(
                "AWS.SimpleQueueService.QueueDeletedRecently",
                "You must wait 60 seconds after deleting a queue before you can create another with the same name.",
            )
        queue = create(self, name, tags, **attributes)
        queue.created_timestamp = int(queue.created_timestamp)
        queue.last_modified_timestamp = int(queue.last_modified_timestamp)
        return queue

    def set_queue_attributes(self: SQSBackend, queue_name: str, attributes: dict[str, Any]) -> Queue:
        queue = self.get_queue(queue_name)
        limits.check_attributes(attributes, is_fifo=bool(queue.fifo_queue))
        redrive = attributes.get("RedrivePolicy")
        limits.check_redrive(redrive, self.region_name, self.queues, is_fifo=bool(queue.fifo_queue))
        policy = queue.policy
        set_attributes(self, queue_name, attributes)
        if "Policy" not in attributes:
            queue.policy = policy  # moto would forget it
        queue.last_modified_timestamp = int(queue.last_modified_timestamp)
        return queue

    def delete_queue(self: SQSBackend, queue_name: str) -> None:
        delete(self, queue_name)
        _deleted(self)[queue_name] = time.time()

    def send_message(
        self: SQSBackend,
        queue_name: str,
        message_body: str,
        message_attributes: dict[str, Any] | None = None,
        delay_seconds: int | None = None,
        deduplication_id: str | None = None,
        group_id: str | None = None,
        system_attributes: dict[str, Any] | None = None,
        validate_group_id: bool = True,
    ) -> Message:
        is_fifo = bool(self.get_queue(queue_name).fifo_queue)
        limits.check_message(message_body, message_attributes, deduplication_id, is_fifo=is_fifo)
        return send(
            self,
            queue_name,
            message_body,
            message_attributes,
            delay_seconds,
            deduplication_id,
            group_id,
            system_attributes,
            validate_group_id,
        )

    SQSBackend.create_queue = create_queue
    SQSBackend.set_queue_attributes = set_queue_attributes
    SQSBackend.delete_queue = delete_queue
    SQSBackend.send_message = send_message
    SQSBackend.send_message_batch = send_message_batch
    Queue.add_message = fifo.add_message


def send_message_batch(
    backend: SQSBackend, queue_name: str, entries: dict[str, dict[str, Any]]
) -> tuple[list[Message], list[dict[str, Any]]]:
    """What is wrong with one message fails that one."""
    backend.get_queue(queue_name)
    check_batch(list(entries.values()))
    sent: list[Message] = []
    failed: list[dict[str, Any]] = []
    for entry in entries.values():
        try:
            message = backend.send_message(
                queue_name,
                entry["MessageBody"],
                message_attributes=entry["MessageAttributes"],
                delay_seconds=entry["DelaySeconds"],
                group_id=entry.get("MessageGroupId"),
                deduplication_id=entry.get("MessageDeduplicationId"),
            )
        except (AwsError, ServiceException) as error:
            failed.append({"Id": entry["Id"], "SenderFault": True, "Code": error.code, "Message": error.message})
        else:
            message.user_id = entry["Id"]
            sent.append(message)
    return sent, failed


def check_batch(entries: list[dict[str, Any]]) -> None:
    """Raises AwsError for what fails the batch as a whole."""
    prefix = "AWS.SimpleQueueService."
    if len(entries) > BATCH_LIMIT:
        raise AwsError(
            f"{prefix}TooManyEntriesInBatchRequest",
            f"Maximum number of entries per request are {BATCH_LIMIT}. You have sent {len(entries)}.",
        )
    seen: set[str] = set()
    for entry in entries:
        identity = str(entry["Id"])
        if not limits.NAME.fullmatch(identity):
            raise AwsError(
                f"{prefix}InvalidBatchEntryId",
                "A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most "
                "80 letters long.",
            )
        if identity in seen:
            raise AwsError(f"{prefix}BatchEntryIdsNotDistinct", f"Id {identity} repeated.")
        seen.add(identity)
    size = sum(len(str(entry["MessageBody"]).encode()) for entry in entries)
    _, most = limits.BOUNDS["MaximumMessageSize"]
    if size > most:
        raise AwsError(
            f"{prefix}BatchRequestTooLong",
            f"Batch requests cannot be longer than {most} bytes. You have sent {size} bytes.",
        )


def _compare(held: Queue, given: dict[str, Any]) -> None:
    for key, value in given.items():
        if str(held.attributes.get(key, "")).lower() != str(value).lower() and key != "tags":
            raise AwsError(
                "QueueAlreadyExists",
                f"A queue already exists with the same name and a different value for attribute {key}",
            )


def _deleted(backend: SQSBackend) -> dict[str, float]:
    """When queues were deleted, by name."""
    return backend.__dict__.setdefault("deleted_at", {})
