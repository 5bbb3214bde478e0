"""EventBridge: rules match events or keep a schedule, and send to Lambda, SNS, SQS, Firehose and log groups."""

from __future__ import annotations

from helpers.offline.kernel import Kernel, Support
from helpers.offline.services.events.bus import TICK_S, Bus
from helpers.offline.services.events.control import Control

SCHEDULE_TICK_S = 1.0
OPERATIONS: dict[str, Support] = {
    "PutRule": Support(
        "real",
        "event patterns and schedules; a rate counts anew after a restart of the offline AWS; offline a tag "
        "`offline-clock-factor` (1 to 600) makes it so many times faster",
    ),
    "DescribeRule": Support("real"),
    "ListRules": Support("real"),
    "DeleteRule": Support("real"),
    "EnableRule": Support("real"),
    "DisableRule": Support("real"),
    "PutTargets": Support("real", "lambda, sns, sqs, firehose, logs; Input, InputPath, InputTransformer, retries, DLQ"),
    "RemoveTargets": Support("real"),
    "ListTargetsByRule": Support("real"),
    "ListRuleNamesByTarget": Support("real"),
    "PutEvents": Support("real", "to the default bus"),
    "TestEventPattern": Support("real"),
    "DescribeEventBus": Support("simplified", "the default bus"),
    "ListEventBuses": Support("simplified", "the default bus"),
    "TagResource": Support("real"),
    "UntagResource": Support("real"),
    "ListTagsForResource": Support("real"),
}


def install(kernel: Kernel) -> None:
    bus = Bus(kernel)
    control = Control(kernel, bus)
    kernel.ports.events = bus

    kernel.hot("events", "PutRule", control.put_rule, blocking=True)
    kernel.hot("events", "PutTargets", control.put_targets, blocking=True)
    kernel.hot("events", "PutEvents", control.put_events, blocking=True)
    kernel.hot("events", "TestEventPattern", control.test_event_pattern, blocking=True)
    kernel.on_start(bus.recover)
    kernel.synced(bus.outbox.sync)
    kernel.every(TICK_S, bus.tick, name="event deliveries")
    kernel.every(SCHEDULE_TICK_S, bus.tick_schedules, name="event schedules")
