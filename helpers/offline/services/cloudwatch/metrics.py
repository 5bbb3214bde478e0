"""Putting and reading metrics, over one store of series per region."""

from __future__ import annotations

import json
import logging
import pickle
import re
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from moto.cloudwatch.models import cloudwatch_backends

from helpers.offline import pickling
from helpers.offline.journals import Journal
from helpers.offline.kernel import ACCOUNT_ID, Answer, AwsError, Call, Kernel
from helpers.offline.services.cloudwatch import expressions
from helpers.offline.services.cloudwatch import labels as dynamic
from helpers.offline.services.cloudwatch.series import STATISTICS, Key, Store, dimensions_of

OLDEST_S, NEWEST_S = 14 * 86_400, 2 * 3600  # https://docs.aws.amazon.com/AmazonCloudWatch/…/API_PutMetricData.html
DATAPOINT_LIMIT = 1440
LARGEST = 2.0**360
DATA_LIMIT, VALUES_LIMIT = 1000, 150
RATES = ("Bytes", "Kilobytes", "Megabytes", "Gigabytes", "Terabytes", "Bits", "Kilobits", "Megabits", "Gigabits")
RATES += ("Terabits",)
UNITS = ("Seconds", "Microseconds", "Milliseconds", *RATES, "Percent", "Count")
UNITS += (*(f"{unit}/Second" for unit in (*RATES, "Count")), "None")
STATISTIC_SET = ("SampleCount", "Sum", "Minimum", "Maximum")
log = logging.getLogger("offline.cloudwatch")
PERCENTILE = re.compile(r"p(100(\.0{0,10})?|\d{1,2}(\.\d{0,10})?)")


class Metrics:
    """ports.metrics. What clients put is in a journal when they are told so; services' own metrics are not."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.stores: dict[str, Store] = {}
        self.journal = Journal(kernel.workspace.dir / "state", "metrics", lambda: kernel.mark_dirty("metric data"))
        self._journal_lock = threading.Lock()  # over the journal and the stores: each datum counts once
        self._replay_from = 0
        self._remove_former: Callable[[], None] = lambda: None

    def store(self, region: str) -> Store:
        found = self.stores.get(region)
        return found if found is not None else self.stores.setdefault(region, Store())

    # --- for other services -------------------------------------------------------------------------------------------

    def put(
        self,
        account_id: str,
        region: str,
        namespace: str,
        name: str,
        dimensions: dict[str, str],
        value: float,
        *,
        unit: str = "None",
        timestamp: float | None = None,
        count: int = 1,
    ) -> None:
        key = (namespace, name, tuple(sorted(dimensions.items())))
        self.store(region).put(key, value, unit, time.time() if timestamp is None else timestamp, count)
        self.kernel.mark_dirty("metric data")

    def alarm_states(self, account_id: str, region: str, names: Sequence[str]) -> dict[str, str]:
        alarms = cloudwatch_backends[account_id][region].alarms
        return {name: alarms[name].state_value for name in names if name in alarms}

    # --- for clients ----------------------------------------------------------------------------------------------

    def put_data_call(self, call: Call) -> Answer:
        """PutMetricData as boto3 sends it (JSON 1.0)."""
        request = json.loads(call.body)
        self.put_data(call.region, request.get("Namespace", ""), request.get("MetricData", []))
        return Answer(200, {"content-type": "application/x-amz-json-1.0"}, b"{}")

    def put_data(self, region: str, namespace: str, data: Iterable[Mapping[str, Any]]) -> None:
        """All of the data or none; kept when it returns. Raises AwsError for what CloudWatch does not take, OSError."""
        if namespace.startswith("AWS/"):
            raise AwsError("InvalidParameterValue", "The value AWS/ for parameter Namespace is invalid.")
        if not namespace:
            raise AwsError("MissingParameter", "The parameter Namespace is required.")
        data = list(data)
        if len(data) > DATA_LIMIT:
            raise AwsError(
                "InvalidParameterValue", f"The collection MetricData must not have a size greater than {DATA_LIMIT}."
            )
        now = time.time()
        checked = [check(number, datum, now) for number, datum in enumerate(data, start=1)]
        record = pickle.dumps((region, namespace, checked))
        with self._journal_lock:
            self.journal.append(record)
            self._add(region, namespace, checked)
        self.kernel.mark_dirty("metric data")

    def _add(self, region: str, namespace: str, checked: Iterable[tuple[Mapping[str, Any], float]]) -> None:
        store = self.store(region)
        with store.lock:
            for datum, timestamp in checked:
                key = (namespace, datum["MetricName"], dimensions_of(datum.get("Dimensions")))
                add(store, key, datum, timestamp)

    def datapoints(
        self,
        region: str,
        key: Key,
        start: datetime,
        end: datetime,
        period_s: int,
        statistics: Sequence[str],
        extended: Sequence[str],
    ) -> list[dict[str, Any]]:
        """GetMetricStatistics. Raises AwsError."""
        first, last = epoch(start), epoch(end)
        if first >= last:
            raise AwsError("InvalidParameterValue", "The parameter StartTime must be less than the parameter EndTime.")
        check_period(period_s)
        for name in (*statistics, *extended):
            check_statistic(name)
        if (last - first) / period_s > DATAPOINT_LIMIT:
            raise AwsError(
                "InvalidParameterCombination",
                f"You have requested up to {int((last - first) / period_s):,} datapoints, which exceeds the limit of "
                f"{DATAPOINT_LIMIT:,}. You may reduce the datapoints requested by increasing Period, or decreasing the "
                "time range.",
            )
        store = self.store(region)
        unit = store.unit_of(key)
        found = []
        for stamp, bucket in store.periods(key, first - first % period_s, last, period_s):
            point: dict[str, Any] = {"Timestamp": datetime.fromtimestamp(stamp, UTC), "Unit": unit}
            point |= {name: bucket.statistic(name) for name in statistics}
            percentiles = {name: value for name in extended if (value := bucket.statistic(name)) is not None}
            if extended:
                point["ExtendedStatistics"] = percentiles
            if statistics or percentiles:  # sets of statistics have no percentiles
                found.append(point)
        return found

    def data(
        self, region: str, queries: Sequence[Mapping[str, Any]], start: datetime, end: datetime, scan_by: str
    ) -> list[dict[str, Any]]:
        """GetMetricData: metric statistics and arithmetic over them. Raises AwsError."""
        first, last = epoch(start), epoch(end)
        if first >= last:
            raise AwsError("ValidationError", "The parameter EndTime must be greater than StartTime.")
        by_id: dict[str, dict[int, float]] = {}
        labels: dict[str, str] = {}
        for query in queries:
            if "MetricStat" in query:
                by_id[query["Id"]], labels[query["Id"]] = self._metric_stat(region, query["MetricStat"], first, last)
        metrics = list(by_id)
        periods = [int(query["MetricStat"]["Period"]) for query in queries if "MetricStat" in query]
        waiting = {query["Id"]: query for query in queries if "Expression" in query}
        while waiting:
            ready = [one for one in waiting.values() if not expressions.names_in(one["Expression"]) & waiting.keys()]
            if not ready:
                raise AwsError("ValidationError", f"The expressions {', '.join(sorted(waiting))} name each other.")
            for query in ready:
                period_s = int(query.get("Period") or max(periods, default=60))
                by_id[query["Id"]] = expressions.evaluate(
                    query["Expression"], by_id, period_s=period_s, metrics=metrics
                )
                labels[query["Id"]] = query["Id"]
                del waiting[query["Id"]]
        results = []
        for query in queries:
            if query.get("ReturnData", True) is False:
                continue
            points = sorted(by_id[query["Id"]].items())
            label = labels[query["Id"]]
            if query.get("Label"):
                label = dynamic.filled(query["Label"], points, label, self._properties(region, query))
            if scan_by == "TimestampDescending":
                points.reverse()
            results.append(
                {
                    "Id": query["Id"],
                    "Label": label,
                    "Timestamps": [datetime.fromtimestamp(stamp, UTC) for stamp, _ in points],
                    "Values": [value for _, value in points],
                    "StatusCode": "Complete",
                }
            )
        return results

    def _properties(self, region: str, query: Mapping[str, Any]) -> dict[str, str]:
        """What a dynamic label may name of the query's metric."""
        properties = {"AccountId": ACCOUNT_ID, "AccountLabel": ACCOUNT_ID, "Region": region}
        stat = query.get("MetricStat")
        if stat is not None:
            metric = stat["Metric"]
            properties |= {"Namespace": metric["Namespace"], "MetricName": metric["MetricName"]}
            properties |= {"Period": str(stat["Period"]), "Stat": stat["Stat"]}
            properties |= {f"Dim.{one['Name']}": one["Value"] for one in metric.get("Dimensions") or []}
        return properties

    def _metric_stat(
        self, region: str, wanted: Mapping[str, Any], first: float, last: float
    ) -> tuple[dict[int, float], str]:
        metric, period_s, statistic = wanted["Metric"], int(wanted["Period"]), wanted["Stat"]
        check_period(period_s)
        check_statistic(statistic)
        key = (metric["Namespace"], metric["MetricName"], dimensions_of(metric.get("Dimensions")))
        found = self.store(region).periods(key, first - first % period_s, last, period_s)
        values = {stamp: bucket.statistic(statistic) for stamp, bucket in found}
        return {stamp: value for stamp, value in values.items() if value is not None}, metric["MetricName"]

    # --- kept over restarts -----------------------------------------------------------------------------------------

    def save(self) -> dict[str, Any]:
        with self._journal_lock:
            self._remove_former = self.journal.begin_next()
            return {"journal": self.journal.number, "stores": self._saved_stores()}

    def before_snapshot(self) -> Callable[[], None]:
        """Returns what to do when the snapshot is written."""
        return lambda: self._remove_former()

    def load(self, kept: dict[str, Any]) -> None:
        self._replay_from = kept["journal"]
        self._load_stores(kept["stores"])

    def replay(self) -> None:
        """What was put after the snapshot."""
        for record in self.journal.records(self._replay_from):
            try:
                self._add(*pickling.load(record))
            except Exception:
                log.exception("a record of the journal of metric values cannot be used")

    def _saved_stores(self) -> dict[str, Any]:
        kept = {}
        for region, store in list(self.stores.items()):
            store.prune()
            with store.lock:
                kept[region] = {
                    key: (
                        series.unit,
                        {s: (b.count, b.total, b.least, b.most, b.values[:]) for s, b in series.buckets.items()},
                    )
                    for key, series in store.series.items()
                }
        return kept

    def _load_stores(self, kept: dict[str, Any]) -> None:
        for region, held in kept.items():
            store = self.store(region)
            for key, (unit, buckets) in held.items():
                for second, (count, total, least, most, values) in buckets.items():
                    bucket = store.bucket(key, unit, second)
                    bucket.add_statistics(count, total, least, most)
                    bucket.values += values


def epoch(moment: datetime) -> float:
    """moto hands over naive UTC times."""
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def check_period(period_s: int) -> None:
    """Raises AwsError InvalidParameterValue. `period_s` in seconds."""
    if period_s in (1, 5, 10, 20, 30) or (period_s >= 60 and period_s % 60 == 0):
        return
    raise AwsError("InvalidParameterValue", "The parameter Period must be 1, 5, 10, 20, 30 or a multiple of 60.")


def check_statistic(name: str) -> None:
    """Raises AwsError for what is neither one of the five statistics nor a percentile."""
    if name in STATISTICS or PERCENTILE.fullmatch(name):
        return
    if re.fullmatch(r"(TM|TC|TS|WM|PR|IQM|tm|tc|ts|wm)[\d(:.)%]*", name):
        raise AwsError("NotImplemented", f"The offline AWS's CloudWatch does not know the statistic {name}.", 501)
    raise AwsError("InvalidParameterValue", f"The value {name} for parameter Statistic is invalid.")


def check(number: int, datum: Mapping[str, Any], now: float) -> tuple[Mapping[str, Any], float]:
    """(the datum, its time in seconds). Raises AwsError in CloudWatch's words."""
    place = f"MetricData.member.{number}"
    if not datum.get("MetricName"):
        raise AwsError("MissingParameter", f"The parameter {place}.MetricName is required.")
    values = datum.get("Values")
    if datum.get("Value") is None and not values and not datum.get("StatisticValues"):
        raise AwsError("MissingParameter", f"At least one of the parameters must be specified: {place}.Value")
    if datum.get("Value") is not None and values:
        raise AwsError(
            "InvalidParameterCombination",
            f"The parameters {place}.Value and {place}.Values are mutually exclusive and you have specified both.",
        )
    held = datum.get("StatisticValues")
    if held and (missing := [name for name in STATISTIC_SET if held.get(name) is None]):
        raise AwsError("MissingParameter", f"The parameter {place}.StatisticValues.{missing[0]} is required.")
    if held and (float(held["SampleCount"]) <= 0 or float(held["Minimum"]) > float(held["Maximum"])):
        raise AwsError("InvalidParameterValue", f"The parameter {place}.StatisticValues is invalid.")
    if held and (datum.get("Value") is not None or values):
        other = "Value" if values is None else "Values"
        raise AwsError(
            "InvalidParameterCombination",
            f"The parameters {place}.{other} and {place}.StatisticValues are mutually exclusive and you have specified "
            "both.",
        )
    if values and datum.get("Counts") and len(values) != len(datum["Counts"]):
        raise AwsError(
            "InvalidParameterValue", f"The parameters {place}.Values and {place}.Counts must be of the same size."
        )
    for value in (datum.get("Value"), *(values or ())):
        if value is not None and not abs(float(value)) <= LARGEST:  # catches what is no number, too
            raise AwsError("InvalidParameterValue", f"The value {value} for parameter {place}.Value is invalid.")
    if len(values or ()) > VALUES_LIMIT:
        raise AwsError(
            "InvalidParameterValue", f"The collection {place}.Values must not have a size greater than {VALUES_LIMIT}."
        )
    if (datum.get("Unit") or "None") not in UNITS:
        raise AwsError(
            "InvalidParameterValue", f"The parameter {place}.Unit must be a value in the set [ {', '.join(UNITS)} ]"
        )
    if datum.get("StorageResolution") not in (None, 1, 60):
        raise AwsError("InvalidParameterValue", f"The parameter {place}.StorageResolution must be 1 or 60.")
    if len(datum.get("Dimensions") or ()) > 30:
        raise AwsError(
            "InvalidParameterValue", f"The collection {place}.Dimensions must not have a size greater than 30."
        )
    timestamp = seconds(datum.get("Timestamp"), now)
    if not now - OLDEST_S <= timestamp <= now + NEWEST_S:
        raise AwsError(
            "InvalidParameterValue",
            f"The parameter {place}.Timestamp must specify a time within the past two weeks and the next two hours.",
        )
    return datum, timestamp


def seconds(value: Any, now: float) -> float:
    """A timestamp as any protocol gives it, in seconds since 1970; `now` without one."""
    if value is None:
        return now
    if isinstance(value, int | float):
        return float(value)
    if isinstance(value, datetime):
        return epoch(value)
    return epoch(datetime.fromisoformat(str(value).replace("Z", "+00:00")))


def add(store: Store, key: Key, datum: Mapping[str, Any], timestamp: float) -> None:
    """Hold the store's lock."""
    bucket = store.bucket(key, datum.get("Unit") or "None", timestamp)
    if datum.get("Values"):
        counts = datum.get("Counts") or [1.0] * len(datum["Values"])
        for value, count in zip(datum["Values"], counts, strict=True):
            bucket.add(float(value), float(count))
    elif datum.get("StatisticValues"):
        held = datum["StatisticValues"]
        count, total = float(held["SampleCount"]), float(held["Sum"])
        least, most = float(held["Minimum"]), float(held["Maximum"])
        if count and least == most:  # then the values are known, and so are percentiles
            bucket.add(least, count)
        else:
            bucket.add_statistics(count, total, least, most)
    else:
        bucket.add(float(datum["Value"]))
