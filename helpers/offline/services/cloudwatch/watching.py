"""What an alarm watches: one metric, or an expression over several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from moto.cloudwatch.models import Alarm, MetricDataQuery

from helpers.offline.kernel import AwsError
from helpers.offline.services.cloudwatch import expressions
from helpers.offline.services.cloudwatch.metrics import check_period, check_statistic
from helpers.offline.services.cloudwatch.series import Key, Store

QUERY_LIMIT = 10  # https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html


def period_of(alarm: Alarm) -> int:
    """Seconds. With expressions, the longest of the metrics' periods."""
    if not alarm.metric_data_queries:
        return int(alarm.period)
    periods = [int(query.metric_stat.period) for query in alarm.metric_data_queries if query.metric_stat]
    return max(periods + [int(query.period) for query in alarm.metric_data_queries if query.period])


def statistic_of(alarm: Alarm) -> str | None:
    """None where an expression is watched."""
    return alarm.statistic or alarm.extended_statistic


def values(store: Store, alarm: Alarm, start: int, end: int) -> dict[int, float]:
    """(start of the period -> value) for periods with data."""
    period_s = period_of(alarm)
    if not alarm.metric_data_queries:
        key = (alarm.namespace, alarm.metric_name, tuple(sorted((one.name, one.value) for one in alarm.dimensions)))
        return _of_metric(store, key, statistic_of(alarm) or "Average", start, end, period_s)
    by_id: dict[str, dict[int, float]] = {}
    for query in alarm.metric_data_queries:
        if query.metric_stat:
            metric = query.metric_stat.metric
            key = (metric.namespace, metric.metric_name, tuple(sorted((d.name, d.value) for d in metric.dimensions)))
            by_id[query.id] = _of_metric(store, key, query.metric_stat.stat, start, end, period_s)
    metrics = list(by_id)
    for query in in_order(alarm.metric_data_queries):
        by_id[query.id] = expressions.evaluate(query.expression or "", by_id, period_s=period_s, metrics=metrics)
    return by_id[watched(alarm.metric_data_queries).id]


def _of_metric(store: Store, key: Key, statistic: str, start: int, end: int, period_s: int) -> dict[int, float]:
    found = store.periods(key, start, end, period_s)
    return {stamp: value for stamp, bucket in found if (value := bucket.statistic(statistic)) is not None}


def watched(queries: Sequence[MetricDataQuery]) -> MetricDataQuery:
    """The one that returns data."""
    return next(query for query in queries if returns_data(query))


def returns_data(query: MetricDataQuery) -> bool:
    return str(query.return_data).lower() != "false"


def in_order(queries: Sequence[MetricDataQuery]) -> list[MetricDataQuery]:
    """The expressions, each after those that it names. Raises AwsError for a circle."""
    waiting = [query for query in queries if query.expression]
    ordered: list[MetricDataQuery] = []
    while waiting:
        left = {query.id for query in waiting}
        ready = [query for query in waiting if not expressions.names_in(query.expression or "") & left]
        if not ready:
            raise AwsError("ValidationError", f"The expressions {', '.join(sorted(left))} name each other.")
        ordered += ready
        waiting = [query for query in waiting if query not in ready]
    return ordered


def check(settings: Mapping[str, Any]) -> None:
    """Raises AwsError for what PutMetricAlarm does not take as Metrics."""
    queries: Sequence[MetricDataQuery] = settings["metric_data_queries"]
    for name, member in (("metric_name", "MetricName"), ("namespace", "Namespace"), ("statistic", "Statistic")):
        if settings.get(name):
            raise AwsError(
                "ValidationError",
                f"The parameters Metrics and {member} are mutually exclusive and you have specified both.",
            )
    if settings.get("period"):
        raise AwsError("ValidationError", "Period must not be set with Metrics: each MetricStat has its own.")
    if len(queries) > QUERY_LIMIT:
        raise AwsError("ValidationError", f"Metrics has {len(queries)} entries; an alarm takes {QUERY_LIMIT}.")
    check_ids([query.id for query in queries])
    for query in queries:
        if bool(query.metric_stat) == bool(query.expression):
            raise AwsError("ValidationError", f"Exactly one of MetricStat and Expression must be set for {query.id}.")
        if query.metric_stat:
            check_period(int(query.metric_stat.period))
            check_statistic(query.metric_stat.stat)
    known = {query.id for query in queries}
    for query in in_order(queries):
        for name in sorted(expressions.names_in(query.expression or "") - known):
            raise AwsError("ValidationError", f"Error in expression {query.id!r}: {name} is not the Id of a query.")
    if not any(query.metric_stat for query in queries):
        raise AwsError("ValidationError", "Metrics must contain at least one MetricStat.")
    returning = [query.id for query in queries if returns_data(query)]
    if len(returning) != 1:
        raise AwsError(
            "ValidationError",
            "Exactly one element of the metrics list should return data; "
            f"ReturnData is true for {', '.join(returning) or 'none'}.",
        )


def check_ids(ids: Sequence[str]) -> None:
    """Raises AwsError where a query's Id is none, or not its own."""
    for number, one in enumerate(ids, start=1):
        if not one or not (one[0].islower() and one[0].isascii() and one.replace("_", "a").isalnum()):
            raise AwsError(
                "ValidationError",
                f"The value '{one}' for parameter MetricDataQueries.member.{number}.Id is not matching the expected "
                "pattern ^[a-z][a-zA-Z0-9_]*$.",
            )
    for one in ids:
        if ids.count(one) > 1:
            raise AwsError("ValidationError", f"The Ids of MetricDataQueries are not unique: {one}.")
