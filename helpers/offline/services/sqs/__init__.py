"""SQS: standard and FIFO queues, with AWS's limits."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from moto.sqs.models import sqs_backends

from helpers.offline import fallthrough, resource_policies
from helpers.offline.kernel import Answer, AwsError, Call, Kernel, QueueFacts, QueueMessage, Support
from helpers.offline.resource_policies import Source
from helpers.offline.services.sqs import consumer, limits

OPERATIONS: dict[str, Support] = {
    "CreateQueue": Support("real", "encryption keys and RedriveAllowPolicy are only kept"),
    "DeleteQueue": Support("real"),
    "GetQueueUrl": Support("real"),
    "GetQueueAttributes": Support("real"),
    "SetQueueAttributes": Support("real"),
    "ListQueues": Support("real"),
    "SendMessage": Support("real", "FIFO queues know repeated messages for five minutes"),
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


class Queues:
    """ports.queues."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel

    def send(
        self,
        queue_arn: str,
        body: str,
        *,
        attributes: Mapping[str, Any] | None = None,
        group_id: str | None = None,
        deduplication_id: str | None = None,
        source_principal: str | None = None,
        source_arn: str = "",
    ) -> None:
        """The message is kept when it returns. Raises AwsError: NonExistentQueue, AccessDenied; OSError."""
        _, _, _, region, _, name = queue_arn.split(":")
        backend = sqs_backends[self.kernel.account_id][region]
        if name not in backend.queues:
            raise AwsError("AWS.SimpleQueueService.NonExistentQueue", f"There is no queue {queue_arn}.")
        if source_principal is not None:
            source = Source(source_principal, source_arn)
            resource_policies.require(self.kernel.account_id, source, "sqs:SendMessage", queue_arn)
        backend.send_message(
            name,
            body,
            message_attributes=dict(attributes) if attributes else None,
            group_id=group_id,
            deduplication_id=deduplication_id,
        )

    def facts(self, queue_arn: str) -> QueueFacts:
        return consumer.facts(self.kernel.account_id, queue_arn)

    def receive(self, queue_arn: str, count: int) -> list[QueueMessage]:
        """At most `count`; they are out of sight for the queue's visibility timeout."""
        return consumer.receive(self.kernel.account_id, queue_arn, count)

    def delete(self, queue_arn: str, handles: list[str]) -> None:
        consumer.delete(self.kernel.account_id, queue_arn, handles)


def receive_message(call: Call) -> Answer:
    if call.protocol == "json":
        limits.check_receive(json.loads(call.body or b"{}"))
    return fallthrough.ask_moto(call)


def install(kernel: Kernel) -> None:
    """What clients call is moto's; what services send comes in through the port."""
    from helpers.offline.services.sqs import checked
    from helpers.offline.services.sqs.journal import MessageJournal

    checked.attach()
    kernel.hot("sqs", "ReceiveMessage", receive_message, blocking=True)
    kernel.ports.queues = Queues(kernel)
    journal = MessageJournal(kernel.workspace.dir / "state", kernel.account_id, lambda: kernel.mark_dirty("sqs"))
    journal.attach()
    noted = ("SendMessage", "SendMessageBatch", "DeleteMessage", "DeleteMessageBatch", "ChangeMessageVisibilityBatch")
    for operation in noted:
        kernel.kept_by("sqs", operation, lambda call: None)  # the queues themselves have noted it
    kernel.before_snapshot["sqs"] = [journal.journal.begin_next]
    kernel.on_start(journal.replay)
    kernel.synced(journal.journal.sync)
    kernel.on_stop(lambda: kernel.mark_dirty("sqs"))
