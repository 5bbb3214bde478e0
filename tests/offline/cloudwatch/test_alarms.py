"""Metrics are counted, alarms go off by themselves, and their actions reach who is named."""

import io
import json
import time
import zipfile
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError


@pytest.fixture
def metric(offline, unique):
    """Puts values of one metric; `.namespace` and `.dimensions` name it."""

    class Metric:
        namespace = unique("Fulfillment")
        dimensions = ({"Name": "FC", "Value": "NORTH"},)

        def put(self, *values, when=None):
            data = [
                {
                    "MetricName": "Error",
                    "Dimensions": list(self.dimensions),
                    "Value": value,
                    "Unit": "Milliseconds",
                    "StorageResolution": 1,
                    **({"Timestamp": when} if when else {}),
                }
                for value in values
            ]
            offline.client("cloudwatch").put_metric_data(Namespace=self.namespace, MetricData=data)

    return Metric()


def put_alarm(offline, metric, name, **settings):
    """With `settings` instead of what is usual; None leaves a member out."""
    usual = {
        "AlarmName": name,
        "Namespace": metric.namespace,
        "MetricName": "Error",
        "Dimensions": list(metric.dimensions),
        "Statistic": "Average",
        "Period": 10,
        "EvaluationPeriods": 1,
        "Threshold": 50.0,
        "ComparisonOperator": "GreaterThanThreshold",
        "TreatMissingData": "notBreaching",
    }
    wanted = {member: value for member, value in (usual | settings).items() if value is not None}
    offline.client("cloudwatch").put_metric_alarm(**wanted)


def state_of(offline, name):
    return offline.client("cloudwatch").describe_alarms(AlarmNames=[name])["MetricAlarms"][0]["StateValue"]


def test_statistics_and_percentiles_are_of_what_was_put(offline, metric):
    when = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=2)
    metric.put(*range(1, 101), when=when)
    found = offline.client("cloudwatch").get_metric_statistics(
        Namespace=metric.namespace,
        MetricName="Error",
        Dimensions=list(metric.dimensions),
        StartTime=when - timedelta(seconds=60),
        EndTime=when + timedelta(seconds=60),
        Period=60,
        Statistics=["Sum", "Average", "Minimum", "Maximum", "SampleCount"],
    )["Datapoints"]
    (point,) = found
    named = {name: point[name] for name in ("Sum", "Average", "Minimum", "Maximum", "SampleCount")}
    assert named == {"Sum": 5050, "Average": 50.5, "Minimum": 1, "Maximum": 100, "SampleCount": 100}
    assert point["Unit"] == "Milliseconds"
    extended = offline.client("cloudwatch").get_metric_statistics(
        Namespace=metric.namespace,
        MetricName="Error",
        Dimensions=list(metric.dimensions),
        StartTime=when - timedelta(seconds=60),
        EndTime=when + timedelta(seconds=60),
        Period=60,
        ExtendedStatistics=["p90"],
    )["Datapoints"]
    assert extended[0]["ExtendedStatistics"]["p90"] == pytest.approx(90.1)


def test_many_values_arrive_compressed_and_are_all_counted(offline, metric):
    metric.put(*[float(n) for n in range(400)])
    now = datetime.now(UTC)
    results = offline.client("cloudwatch").get_metric_data(
        MetricDataQueries=[
            {
                "Id": "m1",
                "MetricStat": {
                    "Metric": {
                        "Namespace": metric.namespace,
                        "MetricName": "Error",
                        "Dimensions": list(metric.dimensions),
                    },
                    "Period": 60,
                    "Stat": "Sum",
                },
            },
            {"Id": "twice", "Expression": "m1 * 2"},
        ],
        StartTime=now - timedelta(minutes=2),
        EndTime=now + timedelta(minutes=2),
    )["MetricDataResults"]
    sums = {one["Id"]: sum(one["Values"]) for one in results}
    assert sums == {"m1": sum(range(400)), "twice": 2 * sum(range(400))}


def test_an_alarm_goes_off_within_seconds_of_its_period_tells_the_topic_and_recovers(
    offline, metric, unique, eventually, make_queue
):
    sns, sqs = offline.client("sns"), offline.client("sqs")
    topic = sns.create_topic(Name=unique("alarms"))["TopicArn"]
    url, queue = make_queue("sns")
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue, Attributes={"RawMessageDelivery": "true"})
    name = unique("alarm")
    put_alarm(offline, metric, name, AlarmActions=[topic], TreatMissingData="missing")
    assert state_of(offline, name) == "INSUFFICIENT_DATA"
    now = time.time()
    metric.put(80.0, 100.0, when=datetime.fromtimestamp(now - now % 10 - 5, UTC))
    eventually(lambda: state_of(offline, name) == "ALARM", 90)
    message = json.loads(sqs.receive_message(QueueUrl=url)["Messages"][0]["Body"])
    assert (message["AlarmName"], message["NewStateValue"], message["OldStateValue"]) == (
        name,
        "ALARM",
        "INSUFFICIENT_DATA",
    )
    assert message["NewStateReason"].startswith("Threshold Crossed: 1 out of the last 1 datapoints [90.0 (")
    assert message["NewStateReason"].endswith(
        "was greater than the threshold (50.0) (minimum 1 datapoint for OK -> ALARM transition)."
    )
    assert message["Region"] == "US East (N. Virginia)" and message["Trigger"]["Dimensions"] == [
        {"value": "NORTH", "name": "FC"}
    ]

    def points_are_old():
        metric.put(1.0)
        return state_of(offline, name) == "OK"

    eventually(points_are_old, 90)
    history = offline.client("cloudwatch").describe_alarm_history(AlarmName=name, HistoryItemType="StateUpdate")
    summaries = [item["HistorySummary"] for item in history["AlarmHistoryItems"]]
    assert summaries[0] == "Alarm updated from ALARM to OK"
    assert summaries[-1] == "Alarm updated from INSUFFICIENT_DATA to ALARM"


def test_an_alarm_calls_a_function_and_an_event_rule_sees_it(
    offline, metric, unique, service_role, bucket, objects, eventually
):
    source = (
        "import json, os, boto3\n"
        "def handler(event, context):\n"
        "    kind = 'alarm' if 'alarmData' in event else 'rule'\n"
        "    boto3.client('s3').put_object(Bucket=os.environ['BUCKET'], Key=kind, Body=json.dumps(event))\n"
    )
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as writer:
        writer.writestr("app.py", source)
    functions, events, name = offline.client("lambda"), offline.client("events"), unique("acting")
    arn = functions.create_function(
        FunctionName=name,
        Runtime="python3.12",
        Role=service_role("lambda"),
        Handler="app.handler",
        Code={"ZipFile": archive.getvalue()},
        Environment={"Variables": {"BUCKET": bucket}},
    )["FunctionArn"]
    for principal in ("lambda.alarms.cloudwatch.amazonaws.com", "events.amazonaws.com"):
        functions.add_permission(
            FunctionName=name,
            StatementId=principal.split(".")[0],
            Action="lambda:InvokeFunction",
            Principal=principal,
        )
    pattern = {"source": ["aws.cloudwatch"], "detail": {"alarmName": [name], "state": {"value": ["ALARM"]}}}
    events.put_rule(Name=name, EventPattern=json.dumps(pattern))
    events.put_targets(Rule=name, Targets=[{"Id": "function", "Arn": arn}])
    put_alarm(offline, metric, name, AlarmActions=[arn], TreatMissingData="missing")  # no data: its state stays
    offline.client("cloudwatch").set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="a drill")
    found = eventually(lambda: len(objects()) == 2 and objects())
    called = json.loads(found["alarm"])
    assert called["source"] == "aws.cloudwatch" and called["alarmData"]["alarmName"] == name
    assert called["alarmData"]["state"]["reason"] == "a drill"
    assert called["alarmData"]["configuration"]["metrics"][0]["metricStat"]["metric"]["dimensions"] == {"FC": "NORTH"}
    ruled = json.loads(found["rule"])
    assert ruled["detail-type"] == "CloudWatch Alarm State Change"
    assert ruled["detail"]["previousState"]["value"] == "INSUFFICIENT_DATA"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"Period": 7}, "Invalid period 7"),
        ({"ComparisonOperator": "LargerThan"}, "Member must satisfy enum value set"),
        ({"Period": 3600, "EvaluationPeriods": 25}, "more than a day"),
        ({"TreatMissingData": "sometimes"}, "Option sometimes is not supported"),
        ({"AlarmActions": ["lambda"]}, "Invalid arn syntax"),
        ({"DatapointsToAlarm": 3, "EvaluationPeriods": 2}, "DatapointsToAlarm"),
    ],
)
def test_an_alarm_that_cannot_be_is_refused(offline, metric, unique, settings, words):
    with pytest.raises(ClientError, match=words):
        put_alarm(offline, metric, unique("alarm"), **settings)


def test_metric_data_that_cloudwatch_does_not_take(offline, metric):
    cloudwatch = offline.client("cloudwatch")
    with pytest.raises(ClientError, match="past two weeks"):
        metric.put(1.0, when=datetime.now(UTC) - timedelta(days=15))
    with pytest.raises(ClientError, match="AWS/"):
        cloudwatch.put_metric_data(Namespace="AWS/Mine", MetricData=[{"MetricName": "x", "Value": 1}])
    with pytest.raises(ClientError, match="At least one of the parameters"):
        cloudwatch.put_metric_data(Namespace="Mine", MetricData=[{"MetricName": "x"}])
    with pytest.raises(ClientError, match="must be a value in the set"):
        cloudwatch.put_metric_data(Namespace="Mine", MetricData=[{"MetricName": "x", "Value": 1, "Unit": "ms"}])
    with pytest.raises(ClientError, match="MetricData must not have a size greater than 1000"):
        cloudwatch.put_metric_data(Namespace="Mine", MetricData=[{"MetricName": "x", "Value": 1}] * 1001)


def test_an_alarm_without_data_says_how_it_took_that(offline, metric, unique, eventually):
    name = unique("alarm")
    put_alarm(offline, metric, name, TreatMissingData="breaching", EvaluationPeriods=2)
    eventually(lambda: state_of(offline, name) == "ALARM")
    (alarm,) = offline.client("cloudwatch").describe_alarms(AlarmNames=[name])["MetricAlarms"]
    assert alarm["StateReason"] == (
        "Threshold Crossed: no datapoints were received for 2 periods and "
        "2 missing datapoints were treated as [Breaching]."
    )


def test_a_statistic_that_is_none_is_refused(offline, metric, unique):
    now = datetime.now(UTC)
    with pytest.raises(ClientError, match="The value Median"):
        offline.client("cloudwatch").get_metric_statistics(
            Namespace=metric.namespace,
            MetricName="Error",
            StartTime=now - timedelta(minutes=1),
            EndTime=now,
            Period=60,
            ExtendedStatistics=["Median"],
        )
    with pytest.raises(ClientError, match="p101"):
        put_alarm(offline, metric, unique("alarm"), Statistic=None, ExtendedStatistic="p101")
