"""SQS for services that take messages out of a queue by themselves, as Lambda's event source mappings do."""

from __future__ import annotations

import base64
from typing import Any

from moto.sqs.exceptions import ReceiptHandleIsInvalid
from moto.sqs.models import Message, sqs_backends

from helpers.offline.kernel import AwsError, QueueFacts, QueueMessage

RECEIVE_LIMIT = 10
SYSTEM_ATTRIBUTES = {  # name -> member of moto's message
    "ApproximateReceiveCount": "approximate_receive_count",
    "SentTimestamp": "sent_timestamp",
    "SequenceNumber": "sequence_number",
    "MessageGroupId": "group_id",
    "SenderId": "sender_id",
    "MessageDeduplicationId": "deduplication_id",
    "ApproximateFirstReceiveTimestamp": "approximate_first_receive_timestamp",
}


def facts(account_id: str, queue_arn: str) -> QueueFacts:
    queue = _queue(account_id, queue_arn)
    return QueueFacts(int(queue.visibility_timeout), bool(queue.fifo_queue), len(queue.messages))


def receive(account_id: str, queue_arn: str, count: int) -> list[QueueMessage]:
    queue = _queue(account_id, queue_arn)
    backend = sqs_backends[account_id][queue.region]
    found: list[Message] = []
    while len(found) < count:
        wanted = min(RECEIVE_LIMIT, count - len(found))
        got = backend.receive_message(queue.name, wanted, 0, int(queue.visibility_timeout), ["All"])
        found += got
        if len(got) < wanted or queue.fifo_queue:
            break
    return [_described(message, bool(queue.fifo_queue)) for message in found]


def delete(account_id: str, queue_arn: str, handles: list[str]) -> None:
    queue = _queue(account_id, queue_arn)
    for handle in handles:
        try:
            sqs_backends[account_id][queue.region].delete_message(queue.name, handle)
        except ReceiptHandleIsInvalid:
            continue  # somebody else has deleted it


def _queue(account_id: str, queue_arn: str) -> Any:
    _, _, _, region, _, name = queue_arn.split(":")
    queue = sqs_backends[account_id][region].queues.get(name)
    if queue is None:
        raise AwsError("AWS.SimpleQueueService.NonExistentQueue", "The specified queue does not exist.")
    return queue


def _described(message: Message, is_fifo: bool) -> QueueMessage:
    system = {name: getattr(message, member) for name, member in SYSTEM_ATTRIBUTES.items()}
    if not is_fifo:
        system.pop("SequenceNumber")
    if trace := (message.system_attributes or {}).get("AWSTraceHeader"):
        system["AWSTraceHeader"] = trace["StringValue"]
    attributes: dict[str, dict[str, Any]] = {}
    for name, value in message.message_attributes.items():
        told: dict[str, Any] = {"stringListValues": [], "binaryListValues": [], "dataType": value["DataType"]}
        if value.get("StringValue") is not None:
            told["stringValue"] = value["StringValue"]
        if (binary := value.get("BinaryValue")) is not None:
            raw = binary if isinstance(binary, bytes) else str(binary).encode()
            told["binaryValue"] = base64.b64encode(raw).decode()
        attributes[name] = told
    return QueueMessage(
        message.id,
        message.receipt_handle or "",
        message.body,
        {name: str(value) for name, value in system.items() if value is not None},
        attributes,
        message.body_md5,
        message.attribute_md5 if attributes else "",
    )
