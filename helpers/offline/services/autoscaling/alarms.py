"""The two alarms of a target-tracking policy, as Application Auto Scaling makes them in CloudWatch."""

from __future__ import annotations

import time
import uuid
from typing import Any

from helpers.offline.services.autoscaling.records import Policy, Target

PERIOD_S = 60
PERIODS_S = (60, 30, 20, 10, 5, 2, 1)  # below 10 s only with a faster clock: PutMetricAlarm does not take them
LAG_S = 0.75  # metrics of the last moment are not there yet
HIGH_PERIODS, LOW_PERIODS = 3, 15
LOW_SHARE = 0.9  # of the target: below it there is too much capacity


def put(account_id: str, target: Target, policy: Policy) -> None:
    """Makes them and notes them in the policy. With a faster clock, periods are shorter and thresholds with them."""
    from moto.cloudwatch.models import cloudwatch_backends

    factor = target.clock_factor
    period = next((seconds for seconds in PERIODS_S if seconds <= PERIOD_S / factor), PERIODS_S[-1])
    metric = metric_of(target, policy)
    is_sum = metric["Statistic"] in ("Sum", "SampleCount")  # which a shorter period makes smaller
    value = policy.config["TargetValue"] * (period / PERIOD_S if is_sum else 1)
    note = "" if factor == 1 else f" Offline clock factor {factor:g}: one second stands for {factor:g}."
    wanted = (
        ("High", "GreaterThanThreshold", value, HIGH_PERIODS),
        ("Low", "LessThanThreshold", LOW_SHARE * value, LOW_PERIODS),
    )
    backend = cloudwatch_backends[account_id][target.region]
    for kind, comparison, threshold, periods in wanted:
        name = f"TargetTracking-{target.resource}-Alarm{kind}-{uuid.uuid4()}"
        alarm = backend.put_metric_alarm(
            name=name,
            namespace=metric["Namespace"],
            metric_name=metric["MetricName"],
            comparison_operator=comparison,
            evaluation_periods=max(1, round(periods * PERIOD_S / factor / period)),
            period=max(period, 10),
            threshold=threshold,
            statistic=metric["Statistic"],
            description=f"DO NOT EDIT OR DELETE. For TargetTrackingScaling policy {policy.arn}.{note}",
            dimensions=metric.get("Dimensions", []),
            alarm_actions=[policy.arn],
        )
        alarm.period = period
        policy.alarms.append({"AlarmName": name, "AlarmARN": alarm.alarm_arn})


def metric_of(target: Target, policy: Policy) -> dict[str, Any]:
    """Namespace, MetricName, Dimensions and Statistic of what the policy follows."""
    variant = [{"Name": "EndpointName", "Value": target.endpoint}, {"Name": "VariantName", "Value": target.variant}]
    predefined = {
        "Namespace": "AWS/SageMaker",
        "MetricName": "InvocationsPerInstance",
        "Dimensions": variant,
        "Statistic": "Sum",
    }
    return policy.config.get("CustomizedMetricSpecification") or predefined


def delete(account_id: str, target: Target, policy: Policy) -> None:
    from moto.cloudwatch.models import cloudwatch_backends

    held = cloudwatch_backends[account_id][target.region].alarms
    for alarm in policy.alarms:
        held.pop(alarm["AlarmName"], None)
    policy.alarms.clear()


def newest_value(account_id: str, region: str, name: str, metrics: Any) -> tuple[float, float] | None:
    """(the statistic of the alarm's newest period with data, the alarm's threshold); None without any."""
    from moto.cloudwatch.models import cloudwatch_backends

    from helpers.offline.services.cloudwatch import watching

    alarm = cloudwatch_backends[account_id][region].alarms.get(name)
    if alarm is None:
        return None
    period_s = watching.period_of(alarm)
    end = int((time.time() - LAG_S) // period_s * period_s)
    found = watching.values(metrics.store(region), alarm, end - 3 * period_s, end)
    return (found[max(found)], alarm.threshold) if found else None
