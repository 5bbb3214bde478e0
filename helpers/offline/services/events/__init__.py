"""EventBridge: rules match events and send them to Lambda, SNS, SQS, Firehose and log groups."""

from __future__ import annotations

import json
import logging
import uuid
from datetime import UTC, datetime
from typing import Any

from moto.events.models import Rule, events_backends
from moto.sqs.models import sqs_backends

from helpers.offline import fallthrough
from helpers.offline.kernel import Answer, AwsError, Call, Kernel, Support
from helpers.offline.services.events.input import input_of

log = logging.getLogger("offline.events")

OPERATIONS: dict[str, Support] = {
    "PutRule": Support("real", "event patterns; a schedule is refused"),
    "DescribeRule": Support("real"),
    "ListRules": Support("real"),
    "DeleteRule": Support("real"),
    "EnableRule": Support("real"),
    "DisableRule": Support("real"),
    "PutTargets": Support("real", "lambda, sns, sqs, firehose, logs; Input, InputPath, InputTransformer"),
    "RemoveTargets": Support("real"),
    "ListTargetsByRule": Support("real"),
    "ListRuleNamesByTarget": Support("real"),
    "PutEvents": Support("real", "one attempt per target, and Lambda's own retries"),
    "TestEventPattern": Support("real"),
    "DescribeEventBus": Support("simplified", "the default bus"),
    "ListEventBuses": Support("simplified", "the default bus"),
    "TagResource": Support("real"),
    "UntagResource": Support("real"),
    "ListTagsForResource": Support("real"),
}
TARGETS = {"lambda", "sns", "sqs", "firehose", "logs"}


class Bus:
    """ports.events: the default bus of each region."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel

    def emit(
        self,
        account_id: str,
        region: str,
        source: str,
        detail_type: str,
        detail: dict[str, Any],
        resources: list[str],
    ) -> None:
        event = {
            "version": "0",
            "id": str(uuid.uuid4()),
            "detail-type": detail_type,
            "source": source,
            "account": account_id,
            "time": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "region": region,
            "resources": resources,
            "detail": detail,
        }
        for rule in list(events_backends[account_id][region].event_buses["default"].rules.values()):
            self.send(rule, event)

    def send(self, rule: Rule, event: dict[str, Any]) -> None:
        """To the rule's targets, if it is enabled and its pattern matches. What one target does not take is logged."""
        event = {name: value for name, value in event.items() if name != "ingestion-time"}  # moto's own
        if rule.state != "ENABLED":
            return
        if not rule.event_pattern.get_pattern() or not rule.event_pattern.matches_event(event):
            return
        if not isinstance(event.get("time"), str):
            event = event | {"time": datetime.fromtimestamp(event["time"], UTC).strftime("%Y-%m-%dT%H:%M:%SZ")}
        for target in rule.targets:
            try:
                self._send(rule, target, input_of(target, event))
            except Exception as error:  # moto's errors are of many kinds
                log.warning("rule %s could not reach %s: %s", rule.name, target["Arn"], error)

    def _send(self, rule: Rule, target: dict[str, Any], text: str) -> None:
        arn = target["Arn"]
        ports, (_, _, service, region, *_) = self.kernel.ports, arn.split(":")
        match service:
            case "lambda":
                ports.functions.invoke_async(
                    arn, text.encode(), source_principal="events.amazonaws.com", source_arn=rule.arn
                )
            case "sns":
                ports.topics.publish(arn, text)
            case "firehose":
                ports.streams.put_records(self.kernel.account_id, region, arn.rpartition("/")[2], [text.encode()])
            case "sqs":
                sqs_backends[self.kernel.account_id][region].send_message(arn.rpartition(":")[2], text)
            case "logs":
                group = arn.split(":log-group:")[1].removesuffix(":*")
                ports.logs.write(self.kernel.account_id, region, group, str(uuid.uuid4()), [text])


def put_rule(call: Call) -> Answer:
    if json.loads(call.body).get("ScheduleExpression"):
        raise AwsError("NotImplemented", "The offline AWS's EventBridge has no schedules; rules match events.", 501)
    return fallthrough.ask_moto(call)


def put_targets(call: Call) -> Answer:
    for target in json.loads(call.body).get("Targets", []):
        parts = str(target.get("Arn", "")).split(":")
        if len(parts) < 6:
            raise AwsError(
                "ValidationException",
                f"Parameter {target.get('Arn')} is not valid. Reason: Provided Arn is not in correct format.",
            )
        if parts[2] not in TARGETS:
            raise AwsError("NotImplemented", f"The offline AWS's EventBridge has no targets of {parts[2]}.", 501)
    return fallthrough.ask_moto(call)


def install(kernel: Kernel) -> None:
    bus = Bus(kernel)
    kernel.ports.events = bus
    Rule.send_to_targets = lambda self, original_event, transform_input=True: bus.send(self, original_event)
    kernel.hot("events", "PutRule", put_rule, blocking=True)
    kernel.hot("events", "PutTargets", put_targets, blocking=True)
