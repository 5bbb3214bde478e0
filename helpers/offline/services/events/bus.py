"""The default bus: events go to the targets of the rules that they match, again and again if need be."""

from __future__ import annotations

import json
import logging
import random
import threading
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from weakref import WeakKeyDictionary

from moto.events.models import Rule, events_backends
from moto.logs.models import logs_backends

from helpers.offline import patterns, resource_policies, service_roles
from helpers.offline.identifiers import random_uuid
from helpers.offline.kernel import AwsError, Kernel
from helpers.offline.outbox import Outbox
from helpers.offline.services.events import schedule
from helpers.offline.services.events.input import input_of

SERVICE = "events.amazonaws.com"
# https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-retry-policy.html
RETRIES, AGE_S = 185, 86_400
LONGEST_PAUSE_S = 300.0
TICK_S = 0.2

log = logging.getLogger("offline.events")


@dataclass(slots=True)
class Delivery:
    """What one target of a rule is to get. `began` and `due` in seconds since the epoch."""

    region: str
    rule_arn: str
    target: dict[str, Any]
    text: str
    event: dict[str, Any]
    began: float
    attempts: int = 0
    due: float = 0.0
    id: str = field(default_factory=random_uuid)


class Bus:
    """ports.events: the default bus of each region."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.outbox = Outbox(kernel.workspace.dir / "state" / "events.outbox")
        self._waiting: list[Delivery] = []
        self._lock = threading.Lock()
        self._due: WeakKeyDictionary[Rule, float] = WeakKeyDictionary()
        self._minute: datetime | None = None

    def emit(
        self,
        account_id: str,
        region: str,
        source: str,
        detail_type: str,
        detail: dict[str, Any],
        resources: list[str],
    ) -> None:
        try:
            self.publish(self.event(region, source, detail_type, detail, resources))
        except OSError as error:  # nobody is there to be told
            log.error("an event of %s waits, and a crash would lose it: %s", source, error)

    def event(
        self,
        region: str,
        source: str,
        detail_type: str,
        detail: Mapping[str, Any],
        resources: list[str],
        when: float | None = None,
    ) -> dict[str, Any]:
        """In EventBridge's form. `when` in seconds since 1970; now without it."""
        moment = datetime.now(UTC) if when is None else datetime.fromtimestamp(when, UTC)
        return {
            "version": "0",
            "id": str(uuid.uuid4()),
            "detail-type": detail_type,
            "source": source,
            "account": self.kernel.account_id,
            "time": moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "region": region,
            "resources": resources,
            "detail": detail,
        }

    def publish(self, event: dict[str, Any]) -> None:
        """To the targets of every enabled rule whose pattern the event matches.

        What could not be delivered is kept for later when this returns. Raises OSError where it cannot be kept.
        """
        failed = None
        for rule in self._rules(event["region"]):
            pattern = rule.event_pattern.get_pattern()
            if rule.state == "ENABLED" and pattern and patterns.matches(pattern, event):
                failed = self.send(rule, event) or failed
        if failed is not None:
            raise failed

    def send(self, rule: Rule, event: dict[str, Any]) -> OSError | None:
        """Tries every target. Returns why what failed could not be kept for later, where it could not."""
        failed = None
        for target in list(rule.targets):
            text = input_of(target, event, rule.arn)
            try:
                self._attempt(Delivery(event["region"], rule.arn, target, text, event, time.time()))
            except OSError as error:
                failed = error
        return failed

    def tick(self) -> None:
        """What failed for a passing reason, once more."""
        now = time.time()
        with self._lock:
            due = [one for one in self._waiting if one.due <= now]
            self._waiting = [one for one in self._waiting if one.due > now]
        for delivery in due:
            try:
                self._attempt(delivery)
            except OSError as error:  # then it stands in the outbox as it was
                log.warning("%s waits: %s", delivery.rule_arn, error)
                with self._lock:
                    if delivery not in self._waiting:
                        self._waiting.append(delivery)

    # --- schedules ----------------------------------------------------------------------------------------------------

    def tick_schedules(self, now: float | None = None) -> None:
        """Rules whose moment has come. `now` in seconds since the epoch."""
        now = time.time() if now is None else now
        minute, before = schedule.minute_of(now), self._minute
        self._minute = minute
        for region in list(events_backends[self.kernel.account_id]):
            for rule in self._rules(region):
                if rule.scheduled_expression and self._is_due(rule, now, minute, minute != before is not None):
                    self.send(rule, self.event(region, "aws.events", "Scheduled Event", {}, [rule.arn], now))

    def _is_due(self, rule: Rule, now: float, minute: datetime, is_new_minute: bool) -> bool:
        if rule.state != "ENABLED":
            self._due.pop(rule, None)
            return False
        when = schedule.parsed(rule.scheduled_expression)
        if isinstance(when, schedule.Cron):
            return is_new_minute and when.matches(minute)
        when = schedule.Rate(when.period_s / self._clock_factor(rule))
        due = self._due.setdefault(rule, now + when.period_s)
        if now < due:
            return False
        self._due[rule] = schedule.next_rate(due, now, when)
        return True

    def _clock_factor(self, rule: Rule) -> float:
        """How many times faster the rule's rate runs, by a tag that AWS ignores."""
        tags = events_backends[self.kernel.account_id][rule.region_name].tagger.get_tag_dict_for_resource(rule.arn)
        wanted = tags.get(schedule.CLOCK_TAG, "")
        return min(max(float(wanted), 1.0), schedule.FASTEST_CLOCK) if wanted.isdigit() else 1.0

    def _rules(self, region: str) -> list[Rule]:
        return list(events_backends[self.kernel.account_id][region].event_buses["default"].rules.values())

    # --- targets ------------------------------------------------------------------------------------------------------

    def _attempt(self, delivery: Delivery) -> None:
        """Raises OSError where it failed and could not be kept for later; in this process it waits nevertheless."""
        delivery.attempts += 1
        try:
            self._deliver(delivery)
        except Exception as error:  # moto's errors are of many kinds
            code, message, status = "SDK_CLIENT_ERROR", str(error), 400
            if isinstance(error, AwsError):
                code, message, status = error.code, error.message, error.status
            elif isinstance(error, OSError):
                status = 500
            log.warning("%s could not reach %s: %s", delivery.rule_arn, delivery.target["Arn"], error)
            passes = status >= 500 and status != 501
            exhausted = self._put_off(delivery) if passes else ""
            if exhausted is None:
                return
            self._to_dead_letter_queue(delivery, code, message, exhausted)
        if delivery.attempts > 1:
            self.outbox.done(delivery.id)

    def _put_off(self, delivery: Delivery) -> str | None:
        """None where there is another attempt; else the part of the retry policy that allows none."""
        policy = delivery.target.get("RetryPolicy") or {}
        if delivery.attempts > policy.get("MaximumRetryAttempts", RETRIES):
            return "MaximumRetryAttempts"
        pause = min(LONGEST_PAUSE_S, 2.0 ** min(delivery.attempts - 1, 10)) * random.uniform(0.5, 1.0)
        delivery.due = time.time() + pause
        if delivery.due - delivery.began > policy.get("MaximumEventAgeInSeconds", AGE_S):
            return "MaximumEventAgeInSeconds"
        with self._lock:
            self._waiting.append(delivery)
        self.outbox.put(delivery.id, delivery)
        return None

    def _deliver(self, delivery: Delivery) -> None:
        arn = delivery.target["Arn"]
        ports, (_, _, service, region, *_) = self.kernel.ports, arn.split(":")
        whose = {"source_principal": SERVICE, "source_arn": delivery.rule_arn}
        match service:
            case "lambda":
                ports.functions.invoke_async(arn, delivery.text.encode(), **whose)
            case "sns":
                ports.topics.publish(arn, delivery.text, **whose)
            case "sqs":
                ports.queues.send(arn, delivery.text, **whose)
            case "firehose":
                role = delivery.target.get("RoleArn", "")
                if refused := service_roles.refusal(self.kernel, role, "events", "firehose:PutRecord", arn):
                    raise AwsError("AccessDeniedException", refused)
                name = arn.rpartition("/")[2]
                ports.streams.put_records(self.kernel.account_id, region, name, [delivery.text.encode()])
            case "logs":
                group, stream = arn.split(":log-group:")[1].removesuffix(":*"), str(uuid.uuid4())
                if group not in logs_backends[self.kernel.account_id][region].groups:
                    raise AwsError("ResourceNotFoundException", "The specified log group does not exist.")
                source = resource_policies.Source(SERVICE, delivery.rule_arn)
                for action in ("logs:CreateLogStream", "logs:PutLogEvents"):
                    where = f"arn:aws:logs:{region}:{self.kernel.account_id}:log-group:{group}:log-stream:{stream}"
                    resource_policies.require(self.kernel.account_id, source, action, where)
                ports.logs.write(self.kernel.account_id, region, group, stream, [delivery.text])

    def _to_dead_letter_queue(self, delivery: Delivery, code: str, message: str, exhausted: str) -> None:
        queue = (delivery.target.get("DeadLetterConfig") or {}).get("Arn")
        if not queue:
            return
        said = {
            "RULE_ARN": delivery.rule_arn,
            "TARGET_ARN": delivery.target["Arn"],
            "ERROR_CODE": code,
            "ERROR_MESSAGE": message,
            "RETRY_ATTEMPTS": str(delivery.attempts - 1),
        }
        said["EXHAUSTED_RETRY_CONDITION"] = exhausted
        attributes = {name: {"DataType": "String", "StringValue": value} for name, value in said.items() if value}
        try:
            self.kernel.ports.queues.send(
                queue,
                json.dumps(delivery.event),
                attributes=attributes,
                source_principal=SERVICE,
                source_arn=delivery.rule_arn,
            )
        except AwsError as error:
            log.warning("nor its dead-letter queue: %s", error)

    # --- kept over restarts -----------------------------------------------------------------------------------------

    def recover(self) -> None:
        """What an earlier process left."""
        with self._lock:
            self._waiting = self.outbox.left()
