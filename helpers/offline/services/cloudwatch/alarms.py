"""Alarms are evaluated when their periods close; a change of state is told to their actions."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from weakref import WeakKeyDictionary

from moto.cloudwatch.models import Alarm, cloudwatch_backends

from helpers.offline import fallthrough
from helpers.offline.kernel import AwsError, Kernel
from helpers.offline.services.cloudwatch import payloads, watching
from helpers.offline.services.cloudwatch.evaluation import (
    ALARM,
    COMPARISONS,
    EXTRA_PERIODS,
    INSUFFICIENT_DATA,
    OK,
    next_state,
)
from helpers.offline.services.cloudwatch.metrics import Metrics

TICK_S = 0.5
GRACE_S = 1.5  # how long after its end a period is waited for: metrics come in batches
SHORT_GRACE_S = 0.75  # of periods below 10 s, which only Application Auto Scaling makes, by its clock factor
HISTORY_KEPT = 200

log = logging.getLogger("offline.cloudwatch")


@dataclass(frozen=True, slots=True)
class Change:
    """From which state to which, when and why; `before` is why and since when it was in the old one."""

    old: str
    new: str
    reason: str
    data: str
    when: float
    before: tuple[str, str, float] = ("", "{}", 0.0)


class Alarms:
    """The evaluator. `_evaluated` remembers, for each alarm as it now is, the end of the newest period looked at."""

    def __init__(self, kernel: Kernel, metrics: Metrics) -> None:
        self.kernel = kernel
        self.metrics = metrics
        self._evaluated: WeakKeyDictionary[Alarm, float] = WeakKeyDictionary()

    def tick(self) -> None:
        """Evaluates every alarm for which a period has closed."""
        now = time.time()
        for region, backend in fallthrough.regions_in_use(cloudwatch_backends, self.kernel.account_id).items():
            for alarm in list(backend.alarms.values()):
                period = watching.period_of(alarm)
                every, grace = (10 if period < 60 else 60), GRACE_S
                if period < 10:
                    every, grace = period, SHORT_GRACE_S
                end = (now - grace) // every * every
                if self._evaluated.get(alarm, 0.0) >= end:
                    continue
                self._evaluated[alarm] = end
                try:
                    with self.kernel.gates["monitoring"].passing():  # the state is kept with what follows from it
                        self._evaluate(region, alarm, end)
                except Exception:
                    log.exception("alarm %s could not be evaluated", alarm.name)

    def _evaluate(self, region: str, alarm: Alarm, now: float) -> None:
        period_s = watching.period_of(alarm)
        end = int(now // period_s * period_s)
        length = alarm.evaluation_periods + EXTRA_PERIODS
        start = end - length * period_s
        # A period that had begun when the alarm was made counts; an earlier one is looked at as well, as on AWS.
        values = watching.values(self.metrics.store(region), alarm, start, end)
        points = [values.get(start + number * period_s) for number in range(length)]
        compare, _ = COMPARISONS[alarm.comparison_operator]
        breaching = [None if value is None else compare(value, alarm.threshold) for value in points]
        needed = alarm.datapoints_to_alarm or alarm.evaluation_periods
        state = next_state(breaching, alarm.evaluation_periods, needed, alarm.treat_missing_data or "missing")
        if state is not None and state != alarm.state_value:
            stamps = [start + number * period_s for number in range(length)]
            known = [(stamp, value) for stamp, value in zip(stamps, points, strict=True) if value is not None]
            reason, data = explanation(alarm, known[-alarm.evaluation_periods :], state, needed, now)
            self.change(region, alarm, state, reason, data)
        elif alarm.state_value == ALARM and alarm.actions_enabled:
            self._scale_again(alarm)

    def change(self, region: str, alarm: Alarm, state: str, reason: str, data: str | None) -> None:
        """Sets the state, writes the history, and does what the alarm's actions say."""
        before = alarm.state_value
        since = alarm.state_updated_timestamp.replace(tzinfo=UTC).timestamp()
        because = (alarm.state_reason, alarm.state_reason_data, since)
        note = Change(before, state, reason, data or "{}", time.time(), because)
        alarm.update_state(reason, data or "{}", state)
        remember(alarm, "StateUpdate", f"Alarm updated from {before} to {state}", payloads.history_data(note))
        self.kernel.keep_now("monitoring")
        log.info("alarm %s: %s -> %s: %s", alarm.name, before, state, reason)
        if before == state:
            return
        self._emit(region, alarm, note)
        actions = {OK: alarm.ok_actions, ALARM: alarm.alarm_actions, INSUFFICIENT_DATA: alarm.insufficient_data_actions}
        if alarm.actions_enabled:
            for action in actions[state]:
                self._act(region, alarm, action, note)

    def _emit(self, region: str, alarm: Alarm, change: Change) -> None:
        self.kernel.ports.events.emit(
            self.kernel.account_id,
            region,
            "aws.cloudwatch",
            "CloudWatch Alarm State Change",
            payloads.event_detail(alarm, change),
            [alarm.alarm_arn],
        )

    def _act(self, region: str, alarm: Alarm, action: str, change: Change) -> None:
        service = action.split(":")[2]
        try:
            if service == "lambda":
                event = payloads.lambda_event(alarm, change, region, self.kernel.account_id)
                self.kernel.ports.functions.invoke_async(
                    action,
                    json.dumps(event).encode(),
                    source_principal="lambda.alarms.cloudwatch.amazonaws.com",
                    source_arn=alarm.alarm_arn,
                )
            elif service == "sns":
                subject, message = payloads.notification(alarm, change, region, self.kernel.account_id)
                self.kernel.ports.topics.publish(
                    action,
                    message,
                    subject=subject,
                    source_principal="cloudwatch.amazonaws.com",
                    source_arn=alarm.alarm_arn,
                )
            elif service == "autoscaling":
                self.kernel.ports.scaling.execute_policy(action, alarm.name, alarm.alarm_arn, change.new)
        except (AwsError, OSError) as error:
            log.warning("alarm %s could not act on %s: %s", alarm.name, action, error)
            reason = error.message if isinstance(error, AwsError) else str(error)
            remember(alarm, "Action", f"Failed to execute action {action}. {reason}", "{}")
        else:
            remember(alarm, "Action", f"Successfully executed action {action}", "{}")

    def _scale_again(self, alarm: Alarm) -> None:
        """Auto Scaling actions are repeated for as long as the alarm is in ALARM."""
        for action in alarm.alarm_actions:
            if action.split(":")[2] == "autoscaling":
                self.kernel.ports.scaling.execute_policy(action, alarm.name, alarm.alarm_arn, ALARM)


def remember(alarm: Alarm, kind: str, summary: str, data: str) -> None:
    """Adds to the history that DescribeAlarmHistory tells; kept with the alarm."""
    history: list[dict[str, Any]] = alarm.__dict__.setdefault("items_of_history", [])
    history.append(
        {
            "AlarmName": alarm.name,
            "AlarmType": "MetricAlarm",
            "Timestamp": datetime.now(UTC),
            "HistoryItemType": kind,
            "HistorySummary": summary,
            "HistoryData": data,
        }
    )
    del history[:-HISTORY_KEPT]


def explanation(
    alarm: Alarm, known: Sequence[tuple[int, float]], state: str, needed: int, now: float
) -> tuple[str, str]:
    """(StateReason, StateReasonData) in CloudWatch's words."""
    if state == INSUFFICIENT_DATA:
        missing = alarm.evaluation_periods
        word = "datapoint was" if missing == 1 else "datapoints were"
        reason = f"Insufficient Data: {missing} {word} unknown."
    elif not known:
        count, treated = alarm.evaluation_periods, "Breaching" if state == ALARM else "NonBreaching"
        periods, points = ("period", "datapoint was") if count == 1 else ("periods", "datapoints were")
        reason = (
            f"Threshold Crossed: no datapoints were received for {count} {periods} and "
            f"{count} missing {points} treated as [{treated}]."
        )
    else:
        compare, words = COMPARISONS[alarm.comparison_operator]
        crossing = [point for point in known if compare(point[1], alarm.threshold) == (state == ALARM)]
        shown = ", ".join(
            f"{value!r} ({datetime.fromtimestamp(stamp, UTC):%d/%m/%y %H:%M:%S})" for stamp, value in reversed(crossing)
        )
        negation = "" if state == ALARM else "not "
        verb = "was" if len(crossing) == 1 else "were"
        way = "OK -> ALARM" if state == ALARM else "ALARM -> OK"
        enough = needed if state == ALARM else alarm.evaluation_periods - needed + 1
        reason = (
            f"Threshold Crossed: {len(crossing)} out of the last {len(known) or alarm.evaluation_periods} datapoints "
            f"[{shown}] {verb} {negation}{words} the threshold ({float(alarm.threshold)}) "
            f"(minimum {enough} datapoint{'s' if enough > 1 else ''} for {way} transition)."
        )
    data = {
        "version": "1.0",
        "queryDate": payloads.stamp(time.time()),
        "startDate": payloads.stamp(known[0][0]) if known else None,
        "statistic": watching.statistic_of(alarm),
        "period": watching.period_of(alarm),
        "recentDatapoints": [value for _, value in known],
        "threshold": float(alarm.threshold),
        "evaluatedDatapoints": [{"timestamp": payloads.stamp(when), "value": value} for when, value in reversed(known)],
    }
    return reason, json.dumps({name: value for name, value in data.items() if value is not None})
