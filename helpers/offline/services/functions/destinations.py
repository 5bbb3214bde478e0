"""Where an event goes on to, and whether the function's execution role may send it there."""

from __future__ import annotations

from helpers.offline import service_roles
from helpers.offline.kernel import AwsError, Kernel

# Service in the destination's ARN -> the permission, and the words of Lambda's refusal.
ACTIONS = {
    "sqs": ("sqs:SendMessage", "SendMessage on SQS"),
    "sns": ("sns:Publish", "Publish on SNS"),
    "lambda": ("lambda:InvokeFunction", "InvokeFunction on Lambda"),
    "events": ("events:PutEvents", "PutEvents on EventBridge"),
}


def refusal(kernel: Kernel, role_arn: str, arn: str) -> str | None:
    """Why the role may not send to `arn`; None where it may."""
    action = ACTIONS.get(arn.split(":")[2])
    return service_roles.refusal(kernel, role_arn, "lambda", action[0], arn) if action else None


def check(kernel: Kernel, role_arn: str, arn: str) -> None:
    """Raises AwsError for a destination that Lambda does not take, or not with this role."""
    parts = arn.split(":")
    if len(parts) < 6 or parts[0] != "arn":
        raise AwsError("InvalidParameterValueException", f"The destination ARN {arn} is invalid.", 400, Type="User")
    if parts[2] not in ACTIONS:
        raise AwsError("NotImplemented", f"The offline AWS's Lambda has no destinations of {parts[2]}.", 501)
    if refusal(kernel, role_arn, arn):
        raise AwsError(
            "InvalidParameterValueException",
            f"The provided execution role does not have permissions to call {ACTIONS[parts[2]][1]}",
            400,
            Type="User",
        )
