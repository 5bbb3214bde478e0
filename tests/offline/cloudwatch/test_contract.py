"""CloudWatch's alarms as its documentation describes them, row by row."""

import json
import re
import time
from datetime import UTC, datetime

import pytest
from botocore.exceptions import ClientError

USUAL = {
    "Namespace": "Contract",
    "MetricName": "Error",
    "Dimensions": [{"Name": "FC", "Value": "NORTH"}],
    "Statistic": "Sum",
    "Period": 60,
    "EvaluationPeriods": 1,
    "Threshold": 50.0,
    "ComparisonOperator": "GreaterThanThreshold",
}


@pytest.fixture
def put(offline, unique):
    """put(**settings) -> the alarm's name; None leaves a member out. All alarms are removed afterwards."""
    cloudwatch, names = offline.client("cloudwatch"), []

    def make(**settings):
        name = unique("contract")
        wanted = {key: value for key, value in (USUAL | {"AlarmName": name} | settings).items() if value is not None}
        cloudwatch.put_metric_alarm(**wanted)
        names.append(name)
        return name

    yield make
    if names:
        cloudwatch.delete_alarms(AlarmNames=names)


def described(offline, name):
    (alarm,) = offline.client("cloudwatch").describe_alarms(AlarmNames=[name])["MetricAlarms"]
    return alarm


def test_a_new_alarm_has_insufficient_data_and_says_that_it_was_not_checked(offline, put):
    alarm = described(offline, put())
    assert (alarm["StateValue"], alarm["StateReason"]) == ("INSUFFICIENT_DATA", "Unchecked: Initial alarm creation")


PERIODS = [(10, True), (20, True), (30, True), (60, True), (120, True), (3600, True), (86_400, True)]
PERIODS += [(5, False), (15, False), (40, False), (90, False)]


@pytest.mark.parametrize(("period", "allowed"), PERIODS, ids=[f"period {period}" for period, _ in PERIODS])
def test_periods(put, period, allowed):
    if allowed:
        put(Period=period)
    else:
        with pytest.raises(ClientError):
            put(Period=period)


def test_periods_times_evaluation_periods_are_at_most_a_day(put):
    put(Period=3600, EvaluationPeriods=24)
    with pytest.raises(ClientError, match="more than a day"):
        put(Period=3600, EvaluationPeriods=25)


def test_at_most_five_actions_for_a_state(put, offline, unique):
    topic = offline.client("sns").create_topic(Name=unique("topic"))["TopicArn"]
    put(AlarmActions=[f"{topic}{n}" for n in range(5)])
    with pytest.raises(ClientError):
        put(AlarmActions=[f"{topic}{n}" for n in range(6)])


def test_a_state_that_was_set_lasts_until_the_next_evaluation_and_acts_meanwhile(offline, put, eventually):
    name = put(Period=10, TreatMissingData="notBreaching")
    eventually(lambda: described(offline, name)["StateValue"] == "OK")
    offline.client("cloudwatch").set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="a drill")
    alarm = described(offline, name)
    assert (alarm["StateValue"], alarm["StateReason"]) in (("ALARM", "a drill"), ("OK", alarm["StateReason"]))
    eventually(lambda: described(offline, name)["StateValue"] == "OK", 90)
    history = offline.client("cloudwatch").describe_alarm_history(AlarmName=name, HistoryItemType="StateUpdate")
    summaries = [item["HistorySummary"] for item in history["AlarmHistoryItems"]]
    assert summaries[:2] == ["Alarm updated from ALARM to OK", "Alarm updated from OK to ALARM"]


def test_reason_and_data_of_a_crossed_threshold(offline, put, unique, eventually):
    namespace = unique("Contract")
    name = put(Namespace=namespace, Period=10)
    now = time.time()
    when = datetime.fromtimestamp(now - now % 10 - 5, UTC)
    datum = {"MetricName": "Error", "Dimensions": USUAL["Dimensions"], "Value": 99.5, "Timestamp": when}
    offline.client("cloudwatch").put_metric_data(Namespace=namespace, MetricData=[datum])
    eventually(lambda: described(offline, name)["StateValue"] == "ALARM")
    alarm = described(offline, name)
    start = datetime.fromtimestamp(when.timestamp() // 10 * 10, UTC)
    assert alarm["StateReason"] == (
        f"Threshold Crossed: 1 out of the last 1 datapoints [99.5 ({start:%d/%m/%y %H:%M:%S})] was greater than the "
        "threshold (50.0) (minimum 1 datapoint for OK -> ALARM transition)."
    )
    data = json.loads(alarm["StateReasonData"])
    assert set(data) == {
        "version", "queryDate", "startDate", "statistic", "period", "recentDatapoints", "threshold",
        "evaluatedDatapoints",
    }  # fmt: skip
    assert (data["version"], data["statistic"], data["period"], data["threshold"]) == ("1.0", "Sum", 10, 50.0)
    assert data["recentDatapoints"] == [99.5]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+0000", data["queryDate"])
    eventually(lambda: described(offline, name)["StateValue"] == "INSUFFICIENT_DATA", 60)
    assert described(offline, name)["StateReason"] == "Insufficient Data: 1 datapoint was unknown."


SNS_KEYS = [
    "AlarmName", "AlarmDescription", "AWSAccountId", "AlarmConfigurationUpdatedTimestamp", "NewStateValue",
    "NewStateReason", "StateChangeTime", "Region", "AlarmArn", "OldStateValue", "OKActions", "AlarmActions",
    "InsufficientDataActions", "Trigger",
]  # fmt: skip
TRIGGER = {
    "MetricName": "Error", "Namespace": "Contract", "StatisticType": "Statistic", "Statistic": "SUM", "Unit": None,
    "Dimensions": [{"value": "NORTH", "name": "FC"}], "Period": 60, "EvaluationPeriods": 1, "DatapointsToAlarm": 1,
    "ComparisonOperator": "GreaterThanThreshold", "Threshold": 50.0, "TreatMissingData": "missing",
    "EvaluateLowSampleCountPercentile": "",
}  # fmt: skip


@pytest.fixture
def heard(offline, unique, make_queue, put, letters, eventually):
    """heard(**settings) -> (alarm, SNS notification, EventBridge event) of an alarm that is set to ALARM."""

    def listen(**settings):
        sns, events, name = offline.client("sns"), offline.client("events"), unique("heard")
        topic = sns.create_topic(Name=name)["TopicArn"]
        url, queue = make_queue("sns")
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue)
        seen_url, seen = make_queue("events")
        alarm = put(AlarmActions=[topic], AlarmDescription="too much", **settings)
        events.put_rule(Name=name, EventPattern=json.dumps({"detail": {"alarmName": [alarm]}}))
        events.put_targets(Rule=name, Targets=[{"Id": "1", "Arn": seen}])
        reason = {"StateReason": "a drill", "StateReasonData": '{"by": "hand"}'}
        offline.client("cloudwatch").set_alarm_state(AlarmName=alarm, StateValue="ALARM", **reason)
        letter = eventually(lambda: letters(url))[0]
        event = eventually(lambda: letters(seen_url))[0]  # the alarm's own evaluation may follow with a second one
        return described(offline, alarm), json.loads(letter), json.loads(event)

    return listen


def test_what_a_topic_and_a_rule_are_told(heard):
    alarm, letter, event = heard()
    name = alarm["AlarmName"]
    assert letter["Subject"] == f'ALARM: "{name}" in US East (N. Virginia)'
    message = json.loads(letter["Message"])
    assert list(message) == SNS_KEYS
    assert message["Trigger"] == TRIGGER
    assert (message["AWSAccountId"], message["Region"]) == ("123456789012", "US East (N. Virginia)")
    assert (message["OldStateValue"], message["NewStateReason"]) == ("INSUFFICIENT_DATA", "a drill")
    assert message["AlarmArn"] == f"arn:aws:cloudwatch:us-east-1:123456789012:alarm:{name}"

    assert (event["source"], event["detail-type"]) == ("aws.cloudwatch", "CloudWatch Alarm State Change")
    assert event["resources"] == [alarm["AlarmArn"]]
    detail = event["detail"]
    assert set(detail) == {"alarmName", "configuration", "previousState", "state"}
    assert set(detail["state"]) == set(detail["previousState"]) == {"value", "reason", "reasonData", "timestamp"}
    assert (detail["state"]["value"], detail["state"]["reasonData"]) == ("ALARM", '{"by": "hand"}')
    assert detail["previousState"]["reason"] == "Unchecked: Initial alarm creation"
    assert detail["configuration"] == {
        "description": "too much",
        "metrics": [
            {
                "id": "m1",
                "metricStat": {
                    "metric": {"namespace": "Contract", "name": "Error", "dimensions": {"FC": "NORTH"}},
                    "period": 60,
                    "stat": "Sum",
                },
                "returnData": True,
            }
        ],
    }


def stat(name, **more):
    metric = {"Namespace": "Contract", "MetricName": name}
    return {"MetricStat": {"Metric": metric, "Period": 10, "Stat": "Sum"}, "ReturnData": False} | more


RATE = [
    stat("Failed", Id="failed"),
    stat("All", Id="everything"),
    {"Id": "rate", "Expression": "100 * failed / everything", "Label": "failures in percent", "ReturnData": True},
]
NO_METRIC = dict.fromkeys(("Namespace", "MetricName", "Dimensions", "Statistic", "Period"))


def test_an_alarm_on_an_expression_goes_off_by_its_value(offline, put, unique, eventually):
    namespace = unique("Contract")
    queries = json.loads(json.dumps(RATE).replace("Contract", namespace))
    name = put(**NO_METRIC, Metrics=queries, Threshold=20.0)
    now = time.time()
    when = datetime.fromtimestamp(now - now % 10 - 5, UTC)
    data = [{"MetricName": n, "Value": v, "Timestamp": when} for n, v in (("Failed", 5), ("All", 20))]
    offline.client("cloudwatch").put_metric_data(Namespace=namespace, MetricData=data)
    eventually(lambda: described(offline, name)["StateValue"] == "ALARM")
    alarm = described(offline, name)
    assert "[25.0 (" in alarm["StateReason"]
    assert [one["Id"] for one in alarm["Metrics"]] == ["failed", "everything", "rate"]


def test_what_an_alarm_on_an_expression_tells(heard):
    _, letter, event = heard(**NO_METRIC, Metrics=RATE)
    trigger = json.loads(letter["Message"])["Trigger"]
    assert "MetricName" not in trigger
    assert trigger["Metrics"][2] == {
        "Id": "rate",
        "Expression": "100 * failed / everything",
        "Label": "failures in percent",
        "ReturnData": True,
    }
    told = event["detail"]["configuration"]["metrics"]
    assert [one["id"] for one in told] == ["failed", "everything", "rate"]
    assert [one["returnData"] for one in told] == [False, False, True]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"Metrics": RATE}, "mutually exclusive"),
        (NO_METRIC | {"Metrics": RATE[:2]}, "Exactly one element of the metrics list should return data"),
        (NO_METRIC | {"Metrics": [RATE[2]]}, "failed is not the Id of a query|everything is not the Id"),
        (NO_METRIC | {"Metrics": [*RATE[:2], {"Id": "Rate", "Expression": "failed"}]}, "pattern"),
        (NO_METRIC | {"Metrics": [*RATE[:2], {"Id": "rate", "Expression": "rate + 1"}]}, "name each other"),
        (NO_METRIC | {"Metrics": [*RATE[:2], {"Id": "rate", "Expression": "SEARCH(failed)"}]}, "SEARCH"),
        (NO_METRIC | {"Metrics": [RATE[0], RATE[0], RATE[2]]}, "not unique"),
        ({"ThresholdMetricId": "band"}, "anomaly detection"),
        ({"ComparisonOperator": "GreaterThanUpperThreshold"}, "anomaly detection"),
        ({"AlarmActions": ["arn:aws:ssm:us-east-1:123456789012:opsitem:1"]}, "no actions of ssm"),
    ],
)  # fmt: skip
def test_an_alarm_that_cannot_be_here_is_refused_by_name(put, settings, words):
    with pytest.raises(ClientError, match=words):
        put(**settings)


def test_composite_alarms_and_anomaly_detectors_are_refused_by_name(offline):
    cloudwatch = offline.client("cloudwatch")
    with pytest.raises(ClientError, match="monitoring:PutCompositeAlarm"):
        cloudwatch.put_composite_alarm(AlarmName="both", AlarmRule='ALARM("a") AND ALARM("b")')
    with pytest.raises(ClientError, match="monitoring:PutAnomalyDetector"):
        cloudwatch.put_anomaly_detector(Namespace="Contract", MetricName="Error", Stat="Sum")


def test_sets_of_statistics_count_and_have_percentiles_only_where_all_values_are_one(offline, unique):
    cloudwatch, namespace, now = offline.client("cloudwatch"), unique("Contract"), datetime.now(UTC)
    sets = {
        "same": {"SampleCount": 4, "Sum": 20, "Minimum": 5, "Maximum": 5},
        "spread": {"SampleCount": 4, "Sum": 20, "Minimum": 1, "Maximum": 9},
    }
    data = [{"MetricName": name, "StatisticValues": held, "Timestamp": now} for name, held in sets.items()]
    cloudwatch.put_metric_data(Namespace=namespace, MetricData=data)

    def points(name, **asked):
        window = {"StartTime": now.timestamp() - 86_400, "EndTime": now.timestamp() + 3600, "Period": 86_400}
        return cloudwatch.get_metric_statistics(Namespace=namespace, MetricName=name, **window, **asked)["Datapoints"]

    (point,) = points("spread", Statistics=["Sum", "Average", "SampleCount"])
    assert (point["Sum"], point["Average"], point["SampleCount"]) == (20, 5, 4)
    assert points("spread", ExtendedStatistics=["p90"]) == []
    assert points("same", ExtendedStatistics=["p90"])[0]["ExtendedStatistics"] == {"p90": 5}


ONE = {"SampleCount": 1, "Sum": 1, "Minimum": 1, "Maximum": 1}


@pytest.mark.parametrize(
    ("datum", "words"),
    [
        (
            {"StatisticValues": {"SampleCount": 1, "Sum": 1, "Minimum": 1, "Maximum": 1}, "Value": 1},
            "mutually exclusive",
        ),
        ({"StatisticValues": {"SampleCount": 0, "Sum": 1, "Minimum": 1, "Maximum": 1}}, "StatisticValues is invalid"),
        ({"Value": 1, "StorageResolution": 5}, "StorageResolution"),
        ({"Value": float("nan")}, "Value is invalid"),
        ({"Value": float("inf")}, "Value is invalid"),
        ({"Values": [1, 2], "Counts": [1]}, "same size"),
        ({"Value": 1, "Dimensions": [{"Name": str(n), "Value": "x"} for n in range(31)]}, "greater than 30"),
    ],
)
def test_data_that_cloudwatch_does_not_take(offline, datum, words):
    with pytest.raises(ClientError, match=words):
        offline.client("cloudwatch").put_metric_data(Namespace="Contract", MetricData=[{"MetricName": "x"} | datum])


METRIC = {"region": "us-east-1", "metrics": [["Contract", "Error", "FC", "NORTH"]]}
BODY = {"widgets": [{"type": "metric", "x": 0, "y": 0, "width": 12, "height": 6, "properties": METRIC}]}


def test_a_dashboard_is_kept_as_it_was_put(offline, unique):
    cloudwatch, name = offline.client("cloudwatch"), unique("board")
    answer = cloudwatch.put_dashboard(DashboardName=name, DashboardBody=json.dumps(BODY))
    assert answer["DashboardValidationMessages"] == []
    assert json.loads(cloudwatch.get_dashboard(DashboardName=name)["DashboardBody"]) == BODY
    cloudwatch.delete_dashboards(DashboardNames=[name])


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("{", "must be a valid JSON object"),
        ("{}", "required property 'widgets'"),
        ('{"widgets": [{}]}', "required property 'type'"),
        ('{"widgets": [{"type": "clock", "properties": {}}]}', "allowed values: metric, text"),
        ('{"widgets": [{"type": "text", "properties": {}}]}', "required property 'markdown'"),
        ('{"widgets": [{"type": "metric", "properties": {"metrics": [["a", "b"]]}}]}', "required property 'region'"),
        ('{"widgets": [{"type": "metric", "properties": {"region": "r"}}]}', "'metrics' or 'annotations'"),
        ('{"widgets": [{"type": "metric", "properties": {"region": "r", "metrics": [["a"]]}}]}', "namespace"),
        ('{"widgets": [{"type": "text", "width": 25, "properties": {"markdown": "x"}}]}', "Should be <= 24"),
        ('{"widgets": [{"type": "text", "height": 0, "properties": {"markdown": "x"}}]}', "Should be >= 1"),
    ],
)
def test_a_dashboard_that_cannot_be_drawn_is_refused(offline, body, words):
    with pytest.raises(ClientError, match=re.escape(words)) as caught:
        offline.client("cloudwatch").put_dashboard(DashboardName="board", DashboardBody=body)
    assert caught.value.response["Error"]["Code"] == "InvalidParameterInput"
