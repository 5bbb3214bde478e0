"""What an alarm sends: to Lambda, to SNS, to EventBridge, and into its own history."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from moto.cloudwatch.models import Alarm

from helpers.offline.services.cloudwatch import watching

if TYPE_CHECKING:
    from helpers.offline.services.cloudwatch.alarms import Change

# https://docs.aws.amazon.com/general/latest/gr/rande.html
REGION_NAMES = {
    "us-east-1": "US East (N. Virginia)",
    "us-east-2": "US East (Ohio)",
    "us-west-1": "US West (N. California)",
    "us-west-2": "US West (Oregon)",
    "eu-west-1": "EU (Ireland)",
    "eu-west-2": "EU (London)",
    "eu-central-1": "EU (Frankfurt)",
    "ap-northeast-1": "Asia Pacific (Tokyo)",
    "ap-southeast-1": "Asia Pacific (Singapore)",
    "ap-southeast-2": "Asia Pacific (Sydney)",
}


def stamp(when: float) -> str:
    """`2023-08-04T12:36:15.490+0000`."""
    moment = datetime.fromtimestamp(when, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}+0000"


def state(value: str, reason: str, data: str, when: float) -> dict[str, str]:
    return {"value": value, "reason": reason, "reasonData": data, "timestamp": stamp(when)}


def configuration(alarm: Alarm) -> dict[str, Any]:
    held: dict[str, Any] = {"metrics": metrics(alarm)}
    if alarm.description:
        held["description"] = alarm.description
    return held


def metrics(alarm: Alarm) -> list[dict[str, Any]]:
    if not alarm.metric_data_queries:
        statistic = alarm.statistic or alarm.extended_statistic
        watched = _metric(alarm.namespace, alarm.metric_name, alarm.dimensions)
        return [
            {
                "id": "m1",
                "metricStat": {"metric": watched, "period": alarm.period, "stat": statistic},
                "returnData": True,
            }
        ]
    found = []
    for query in alarm.metric_data_queries:
        one: dict[str, Any] = {"id": query.id}
        if query.expression:
            one["expression"] = query.expression
        else:
            held = query.metric_stat
            watched = _metric(held.metric.namespace, held.metric.metric_name, held.metric.dimensions)
            one["metricStat"] = {"metric": watched, "period": int(held.period), "stat": held.stat}
        if query.label:
            one["label"] = query.label
        found.append(one | {"returnData": watching.returns_data(query)})
    return found


def _metric(namespace: str, name: str, dimensions: Iterable[Any]) -> dict[str, Any]:
    named = {dimension.name: dimension.value for dimension in dimensions}
    return {"namespace": namespace, "name": name, "dimensions": named}


def event_detail(alarm: Alarm, change: Change) -> dict[str, Any]:
    """https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-and-eventbridge.html"""
    return {
        "alarmName": alarm.name,
        "state": state(change.new, change.reason, change.data, change.when),
        "previousState": state(change.old, *change.before),
        "configuration": configuration(alarm),
    }


def lambda_event(alarm: Alarm, change: Change, region: str, account_id: str) -> dict[str, Any]:
    return {
        "source": "aws.cloudwatch",
        "alarmArn": alarm.alarm_arn,
        "accountId": account_id,
        "time": stamp(change.when),
        "region": region,
        "alarmData": event_detail(alarm, change),
    }


def notification(alarm: Alarm, change: Change, region: str, account_id: str) -> tuple[str, str]:
    """(Subject, Message) of an SNS action."""
    place = REGION_NAMES.get(region, region)
    trigger = _trigger_of_metric(alarm) if not alarm.metric_data_queries else {"Metrics": _trigger_metrics(alarm)}
    trigger |= {
        "Period": watching.period_of(alarm),
        "EvaluationPeriods": alarm.evaluation_periods,
        "DatapointsToAlarm": alarm.datapoints_to_alarm or alarm.evaluation_periods,
        "ComparisonOperator": alarm.comparison_operator,
        "Threshold": float(alarm.threshold),
        "TreatMissingData": alarm.treat_missing_data or "missing",
        "EvaluateLowSampleCountPercentile": alarm.evaluate_low_sample_count_percentile or "",
    }
    message = {
        "AlarmName": alarm.name,
        "AlarmDescription": alarm.description,
        "AWSAccountId": account_id,
        "AlarmConfigurationUpdatedTimestamp": stamp(
            alarm.configuration_updated_timestamp.replace(tzinfo=UTC).timestamp()
        ),
        "NewStateValue": change.new,
        "NewStateReason": change.reason,
        "StateChangeTime": stamp(change.when),
        "Region": place,
        "AlarmArn": alarm.alarm_arn,
        "OldStateValue": change.old,
        "OKActions": alarm.ok_actions,
        "AlarmActions": alarm.alarm_actions,
        "InsufficientDataActions": alarm.insufficient_data_actions,
        "Trigger": trigger,
    }
    return f'{change.new}: "{alarm.name}" in {place}', json.dumps(message)


def _trigger_of_metric(alarm: Alarm) -> dict[str, Any]:
    kind = "Statistic" if alarm.statistic else "ExtendedStatistic"
    return {
        "MetricName": alarm.metric_name,
        "Namespace": alarm.namespace,
        "StatisticType": kind,
        kind: alarm.statistic.upper() if alarm.statistic else alarm.extended_statistic,
        "Unit": alarm.unit,
        "Dimensions": [{"value": one.value, "name": one.name} for one in alarm.dimensions],
    }


def _trigger_metrics(alarm: Alarm) -> list[dict[str, Any]]:
    found = []
    for query in alarm.metric_data_queries:
        one: dict[str, Any] = {"Id": query.id}
        if query.expression:
            one["Expression"] = query.expression
        else:
            held = query.metric_stat
            dimensions = [{"value": each.value, "name": each.name} for each in held.metric.dimensions]
            metric = {
                "Dimensions": dimensions,
                "MetricName": held.metric.metric_name,
                "Namespace": held.metric.namespace,
            }
            one["MetricStat"] = {"Metric": metric, "Period": int(held.period), "Stat": held.stat}
        if query.label:
            one["Label"] = query.label
        found.append(one | {"ReturnData": watching.returns_data(query)})
    return found


def history_data(change: Change) -> str:
    return json.dumps(
        {
            "version": "1.0",
            "oldState": {"stateValue": change.old},
            "newState": {
                "stateValue": change.new,
                "stateReason": change.reason,
                "stateReasonData": json.loads(change.data),
            },
        }
    )
