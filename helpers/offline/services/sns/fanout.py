"""Delivery of a topic's messages to its subscriptions; what cannot be delivered goes to a dead-letter queue."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from moto.sns.models import Subscription, Topic, sns_backends

from helpers.offline import resource_policies, service_roles
from helpers.offline.kernel import AwsError, Kernel
from helpers.offline.outbox import Outbox
from helpers.offline.resource_policies import Source
from helpers.offline.services.sns import fifo, filters, retries
from helpers.offline.services.sns.message import Message
from helpers.offline.services.sns.retries import Pending, Retries

SERVICE = "sns.amazonaws.com"
log = logging.getLogger("offline.sns")


class Fanout:
    """ports.topics."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.outbox = Outbox(kernel.workspace.dir / "state" / "sns.outbox")
        self.retries = Retries(self.try_again, self.outbox)
        directory = kernel.workspace.dir / "state"
        self.published = fifo.PublishedJournal(directory, kernel.account_id, lambda: kernel.mark_dirty("sns"))

    def publish(
        self,
        topic_arn: str,
        message: str,
        *,
        subject: str | None = None,
        attributes: Mapping[str, Any] | None = None,
        source_principal: str | None = None,
        source_arn: str = "",
    ) -> str:
        """Raises AwsError: no such topic, its policy does not let the source, SNS refuses the message."""
        if source_principal is not None:
            self.topic(topic_arn)
            resource_policies.require(
                self.kernel.account_id,
                Source(source_principal, source_arn),
                "sns:Publish",
                topic_arn,
                as_owner=source_principal == "cloudwatch.amazonaws.com",
            )
        one = Message(message, subject[:100] if subject else None, dict(attributes or {}))
        one.check()
        topic = self.topic(topic_arn)
        if fifo.admit(topic, one):
            self.deliver(topic, [one])
        return one.id

    def topic(self, arn: str) -> Topic:
        parts = arn.split(":")
        if len(parts) < 6:
            reason = f"An ARN must have at least 6 elements, not {len(parts)}"
            raise AwsError("InvalidParameter", f"Invalid parameter: TopicArn Reason: {reason}")
        if len(parts) != 6 or parts[2] != "sns":
            raise AwsError("InvalidParameter", "Invalid parameter: TopicArn")
        found = sns_backends[self.kernel.account_id][parts[3]].topics.get(arn)
        if found is None:
            raise AwsError("NotFound", "Topic does not exist", 404)
        return found

    def deliver(self, topic: Topic, messages: Sequence[Message]) -> None:
        """To every subscription whose filter lets them through. Raises OSError."""
        if not topic.fifo_topic:
            self._deliver_to_all(topic, messages)
            return
        try:
            self._deliver_to_all(topic, messages)
            self.published.note(topic, messages)
        except OSError:
            fifo.forget(topic, messages)
            raise

    def _deliver_to_all(self, topic: Topic, messages: Sequence[Message]) -> None:
        for subscription in list(topic.sns_backend.subscriptions.values()):
            if subscription.topic is not topic:
                continue
            passed = filters.passed(subscription, messages)
            if passed:
                self._send(topic, subscription, passed)

    def _send(self, topic: Topic, subscription: Subscription, messages: Sequence[Message]) -> None:
        if subscription.protocol == "firehose":
            self._try(topic, subscription, messages)
            return
        for message in messages:
            self._try(topic, subscription, [message])

    def _try(self, topic: Topic, subscription: Subscription, messages: Sequence[Message]) -> None:
        try:
            self._deliver(topic, subscription, messages)
        except AwsError as error:
            log.warning("%s could not be delivered to %s: %s", topic.arn, subscription.endpoint, error)
            if passes(error):
                self.retries.put(Pending(topic.arn, subscription.arn, list(messages)))
            else:
                self._to_dead_letter_queue(topic, subscription, messages)

    def try_again(self, pending: Pending) -> bool:
        """Whether that was the last attempt, for better or worse."""
        try:
            topic = self.topic(pending.topic_arn)
        except AwsError:
            return True
        subscription = topic.sns_backend.subscriptions.get(pending.subscription_arn)
        if subscription is None:
            return True
        try:
            try:
                self._deliver(topic, subscription, pending.messages)
            except AwsError as error:
                if passes(error) and pending.failures < retries.RETRIES:
                    return False
                self._to_dead_letter_queue(topic, subscription, pending.messages)
        except OSError as error:
            log.warning("%s waits: %s", pending.subscription_arn, error)
            return False
        return True

    def _deliver(self, topic: Topic, subscription: Subscription, messages: Sequence[Message]) -> None:
        match subscription.protocol:
            case "lambda":
                self._to_lambda(topic, subscription, messages)
            case "firehose":
                self._to_firehose(topic, subscription, messages)
            case "sqs":
                self._to_queue(topic, subscription, messages)

    def _to_lambda(self, topic: Topic, subscription: Subscription, messages: Sequence[Message]) -> None:
        for message in messages:
            self.kernel.ports.functions.invoke_async(
                subscription.endpoint,
                message.lambda_event(topic.arn, subscription.arn),
                source_principal=SERVICE,
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
            self._enqueue(topic, subscription, message, subscription.endpoint)

    def _enqueue(self, topic: Topic, subscription: Subscription, message: Message, queue_arn: str) -> None:
        """As the subscription wants it: the text with its attributes, or the envelope."""
        if is_raw(subscription):
            body, attributes = message.text_for("sqs"), queue_attributes(message)
        else:
            envelope = message.envelope(topic.arn, topic.sns_backend.region_name, subscription.arn, "sqs")
            body, attributes = json.dumps(envelope), {}
        is_fifo = queue_arn.endswith(".fifo")
        self.kernel.ports.queues.send(
            queue_arn,
            body,
            attributes=attributes,
            group_id=message.group_id,
            deduplication_id=message.deduplication_id if is_fifo else None,
            source_principal=SERVICE,
            source_arn=topic.arn,
        )

    def _to_dead_letter_queue(self, topic: Topic, subscription: Subscription, messages: Sequence[Message]) -> None:
        policy = subscription.attributes.get("RedrivePolicy")
        if not policy:
            return
        target = json.loads(policy).get("deadLetterTargetArn", "")
        for message in messages:
            try:
                self._enqueue(topic, subscription, message, target)
            except AwsError as error:
                log.warning("nor to its dead-letter queue: %s", error)


def passes(error: AwsError) -> bool:
    """Whether what went wrong may be right later: SNS repeats errors of the server, and none of the client."""
    return error.status >= 500 and error.status != 501


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
