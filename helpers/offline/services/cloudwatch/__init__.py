"""CloudWatch: metrics by the second, alarms that are evaluated and act, dashboards."""

from __future__ import annotations

from helpers.offline import fallthrough
from helpers.offline.kernel import Answer, Call, Kernel, Support
from helpers.offline.services.cloudwatch import seam
from helpers.offline.services.cloudwatch.alarms import TICK_S, Alarms
from helpers.offline.services.cloudwatch.metrics import Metrics

OPERATIONS: dict[str, Support] = {
    "PutMetricData": Support("real", "all data by the second for three hours, by the minute for 15 days"),
    "GetMetricData": Support(
        "simplified",
        "metric math without SEARCH, SELECT, anomaly bands, sorting; dynamic labels without spans of time; one page",
    ),
    "GetMetricStatistics": Support("real"),
    "ListMetrics": Support("simplified", "one page"),
    "PutMetricAlarm": Support(
        "real", "one metric or an expression; M out of N, missing data, periods of 10 s and more; no anomaly detection"
    ),
    "DescribeAlarms": Support("simplified", "one page"),
    "DescribeAlarmsForMetric": Support("real"),
    "DescribeAlarmHistory": Support("real"),
    "DeleteAlarms": Support("real"),
    "SetAlarmState": Support("real", "until the next evaluation; actions follow"),
    "EnableAlarmActions": Support("real"),
    "DisableAlarmActions": Support("real"),
    "PutDashboard": Support("stored", "checked, kept, and drawn nowhere"),
    "GetDashboard": Support("stored"),
    "ListDashboards": Support("stored"),
    "DeleteDashboards": Support("stored"),
    "TagResource": Support("real"),
    "UntagResource": Support("real"),
    "ListTagsForResource": Support("real"),
}


def install(kernel: Kernel) -> None:
    metrics = Metrics(kernel)
    alarms = Alarms(kernel, metrics)
    kernel.ports.metrics = metrics
    seam.replace(metrics, alarms)

    def put_metric_data(call: Call) -> Answer:
        """JSON, as boto3 sends it, without a detour; what older clients send goes through moto's parsers."""
        return metrics.put_data_call(call) if call.protocol == "json" else fallthrough.ask_moto(call)

    kernel.hot("monitoring", "PutMetricData", put_metric_data)
    kernel.durable("metric data", metrics.save, metrics.load)
    kernel.before_snapshot["monitoring"] = [metrics.before_snapshot]
    kernel.on_start(metrics.replay)
    kernel.synced(metrics.journal.sync)
    kernel.every(TICK_S, alarms.tick, name="alarms")
