"""Subscription filters: what is put into a log group and matches goes on to a function or a delivery stream.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/SubscriptionFilters.html
"""

from __future__ import annotations

import base64
import gzip
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from moto.logs.models import LogStream, logs_backends

from helpers.offline import service_roles
from helpers.offline.courier import Courier
from helpers.offline.kernel import Answer, AwsError, Call, Kernel
from helpers.offline.services.logs import filter_pattern

FILTERS_OF_GROUP = 2  # https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html
SERVICE = "logs.amazonaws.com"


@dataclass(frozen=True, slots=True)
class Subscription:
    """`role_arn` is empty for functions. `created` in milliseconds since the epoch."""

    name: str
    pattern: str
    destination_arn: str
    role_arn: str
    created: int


@dataclass(frozen=True, slots=True)
class Delivery:
    destination_arn: str
    role_arn: str
    source_arn: str
    region: str
    document: dict[str, Any]


class Subscriptions:
    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.courier = Courier(kernel, "log subscriptions", self._deliver)

    def operations(self) -> dict[str, Callable[[Call], Answer]]:
        return {
            "PutSubscriptionFilter": self.put,
            "DescribeSubscriptionFilters": self.describe,
            "DeleteSubscriptionFilter": self.delete,
        }

    def put(self, call: Call) -> Answer:
        request = json.loads(call.body)
        held = _held(call, request["logGroupName"])
        name, arn, role = request["filterName"], request["destinationArn"], request.get("roleArn") or ""
        filter_pattern.compiled(request["filterPattern"])
        self._check(call, request["logGroupName"], arn, role)
        if name not in held and len(held) >= FILTERS_OF_GROUP:
            raise AwsError("LimitExceededException", "Resource limit exceeded.")
        if request.get("distribution", "ByLogStream") != "ByLogStream":
            raise AwsError("InvalidParameterException", "Distribution is of use for streams of Kinesis only.")
        created = held[name].created if name in held else int(time.time() * 1000)
        held[name] = Subscription(name, request["filterPattern"], arn, role, created)
        return _answer({})

    def describe(self, call: Call) -> Answer:
        request = json.loads(call.body)
        prefix = request.get("filterNamePrefix") or ""
        found = [one for name, one in sorted(_held(call, request["logGroupName"]).items()) if name.startswith(prefix)]
        first, size = int(request.get("nextToken") or 0), request.get("limit") or 50
        page: dict[str, Any] = {
            "subscriptionFilters": [_described(one, request["logGroupName"]) for one in found[first : first + size]]
        }
        if first + size < len(found):
            page["nextToken"] = str(first + size)
        return _answer(page)

    def delete(self, call: Call) -> Answer:
        request = json.loads(call.body)
        if _held(call, request["logGroupName"]).pop(request["filterName"], None) is None:
            raise AwsError("ResourceNotFoundException", "The specified subscription filter does not exist.")
        return _answer({})

    def _check(self, call: Call, group: str, arn: str, role: str) -> None:
        """That the destination is there and lets Logs in. Raises AwsError."""
        parts = arn.split(":")
        if len(parts) < 6:
            raise AwsError("InvalidParameterException", "destinationArn is not a valid ARN.")
        service, account = parts[2], parts[4]
        if service not in ("lambda", "firehose"):
            raise AwsError("NotImplemented", f"The offline AWS's Logs have no subscriptions of {service}.", 501)
        if service == "lambda":
            if account != self.kernel.account_id:
                raise AwsError(
                    "AccessDeniedException",
                    "Cross-account lambda invocation passing is not allowed. You must use DestinationPolicies to "
                    "create cross account lambda triggers.",
                )
            if group == f"/aws/lambda/{parts[6] if len(parts) > 6 else ''}":
                raise AwsError(
                    "NotImplemented",
                    "The offline AWS subscribes no function to its own log group: it would call itself without end, as "
                    "it does on AWS.",
                    501,
                )
            if self._principal(arn, call.region, _source(call.region, self.kernel.account_id, group)) is None:
                raise AwsError(
                    "InvalidParameterException",
                    "Could not execute the lambda function. Make sure you have given CloudWatch Logs permission to "
                    "execute your function.",
                )
            return
        if not role:
            raise AwsError(
                "InvalidParameterException", "destinationArn for vendor firehose cannot be used without roleArn"
            )
        services = (SERVICE, f"logs.{call.region}.amazonaws.com")
        if not any(service_roles.trusts(self.kernel.account_id, role, one) for one in services):
            raise AwsError(
                "InvalidParameterException",
                "Could not deliver test message to specified Firehose stream. Make sure you have given CloudWatch Logs "
                "permission to assume the provided role.",
            )
        is_active = self.kernel.ports.streams.is_active(self.kernel.account_id, parts[3], arn.rpartition("/")[2])
        refused = service_roles.refusal(self.kernel, role, "logs", "firehose:PutRecord", arn)
        if refused or not is_active:
            raise AwsError(
                "InvalidParameterException",
                "Could not deliver test message to specified Firehose stream. Check if the given Firehose stream is in "
                "ACTIVE state.",
            )

    def _principal(self, arn: str, region: str, source: str) -> str | None:
        """The name under which the function lets Logs in: the regional one or the plain one."""
        for principal in (f"logs.{region}.amazonaws.com", SERVICE):
            try:
                if self.kernel.ports.functions.permits(arn, principal, source):
                    return principal
            except AwsError:
                return None
        return None

    # --- events -------------------------------------------------------------------------------------------------------

    def tell(self, stream: LogStream, log_events: Sequence[dict[str, Any]]) -> None:
        """`log_events` are the last ones of the stream."""
        held = stream.log_group.__dict__.get("subscriptions")
        if not held:
            return
        events = stream.events[-len(log_events) :]
        for subscription in list(held.values()):
            matches = filter_pattern.compiled(subscription.pattern)
            found = [
                {"id": f"{event.event_id:056d}", "timestamp": event.timestamp, "message": event.message}
                for event in events
                if matches(event.message)
            ]
            if found:
                group = stream.log_group.name
                document = {
                    "messageType": "DATA_MESSAGE",
                    "owner": self.kernel.account_id,
                    "logGroup": group,
                    "logStream": stream.log_stream_name,
                    "subscriptionFilters": [subscription.name],
                    "logEvents": found,
                }
                source = _source(stream.region, self.kernel.account_id, group)
                arn, role = subscription.destination_arn, subscription.role_arn
                self.courier.send(Delivery(arn, role, source, stream.region, document))

    def _deliver(self, delivery: Delivery) -> None:
        packed = gzip.compress(json.dumps(delivery.document, ensure_ascii=False).encode())
        arn = delivery.destination_arn
        if arn.split(":")[2] == "lambda":
            event = {"awslogs": {"data": base64.b64encode(packed).decode()}}
            principal = self._principal(arn, delivery.region, delivery.source_arn) or SERVICE
            self.kernel.ports.functions.invoke_async(
                arn, json.dumps(event).encode(), source_principal=principal, source_arn=delivery.source_arn
            )
            return
        if refused := service_roles.refusal(self.kernel, delivery.role_arn, "logs", "firehose:PutRecord", arn):
            raise AwsError("AccessDeniedException", refused)
        self.kernel.ports.streams.put_records(
            self.kernel.account_id, arn.split(":")[3], arn.rpartition("/")[2], [packed]
        )


def _held(call: Call, group_name: str) -> dict[str, Subscription]:
    """Those of the group, by name; kept with the group."""
    group = logs_backends[call.account_id][call.region].groups.get(group_name)
    if group is None:
        raise AwsError("ResourceNotFoundException", "The specified log group does not exist.")
    return group.__dict__.setdefault("subscriptions", {})


def _described(subscription: Subscription, group: str) -> dict[str, Any]:
    document = {
        "filterName": subscription.name,
        "logGroupName": group,
        "filterPattern": subscription.pattern,
        "destinationArn": subscription.destination_arn,
        "distribution": "ByLogStream",
        "applyOnTransformedLogs": False,
        "creationTime": subscription.created,
    }
    return document | ({"roleArn": subscription.role_arn} if subscription.role_arn else {})


def _source(region: str, account_id: str, group: str) -> str:
    return f"arn:aws:logs:{region}:{account_id}:log-group:{group}:*"


def _answer(document: dict[str, Any]) -> Answer:
    return Answer(200, {"content-type": "application/x-amz-json-1.1"}, json.dumps(document).encode())
