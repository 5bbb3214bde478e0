"""The seams in moto: its metric calls read and write our store, its alarms begin and change as AWS's do."""

from __future__ import annotations

import json
from datetime import UTC
from types import SimpleNamespace
from typing import Any

from moto.cloudwatch.models import Alarm, CloudWatchBackend, Dimension
from moto.cloudwatch.responses import CloudWatchResponse
from moto.core.responses import ActionResult

from helpers.offline.kernel import AwsError
from helpers.offline.services.cloudwatch import dashboards, watching
from helpers.offline.services.cloudwatch.alarms import Alarms, remember
from helpers.offline.services.cloudwatch.evaluation import COMPARISONS, INSUFFICIENT_DATA
from helpers.offline.services.cloudwatch.metrics import Metrics, check_statistic
from helpers.offline.services.cloudwatch.series import STATISTICS, dimensions_of

DAY_S = 86_400
# Comparisons with the band of an anomaly detector.
BANDS = ("LessThanLowerOrGreaterThanUpperThreshold", "LessThanLowerThreshold", "GreaterThanUpperThreshold")
MISSING = ("missing", "ignore", "breaching", "notBreaching")
ACTION_LIMIT = 5


def replace(metrics: Metrics, alarms: Alarms) -> None:
    """Once, before anything else takes hold of these methods."""
    put_alarm, set_state = CloudWatchBackend.put_metric_alarm, CloudWatchBackend.set_alarm_state

    def put_metric_alarm(self: CloudWatchBackend, **settings: Any) -> Alarm:
        check_alarm(settings)
        before = self.alarms.get(settings["name"])
        alarm = put_alarm(self, **settings)
        if before is None:
            alarm.state_value = INSUFFICIENT_DATA
            remember(alarm, "ConfigurationUpdate", f'Alarm "{alarm.name}" created', "{}")
        else:  # an update keeps the state
            for name in ("state_value", "state_reason", "state_reason_data", "state_updated_timestamp"):
                setattr(alarm, name, getattr(before, name))
            alarm.__dict__["items_of_history"] = before.__dict__.get("items_of_history", [])
            remember(alarm, "ConfigurationUpdate", f'Alarm "{alarm.name}" updated', "{}")
        return alarm

    def set_alarm_state(
        self: CloudWatchBackend, alarm_name: str, reason: str, reason_data: str | None, state_value: str
    ) -> None:
        alarm = self.alarms.get(alarm_name)
        try:
            json.loads(reason_data or "{}")
        except ValueError:
            raise AwsError("InvalidFormat", "The parameter StateReasonData is not valid JSON.") from None
        if alarm is None or state_value not in ("OK", "ALARM", INSUFFICIENT_DATA):
            set_state(self, alarm_name, reason, reason_data, state_value)  # raises
            return
        alarms.change(self.region_name, alarm, state_value, reason, reason_data)

    def list_metrics(
        self: CloudWatchBackend,
        next_token: str | None,
        namespace: str | None,
        metric_name: str | None,
        dimensions: list[dict[str, str]],
    ) -> tuple[None, list[Any]]:
        found = []
        for held_namespace, name, pairs in list(metrics.store(self.region_name).series):
            wanted = all(
                any(key == one["Name"] and one.get("Value") in (None, value) for key, value in pairs)
                for one in dimensions or []
            )
            if wanted and namespace in (None, held_namespace) and metric_name in (None, name):
                shown = [Dimension(key, value) for key, value in pairs]
                found.append(SimpleNamespace(namespace=held_namespace, name=name, metric_name=name, dimensions=shown))
        return None, found

    CloudWatchBackend.put_metric_alarm = put_metric_alarm
    CloudWatchBackend.set_alarm_state = set_alarm_state
    CloudWatchBackend.list_metrics = list_metrics
    CloudWatchBackend.put_metric_data = lambda self, namespace, metric_data: metrics.put_data(
        self.region_name, namespace, metric_data
    )
    _replace_responses(metrics)


def _replace_responses(metrics: Metrics) -> None:
    def get_metric_statistics(self: CloudWatchResponse) -> ActionResult:
        statistics, extended = self._get_param("Statistics", []), self._get_param("ExtendedStatistics", [])
        if not statistics and not extended:
            raise AwsError("InvalidParameterCombination", "Must specify either Statistics or ExtendedStatistics")
        key = (
            self._get_param("Namespace"),
            self._get_param("MetricName"),
            dimensions_of(self._get_param("Dimensions", [])),
        )
        start, end = self._get_param("StartTime"), self._get_param("EndTime")
        points = metrics.datapoints(self.region, key, start, end, self._get_int_param("Period"), statistics, extended)
        return ActionResult({"Label": key[1], "Datapoints": points})

    def get_metric_data(self: CloudWatchResponse) -> ActionResult:
        request = self._get_params()
        watching.check_ids([query.get("Id", "") for query in request.get("MetricDataQueries", [])])
        for number, query in enumerate(request.get("MetricDataQueries", []), start=1):
            if "MetricStat" not in query and "Expression" not in query:
                raise AwsError(
                    "ValidationError", f"The parameter MetricDataQueries.member.{number}.MetricStat is required.\n"
                )
        results = metrics.data(
            self.region,
            request.get("MetricDataQueries", []),
            request["StartTime"],
            request["EndTime"],
            request.get("ScanBy") or "TimestampDescending",
        )
        return ActionResult({"MetricDataResults": results, "Messages": []})

    every_alarm = CloudWatchResponse.describe_alarms

    def describe_alarms(self: CloudWatchResponse) -> ActionResult:
        answer = every_alarm(self)
        kinds = self._get_param("AlarmTypes", [])
        if kinds and "MetricAlarm" not in kinds:
            answer.result["MetricAlarms"] = []
        return answer

    def describe_alarms_for_metric(self: CloudWatchResponse) -> ActionResult:
        wanted = dimensions_of(self._get_param("Dimensions", []))
        named = {"namespace": "Namespace", "metric_name": "MetricName", "statistic": "Statistic", "unit": "Unit"}
        named |= {"period": "Period", "extended_statistic": "ExtendedStatistic"}
        asked = {member: self._get_param(name) for member, name in named.items()}
        found = [
            alarm
            for alarm in list(self.cloudwatch_backend.alarms.values())
            if all(value is None or str(getattr(alarm, member)) == str(value) for member, value in asked.items())
            and dimensions_of([{"Name": one.name, "Value": one.value} for one in alarm.dimensions or []]) == wanted
        ]
        return ActionResult({"MetricAlarms": found})

    def describe_alarm_history(self: CloudWatchResponse) -> ActionResult:
        name, kind = self._get_param("AlarmName"), self._get_param("HistoryItemType")
        held = self.cloudwatch_backend.alarms
        chosen = [held[name]] if name in held else [] if name else list(held.values())
        items = [item for alarm in chosen for item in alarm.__dict__.get("items_of_history", [])]
        items = [item for item in items if kind in (None, item["HistoryItemType"])]
        start, end = self._get_param("StartDate"), self._get_param("EndDate")
        if start:
            items = [item for item in items if item["Timestamp"] >= start.replace(tzinfo=start.tzinfo or UTC)]
        if end:
            items = [item for item in items if item["Timestamp"] <= end.replace(tzinfo=end.tzinfo or UTC)]
        newest_first = self._get_param("ScanBy") != "TimestampAscending"
        items.sort(key=lambda item: item["Timestamp"], reverse=newest_first)
        return ActionResult({"AlarmHistoryItems": items[: self._get_param("MaxRecords") or 100]})

    def put_dashboard(self: CloudWatchResponse) -> ActionResult:
        name, body = self._get_param("DashboardName"), self._get_param("DashboardBody")
        if not dashboards.NAME.fullmatch(name or ""):
            raise AwsError("InvalidParameterValue", f"The field DashboardName contains invalid characters: {name}")
        found = dashboards.problems(body or "")
        if found:
            raise AwsError(
                "InvalidParameterInput",
                f"The dashboard body is invalid, there are {len(found)} validation errors: {json.dumps(found)}",
                dashboardValidationMessages=found,
            )
        self.cloudwatch_backend.put_dashboard(name, body)
        return ActionResult({"DashboardValidationMessages": []})

    CloudWatchResponse.put_dashboard = put_dashboard
    CloudWatchResponse.get_metric_statistics = get_metric_statistics
    CloudWatchResponse.get_metric_data = get_metric_data
    CloudWatchResponse.describe_alarm_history = describe_alarm_history
    CloudWatchResponse.describe_alarms = describe_alarms
    CloudWatchResponse.describe_alarms_for_metric = describe_alarms_for_metric


def check_alarm(settings: dict[str, Any]) -> None:
    """Raises AwsError for what PutMetricAlarm does not take, or takes on AWS and not here."""
    if settings.get("rule"):
        raise AwsError("NotImplemented", "The offline AWS's CloudWatch has no composite alarms.", 501)
    if settings.get("threshold_metric_id"):
        raise AwsError("NotImplemented", "The offline AWS's CloudWatch has no anomaly detection.", 501)
    if settings["comparison_operator"] not in COMPARISONS:
        if settings["comparison_operator"] in BANDS:
            raise AwsError("NotImplemented", "The offline AWS's CloudWatch has no anomaly detection.", 501)
        raise enumeration(settings["comparison_operator"], "comparisonOperator", COMPARISONS)
    periods = settings["evaluation_periods"]
    if settings.get("metric_data_queries"):
        watching.check(settings)
        period = watching.period_of(SimpleNamespace(metric_data_queries=settings["metric_data_queries"]))
    else:
        period = settings.get("period")
    if period is None or not (period in (10, 20, 30) or (period >= 60 and period % 60 == 0)):
        raise AwsError("ValidationError", f"Invalid period {period}: it must be 10, 20, 30 or a multiple of 60.")
    if period * periods > DAY_S:
        raise AwsError(
            "ValidationError", "Metrics cannot be checked across more than a day (EvaluationPeriods * Period)."
        )
    if periods < 1:
        raise AwsError("ValidationError", "The parameter EvaluationPeriods must be greater than or equal to 1.")
    needed = settings.get("datapoints_to_alarm")
    if needed is not None and not 1 <= needed <= periods:
        raise AwsError("ValidationError", "The parameter DatapointsToAlarm must be from 1 to EvaluationPeriods.")
    statistic, extended = settings.get("statistic"), settings.get("extended_statistic")
    if bool(statistic) == bool(extended) and not settings.get("metric_data_queries"):
        raise AwsError("ValidationError", "Exactly one of Statistic and ExtendedStatistic must be given.")
    if statistic and statistic not in STATISTICS:
        raise enumeration(statistic, "statistic", STATISTICS)
    if extended:
        check_statistic(extended)
    if settings.get("threshold") is None:
        raise AwsError("ValidationError", "The parameter Threshold is required.")
    if (settings.get("treat_missing_data") or "missing") not in MISSING:
        raise AwsError(
            "ValidationError",
            f"Option {settings['treat_missing_data']} is not supported. Supported options for parameter "
            "TreatMissingData are breaching, notBreaching, ignore, and missing.",
        )
    for kind in ("alarm_actions", "ok_actions", "insufficient_data_actions"):
        check_actions(settings.get(kind) or [])


def check_actions(actions: list[str]) -> None:
    """Raises AwsError for what is no ARN, too many, or of a service that offline alarms do not call."""
    if len(actions) > ACTION_LIMIT:
        raise AwsError("ValidationError", f"An alarm has at most {ACTION_LIMIT} actions for each state.")
    for action in actions:
        parts = action.split(":")
        if len(parts) < 6 or parts[0] != "arn":
            raise AwsError("ValidationError", f"Invalid arn syntax: {action}")
        if parts[2] not in ("sns", "lambda", "autoscaling"):
            raise AwsError("NotImplemented", f"The offline AWS's alarms have no actions of {parts[2]}.", 501)


def enumeration(value: str, member: str, allowed: Any) -> AwsError:
    return AwsError(
        "ValidationError",
        f"1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: "
        f"Member must satisfy enum value set: [{', '.join(allowed)}]",
    )
