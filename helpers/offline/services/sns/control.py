"""Subscriptions and the attributes of topics: checked as AWS checks, kept by moto."""

from __future__ import annotations

import json
import re

from moto.sns.models import sns_backends

from helpers.offline import fallthrough, service_roles
from helpers.offline.kernel import Answer, AwsError, Call, Kernel
from helpers.offline.services.sns import filters
from helpers.offline.services.sns.form import fields_of

SERVICE = "sns.amazonaws.com"
DELIVERED = {"lambda", "firehose", "sqs"}
ELSEWHERE = {"http", "https", "email", "email-json", "sms", "application"}
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
        for name in ("RawMessageDelivery", "RedrivePolicy", "DeliveryPolicy"):
            if (value := attribute(fields, name)) is not None:
                self._check_attribute(name, value, protocol)
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
        if name == "Policy":
            check_policy(value)
        return fallthrough.ask_moto(call)

    def create_topic(self, call: Call) -> Answer:
        fields = fields_of(call.body)
        name = fields.get("Name", "")
        if not TOPIC_NAME.fullmatch(name):
            raise invalid("Topic Name")
        policy = attribute(fields, "Policy")
        if policy:
            check_policy(policy)
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


def attribute(fields: dict[str, str], name: str) -> str | None:
    """The value of one of the call's Attributes."""
    for key, value in fields.items():
        if value == name and key.startswith("Attributes.entry.") and key.endswith(".key"):
            return fields.get(key[: -len("key")] + "value")
    return None
