"""Dynamic labels, and alarms found by their metric."""

from datetime import UTC, datetime, timedelta

import pytest

from helpers.offline.kernel import AwsError
from helpers.offline.services.cloudwatch.labels import filled

POINTS = [(60, 4.0), (120, 1.0), (180, 2.5)]
PROPERTIES = {"MetricName": "Weight", "Dim.pod": "7"}


@pytest.mark.parametrize(
    ("label", "written"),
    [
        ("plain", "plain"),
        ("${LABEL}: ${AVG}", "default: 2.5"),
        ("${MIN}..${MAX} (${MIN_MAX_RANGE})", "1..4 (3)"),
        ("${FIRST} -> ${LAST}: ${FIRST_LAST_RANGE}", "4 -> 2.5: -1.5"),
        ("${SUM} in ${DATAPOINT_COUNT}", "7.5 in 3"),
        ("${PROP('MetricName')} of ${PROP('Dim.pod')}", "Weight of 7"),
        ("${PROP('Dim.none')} ${NOTHING}", "${PROP('Dim.none')} ${NOTHING}"),
        ("at ${MIN_TIME}", "at 1970-01-01 00:02:00 UTC"),
    ],
)
def test_a_label_is_filled_in(label, written):
    assert filled(label, POINTS, "default", PROPERTIES) == written


def test_without_points_there_is_nothing_to_tell():
    assert filled("${MAX} of ${DATAPOINT_COUNT}", [], "m", {}) == "-- of 0"


def test_spans_of_time_are_refused_by_name():
    with pytest.raises(AwsError, match="LAST_TIME_RELATIVE"):
        filled("${LAST_TIME_RELATIVE}", POINTS, "m", {})


def test_labels_of_results_and_alarms_by_metric(offline, unique):
    client, namespace = offline.client("cloudwatch"), unique("space")
    dimensions = [{"Name": "pod", "Value": "7"}]
    now = datetime.now(UTC)
    for value in (3.0, 9.0):
        client.put_metric_data(
            Namespace=namespace, MetricData=[{"MetricName": "weight", "Dimensions": dimensions, "Value": value}]
        )
    metric = {"Namespace": namespace, "MetricName": "weight", "Dimensions": dimensions}
    label = "${PROP('MetricName')} of pod ${PROP('Dim.pod')}, ${PROP('Stat')}: ${SUM}"
    query = {"Id": "a", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Sum"}, "Label": label}
    spans = {"StartTime": now - timedelta(hours=1), "EndTime": now + timedelta(hours=1)}
    (result,) = client.get_metric_data(MetricDataQueries=[query], **spans)["MetricDataResults"]
    assert result["Label"] == "weight of pod 7, Sum: 12"
    name = unique("alarm")
    client.put_metric_alarm(
        AlarmName=name,
        **metric,
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanThreshold",
    )
    found = client.describe_alarms_for_metric(**metric)["MetricAlarms"]
    assert [alarm["AlarmName"] for alarm in found] == [name]
    for changed in ({"Dimensions": []}, {"Period": 300}, {"Statistic": "Average"}):
        assert client.describe_alarms_for_metric(**metric | changed)["MetricAlarms"] == []
    composite = client.describe_alarms(AlarmNames=[name], AlarmTypes=["CompositeAlarm"])
    assert composite["MetricAlarms"] == [] and composite["CompositeAlarms"] == []
