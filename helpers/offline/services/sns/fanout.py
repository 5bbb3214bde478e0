"""Delivery of a topic's messages to its subscriptions; what cannot be delivered goes to a dead-letter queue."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from moto.sns.models import Subscription, Topic, sns_backends
from moto.sqs.models import sqs_backends

from helpers.offline import service_roles
from helpers.offline.kernel import AwsError, Kernel
from helpers.offline.services.sns.message import Message

log = logging.getLogger("offline.sns")


class Fanout:
    """ports.topics."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel

    def publish(
        self,
        topic_arn: str,
        message: str,
        *,
        subject: str | None = None,
        attributes: Mapping[str, Any] | None = None,
    ) -> str:
        """Raises AwsError where there is no such topic or SNS would not take the message."""
        one = Message(message, subject[:100] if subject else None, dict(attributes or {}))
        one.check()
        self.deliver(self.topic(topic_arn), [one])
        return one.id

    def topic(self, arn: str) -> Topic:
        parts = arn.split(":")
        if len(parts) != 6 or parts[2] != "sns":
            raise AwsError("InvalidParameter", "Invalid parameter: TopicArn")
        found = sns_backends[self.kernel.account_id][parts[3]].topics.get(arn)
        if found is None:
            raise AwsError("NotFound", "Topic does not exist", 404)
        return found

    def deliver(self, topic: Topic, messages: Sequence[Message]) -> None:
        """To every subscription whose filter lets them through."""
        for subscription in list(topic.sns_backend.subscriptions.values()):
            if subscription.topic is not topic:
                continue
            matcher = subscription._filter_policy_matcher
            passed = messages
            if matcher is not None:
                passed = [one for one in messages if matcher.matches(one.attributes, one.text)]
            if passed:
                self._send(topic, subscription, passed)

    def _send(self, topic: Topic, subscription: Subscription, messages: Sequence[Message]) -> None:
        match subscription.protocol:
            case "lambda":
                for message in messages:
                    self._try(topic, subscription, [message], self._to_lambda)
            case "firehose":
                self._try(topic, subscription, messages, self._to_firehose)
            case "sqs":
                for message in messages:
                    self._try(topic, subscription, [message], self._to_queue)
            case other:
                log.info("a message to %s is not sent on to %s: offline, only kept subscriptions", topic.arn, other)

    def _try(self, topic: Topic, subscription: Subscription, messages: Sequence[Message], send: Any) -> None:
        try:
            send(topic, subscription, messages)
        except AwsError as error:
            log.warning("%s could not be delivered to %s: %s", topic.arn, subscription.endpoint, error)
            self._to_dead_letter_queue(topic, subscription, messages)

    def _to_lambda(self, topic: Topic, subscription: Subscription, messages: Sequence[Message]) -> None:
        for message in messages:
            self.kernel.ports.functions.invoke_async(
                subscription.endpoint,
                message.lambda_event(topic.arn, subscription.arn),
                source_principal="sns.amazonaws.com",
                source_arn=topic.arn,
            )

    def _to_firehose(self, topic: Topic, subscription: Subscription, messages: Sequence[Message]) -> None:
        region, name = subscription.endpoint.split(":")[3], subscription.endpoint.rpartition("/")[2]
        raw = is_raw(subscription)
        records = [
            message.firehose_record(topic.arn, topic.sns_backend.region_name, subscription.arn, raw=raw)
            for message in messages
        ]
        role = subscription.attributes.get("SubscriptionRoleArn", "")
        if refused := service_roles.refusal(self.kernel, role, "sns", "firehose:PutRecordBatch", subscription.endpoint):
            raise AwsError("AccessDeniedException", refused)
        self.kernel.ports.streams.put_records(self.kernel.account_id, region, name, records)

    def _to_queue(self, topic: Topic, subscription: Subscription, messages: Sequence[Message]) -> None:
        for message in messages:
            attributes, body = None, message.text_for("sqs")
            if is_raw(subscription):
                attributes = queue_attributes(message)
            else:
                body = message.firehose_record(
                    topic.arn, topic.sns_backend.region_name, subscription.arn, raw=False
                ).decode()
            self._enqueue(subscription.endpoint, body, attributes)

    def _enqueue(self, queue_arn: str, body: str, attributes: dict[str, Any] | None = None) -> None:
        region, name = queue_arn.split(":")[3], queue_arn.rpartition(":")[2]
        backend = sqs_backends[self.kernel.account_id][region]
        if name not in backend.queues:
            raise AwsError("AWS.SimpleQueueService.NonExistentQueue", f"There is no queue {queue_arn}.")
        backend.send_message(name, body, message_attributes=attributes)
        self.kernel.mark_dirty("sqs")

    def _to_dead_letter_queue(self, topic: Topic, subscription: Subscription, messages: Sequence[Message]) -> None:
        policy = subscription.attributes.get("RedrivePolicy")
        if not policy:
            return
        target = json.loads(policy).get("deadLetterTargetArn", "")
        for message in messages:
            line = message.firehose_record(topic.arn, topic.sns_backend.region_name, subscription.arn, raw=False)
            try:
                self._enqueue(target, line.decode())
            except AwsError as error:
                log.warning("nor to its dead-letter queue: %s", error)


def is_raw(subscription: Subscription) -> bool:
    return str(subscription.attributes.get("RawMessageDelivery", "false")).lower() == "true"


def queue_attributes(message: Message) -> dict[str, Any]:
    """Message attributes as SQS keeps them."""
    return {
        name: {
            "DataType": attribute["Type"],
            "BinaryValue" if isinstance(attribute["Value"], bytes) else "StringValue": attribute["Value"]
            if isinstance(attribute["Value"], bytes)
            else str(attribute["Value"]),
        }
        for name, attribute in message.attributes.items()
    }
