"""Subscriptions and the attributes of topics: checked as AWS checks, kept by moto."""

from __future__ import annotations

import json
import re

from moto.sns.models import Topic, sns_backends

from helpers.offline import fallthrough, service_roles
from helpers.offline.kernel import Answer, AwsError, Call, Kernel
from helpers.offline.services.sns import filters
from helpers.offline.services.sns.form import fields_of

SERVICE = "sns.amazonaws.com"
DELIVERED = {"lambda", "firehose", "sqs"}
ELSEWHERE = {"http", "https", "email", "email-json", "sms", "application"}
SUBSCRIPTION_ATTRIBUTES = {
    "DeliveryPolicy",
    "FilterPolicy",
    "FilterPolicyScope",
    "RawMessageDelivery",
    "RedrivePolicy",
    "SubscriptionRoleArn",
}
TOPIC_ATTRIBUTES = {
    "ArchivePolicy",
    "ContentBasedDeduplication",
    "DeliveryPolicy",
    "DisplayName",
    "FifoThroughputScope",
    "KmsMasterKeyId",
    "Policy",
    "SignatureVersion",
    "TracingConfig",
}
FEEDBACK = ("SuccessFeedbackRoleArn", "FailureFeedbackRoleArn", "SuccessFeedbackSampleRate")


class Control:
    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel

    def subscribe(self, call: Call) -> Answer:
        fields = fields_of(call.body)
        protocol, endpoint = fields.get("Protocol", ""), fields.get("Endpoint", "")
        if protocol not in DELIVERED:
            if protocol in ELSEWHERE:
                raise not_offline(f"does not deliver to {protocol} endpoints")
            raise AwsError("InvalidParameter", f"Invalid parameter: Does not support this protocol string: {protocol}")
        if protocol in DELIVERED:
            service = {"lambda": "lambda", "firehose": "firehose", "sqs": "sqs"}[protocol]
            if not endpoint.startswith("arn:") or endpoint.split(":")[2] != service:
                raise AwsError("InvalidParameter", f"Invalid parameter: {protocol.capitalize()} endpoint ARN")
        if protocol == "firehose":
            self._check_role(attribute(fields, "SubscriptionRoleArn"))
        filters.check(
            attribute(fields, "FilterPolicy") or "", attribute(fields, "FilterPolicyScope") or "MessageAttributes"
        )
        given = attributes_of(fields)
        for name, value in given.items():
            if name not in SUBSCRIPTION_ATTRIBUTES:
                raise invalid(f"Attributes Reason: Unknown attribute: {name}")
            if name in ("RawMessageDelivery", "RedrivePolicy", "DeliveryPolicy"):
                self._check_attribute(name, value, protocol)
        self._check_kind_and_others(call, fields, given)
        return fallthrough.ask_moto(call)

    def _check_kind_and_others(self, call: Call, fields: dict[str, str], given: dict[str, str]) -> None:
        """Of FIFO topics only queues are subscribers; a subscription that there is has the same attributes."""
        backend = sns_backends[call.account_id][call.region]
        topic, endpoint = backend.topics.get(fields.get("TopicArn", "")), fields.get("Endpoint", "")
        if topic is not None and topic.fifo_topic and fields.get("Protocol") != "sqs":
            raise invalid("Invalid parameter: Endpoint Reason: Please use FIFO SQS queue")
        for held in list(backend.subscriptions.values()):
            is_same = held.topic is topic and held.endpoint == endpoint and held.protocol == fields.get("Protocol")
            kept = held.attributes
            if is_same and any(str(kept.get(name, "")).lower() != value.lower() for name, value in given.items()):
                raise invalid("Attributes Reason: Subscription already exists with different attributes")

    def unsubscribe(self, call: Call) -> Answer:
        parts = fields_of(call.body).get("SubscriptionArn", "").split(":")
        if len(parts) < 6:
            raise invalid(f"SubscriptionArn Reason: An ARN must have at least 6 elements, not {len(parts)}")
        return fallthrough.ask_moto(call)

    def set_subscription_attributes(self, call: Call) -> Answer:
        fields = fields_of(call.body)
        name, value = fields.get("AttributeName", ""), fields.get("AttributeValue", "")
        subscription = sns_backends[call.account_id][call.region].subscriptions.get(fields.get("SubscriptionArn", ""))
        if subscription is None:
            raise AwsError("NotFound", "Subscription does not exist", 404)
        scope = subscription.attributes.get("FilterPolicyScope", "MessageAttributes")
        if name == "FilterPolicy":
            filters.check(value, scope)
        elif name == "FilterPolicyScope":
            filters.check(subscription.attributes.get("FilterPolicy") or "", value)
        elif name == "SubscriptionRoleArn":
            self._check_role(value)
        else:
            self._check_attribute(name, value, subscription.protocol)
        return fallthrough.ask_moto(call)

    def _check_attribute(self, name: str, value: str, protocol: str) -> None:
        if name == "RawMessageDelivery":
            if value.lower() not in ("true", "false"):
                raise invalid(f"RawMessageDelivery: Invalid value [{value}]. Must be true or false.")
            if protocol == "lambda" and value.lower() == "true":
                raise invalid("Attributes Reason: RawMessageDelivery: Invalid value [true]. Not supported by lambda.")
        elif name == "RedrivePolicy":
            check_redrive(value)
        elif name == "DeliveryPolicy":
            raise invalid(f"DeliveryPolicy: only endpoints of HTTP have one, not those of {protocol}")

    def set_topic_attributes(self, call: Call) -> Answer:
        fields = fields_of(call.body)
        name, value = fields.get("AttributeName", ""), fields.get("AttributeValue", "")
        if name.endswith(FEEDBACK):
            raise not_offline(f"does not log the status of deliveries ({name})")
        if name not in TOPIC_ATTRIBUTES:
            raise invalid("AttributeName")
        if name == "Policy":
            check_policy(value)
        return fallthrough.ask_moto(call)

    def create_topic(self, call: Call) -> Answer:
        fields = fields_of(call.body)
        name = fields.get("Name", "")
        if not TOPIC_NAME.fullmatch(name):
            raise invalid("Topic Name")
        given = attributes_of(fields)
        for one in given:
            if one.endswith(FEEDBACK):
                raise not_offline(f"does not log the status of deliveries ({one})")
            if one not in (*TOPIC_ATTRIBUTES, "FifoTopic"):
                raise invalid(f"Attributes Reason: Unknown attribute {one}")
        if given.get("Policy"):
            check_policy(given["Policy"])
        arn = f"arn:aws:sns:{call.region}:{call.account_id}:{name}"
        held = sns_backends[call.account_id][call.region].topics.get(arn)
        if held is not None:
            check_same(held, given, tags_of(fields))
        return fallthrough.ask_moto(call)

    def _check_role(self, arn: str | None) -> None:
        """SNS takes on the subscription's role when it puts records into the stream."""
        if not arn:
            raise AwsError("InvalidParameter", "Invalid parameter: SubscriptionRoleArn")
        if not service_roles.trusts(self.kernel.account_id, arn, SERVICE):
            raise AwsError(
                "InvalidParameter",
                f"Invalid parameter: SubscriptionRoleArn Reason: SNS cannot assume role {arn}. "
                "Does it exist, and does it trust sns.amazonaws.com?",
            )


TOPIC_NAME = re.compile(r"[A-Za-z0-9_-]{1,256}|[A-Za-z0-9_-]{1,251}\.fifo")
QUEUE_ARN = re.compile(r"arn:aws[\w-]*:sqs:[\w-]+:\d{12}:[\w-]+(\.fifo)?")


def check_same(topic: Topic, given: dict[str, str], tags: dict[str, str]) -> None:
    """A topic that there is may be made again, as the same. Raises AwsError."""
    held = {
        "DisplayName": topic.display_name or "",
        "FifoTopic": topic.fifo_topic,
        "ContentBasedDeduplication": topic.content_based_deduplication,
        "KmsMasterKeyId": topic.kms_master_key_id or "",
    }
    if any(str(held[name]).lower() != value.lower() for name, value in given.items() if name in held):
        raise invalid("Attributes Reason: Topic already exists with different attributes")
    if tags and tags != topic.sns_backend.list_tags_for_resource(topic.arn):
        raise invalid("Tags Reason: Topic already exists with different tags")


def check_redrive(text: str) -> None:
    if not text:
        return
    try:
        policy = json.loads(text)
        target = policy["deadLetterTargetArn"]
    except (ValueError, TypeError, KeyError):
        raise invalid("RedrivePolicy: failed to parse JSON, or it has no deadLetterTargetArn.") from None
    if not QUEUE_ARN.fullmatch(str(target)):
        raise invalid("RedrivePolicy: deadLetterTargetArn is an invalid arn")


def check_policy(text: str) -> None:
    """Raises AwsError for what is no policy of a topic."""
    try:
        policy = json.loads(text)
        statements = policy["Statement"]
    except (ValueError, TypeError, KeyError):
        raise invalid("Policy Error: null") from None
    for statement in statements if isinstance(statements, list) else [statements]:
        if not {"Effect", "Principal", "Action", "Resource"} <= set(statement):
            raise invalid("Policy statement must have Effect, Principal, Action and Resource")
        listed = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
        if not all(str(action).lower().startswith("sns:") for action in listed):
            raise invalid("Policy statement action out of service scope!")


def invalid(reason: str) -> AwsError:
    return AwsError("InvalidParameter", f"Invalid parameter: {reason}")


def not_offline(what: str) -> AwsError:
    return AwsError("NotImplemented", f"The offline AWS's SNS {what}. On AWS this may work.", 501)


def attributes_of(fields: dict[str, str]) -> dict[str, str]:
    """The call's Attributes by name."""
    return {
        value: fields.get(f"{key.removesuffix('key')}value", "")
        for key, value in fields.items()
        if key.startswith("Attributes.entry.") and key.endswith(".key")
    }


def tags_of(fields: dict[str, str]) -> dict[str, str]:
    return {
        value: fields.get(f"{key.removesuffix('Key')}Value", "")
        for key, value in fields.items()
        if key.startswith("Tags.member.") and key.endswith(".Key")
    }


def attribute(fields: dict[str, str], name: str) -> str | None:
    """The value of one of the call's Attributes."""
    return attributes_of(fields).get(name)
