"""SQS: queues, as targets of topics."""

from __future__ import annotations

from helpers.offline.kernel import Kernel, Support

OPERATIONS: dict[str, Support] = {
    "CreateQueue": Support("real"),
    "DeleteQueue": Support("real"),
    "GetQueueUrl": Support("real"),
    "GetQueueAttributes": Support("real"),
    "SetQueueAttributes": Support("real"),
    "ListQueues": Support("real"),
    "SendMessage": Support("real"),
    "SendMessageBatch": Support("real"),
    "ReceiveMessage": Support("real"),
    "DeleteMessage": Support("real"),
    "DeleteMessageBatch": Support("real"),
    "ChangeMessageVisibility": Support("real"),
    "ChangeMessageVisibilityBatch": Support("real"),
    "PurgeQueue": Support("real"),
    "TagQueue": Support("real"),
    "UntagQueue": Support("real"),
    "ListQueueTags": Support("real"),
    "ListDeadLetterSourceQueues": Support("real"),
    "AddPermission": Support("real"),
    "RemovePermission": Support("real"),
}


def install(kernel: Kernel) -> None:
    """Nothing to hook in: moto answers."""
