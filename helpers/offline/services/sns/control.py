"""Subscribing: checked as AWS checks, kept by moto."""

from __future__ import annotations

from helpers.offline import fallthrough, service_roles
from helpers.offline.kernel import Answer, AwsError, Call, Kernel
from helpers.offline.services.sns.form import fields_of

SERVICE = "sns.amazonaws.com"
DELIVERED = {"lambda", "firehose", "sqs"}
KEPT = {"email", "email-json", "sms"}


class Control:
    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel

    def subscribe(self, call: Call) -> Answer:
        fields = fields_of(call.body)
        protocol, endpoint = fields.get("Protocol", ""), fields.get("Endpoint", "")
        if protocol not in DELIVERED | KEPT:
            if protocol in ("http", "https", "application"):
                raise AwsError(
                    "NotImplemented", f"The offline AWS's SNS does not deliver to {protocol} endpoints.", 501
                )
            raise AwsError("InvalidParameter", f"Invalid parameter: Does not support this protocol string: {protocol}")
        if protocol in DELIVERED:
            service = {"lambda": "lambda", "firehose": "firehose", "sqs": "sqs"}[protocol]
            if not endpoint.startswith("arn:") or endpoint.split(":")[2] != service:
                raise AwsError("InvalidParameter", f"Invalid parameter: {protocol.capitalize()} endpoint ARN")
        if protocol == "firehose":
            self._check_role(attribute(fields, "SubscriptionRoleArn"))
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


def attribute(fields: dict[str, str], name: str) -> str | None:
    """The value of one of the call's Attributes."""
    for key, value in fields.items():
        if value == name and key.startswith("Attributes.entry.") and key.endswith(".key"):
            return fields.get(key[: -len("key")] + "value")
    return None
