"""What an alarm sends: to Lambda, to SNS, to EventBridge, and into its own history."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from moto.cloudwatch.models import Alarm

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
    metric = {
        "namespace": alarm.namespace,
        "name": alarm.metric_name,
        "dimensions": {dimension.name: dimension.value for dimension in alarm.dimensions},
    }
    statistic = {"metric": metric, "period": alarm.period, "stat": alarm.statistic or alarm.extended_statistic}
    held: dict[str, Any] = {"metrics": [{"id": "m1", "metricStat": statistic, "returnData": True}]}
    if alarm.description:
        held["description"] = alarm.description
    return held


def event_detail(alarm: Alarm, change: Change) -> dict[str, Any]:
    """https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-and-eventbridge.html"""
    return {
        "alarmName": alarm.name,
        "state": state(change.new, change.reason, change.data, change.when),
        "previousState": {"value": change.old},
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
    statistic = alarm.statistic
    trigger = {
        "MetricName": alarm.metric_name,
        "Namespace": alarm.namespace,
        "StatisticType": "Statistic" if statistic else "ExtendedStatistic",
        ("Statistic" if statistic else "ExtendedStatistic"): statistic.upper()
        if statistic
        else alarm.extended_statistic,
        "Unit": alarm.unit,
        "Dimensions": [{"value": one.value, "name": one.name} for one in alarm.dimensions],
        "Period": alarm.period,
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
