"""SNS: a topic's messages really reach Lambda, Firehose and SQS."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from moto.sns.models import SNSBackend

from helpers.offline.identifiers import random_uuid, random_uuids
from helpers.offline.kernel import Answer, AwsError, Call, Kernel, Support
from helpers.offline.services.sns import fifo, form
from helpers.offline.services.sns.control import Control
from helpers.offline.services.sns.fanout import Fanout
from helpers.offline.services.sns.retries import TICK_S

BATCH_LIMIT, BATCH_LIMIT_BYTES = 10, 256 * 1024
ENTRY_ID = re.compile(r"[A-Za-z0-9_-]{1,80}")

OPERATIONS: dict[str, Support] = {
    "CreateTopic": Support("real"),
    "DeleteTopic": Support("real"),
    "ListTopics": Support("real"),
    "GetTopicAttributes": Support("real"),
    "SetTopicAttributes": Support(
        "simplified", "Policy and ContentBasedDeduplication take effect; other attributes are only kept"
    ),
    "Subscribe": Support("real", "to lambda, firehose and sqs"),
    "Unsubscribe": Support("real"),
    "ListSubscriptions": Support("real"),
    "ListSubscriptionsByTopic": Support("real"),
    "GetSubscriptionAttributes": Support("real"),
    "SetSubscriptionAttributes": Support("real", "FilterPolicy, RawMessageDelivery, RedrivePolicy take effect"),
    "Publish": Support(
        "real",
        "to topics, standard and FIFO; no phone numbers or devices; failures of a server are retried, then go to a "
        "dead-letter queue",
    ),
    "PublishBatch": Support("real"),
    "TagResource": Support("real"),
    "UntagResource": Support("real"),
    "ListTagsForResource": Support("real"),
}


class DataPlane:
    """Publish and PublishBatch."""

    def __init__(self, fanout: Fanout) -> None:
        self.fanout = fanout

    def publish(self, call: Call) -> Answer:
        fields = form.fields_of(call.body)
        arn = fields.get("TopicArn") or fields.get("TargetArn")
        if arn is None:
            raise AwsError("NotImplemented", "The offline AWS's SNS publishes to topics only, not to phones.", 501)
        topic = self.fanout.topic(arn)
        message = form.message_of(fields, random_uuid(), datetime.now(UTC))
        message.check()
        if fifo.admit(topic, message):
            self.fanout.deliver(topic, [message])
        return form.published(message)

    def publish_batch(self, call: Call) -> Answer:
        fields = form.fields_of(call.body)
        topic = self.fanout.topic(fields.get("TopicArn", ""))
        entries = form.entries_of(fields)
        check_batch(entries)
        messages, successful, failed = [], [], []
        published = datetime.now(UTC)
        for entry, identity in zip(entries, random_uuids(len(entries)), strict=True):
            try:
                message = form.message_of(entry.fields, identity, published)
                message.check()
                is_new = fifo.admit(topic, message)
            except AwsError as error:
                failed.append((entry.id, error))
                continue
            if is_new:
                messages.append(message)
            successful.append((entry.id, message))
        if messages:
            self.fanout.deliver(topic, messages)
        return form.batch_published(successful, failed)


def check_batch(entries: list[form.Entry]) -> None:
    """Raises AwsError for what fails the batch as a whole."""
    if not entries:
        raise AwsError("EmptyBatchRequest", "The batch request doesn't contain any entries.")
    if len(entries) > BATCH_LIMIT:
        raise AwsError("TooManyEntriesInBatchRequest", "The batch request contains more entries than permissible.")
    if len({entry.id for entry in entries}) < len(entries):
        raise AwsError("BatchEntryIdsNotDistinct", "Two or more batch entries in the request have the same Id.")
    if not all(ENTRY_ID.fullmatch(entry.id) for entry in entries):
        raise AwsError(
            "InvalidBatchEntryId", "The Id of a batch entry in a batch request doesn't abide by the specification."
        )
    if sum(form.size_bytes(entry.fields) for entry in entries) > BATCH_LIMIT_BYTES:
        raise AwsError("BatchRequestTooLong", "The length of all the messages put together is more than the limit.")


def install(kernel: Kernel) -> None:
    fanout = Fanout(kernel)
    data_plane = DataPlane(fanout)
    kernel.ports.topics = fanout
    kernel.hot("sns", "Publish", data_plane.publish)
    kernel.hot("sns", "PublishBatch", data_plane.publish_batch)
    control = Control(kernel)
    kernel.hot("sns", "CreateTopic", control.create_topic, blocking=True)
    kernel.hot("sns", "Subscribe", control.subscribe, blocking=True)
    kernel.hot("sns", "Unsubscribe", control.unsubscribe, blocking=True)
    kernel.hot("sns", "SetSubscriptionAttributes", control.set_subscription_attributes, blocking=True)
    kernel.hot("sns", "SetTopicAttributes", control.set_topic_attributes, blocking=True)
    # Checked before it comes to moto, which knows fewer operators.
    SNSBackend._validate_filter_policy = lambda self, value, scope: None
    kernel.before_snapshot["sns"] = [fanout.published.journal.begin_next]
    kernel.synced(fanout.published.journal.sync)
    kernel.on_start(fanout.published.replay)
    kernel.on_start(fanout.retries.recover)
    kernel.synced(fanout.outbox.sync)
    kernel.every(TICK_S, fanout.retries.tick, name="sns retries")
