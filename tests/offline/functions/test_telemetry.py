"""What an invocation leaves in CloudWatch: log events in order, and the metrics of AWS/Lambda."""

import json
import threading
import time
from types import SimpleNamespace

from helpers.offline.services.functions.telemetry import Telemetry

SOURCE = "def handler(event, context):\n    print('fc', event['fc'])\n    return 1 / event['n']\n"


def test_each_environment_has_a_stream_with_all_its_invocations(client, make_function, offline, eventually):
    name = make_function(SOURCE)
    for fc, n in (("AMB1", 1), ("AMB2", 0)):
        client.invoke(FunctionName=name, Payload=json.dumps({"fc": fc, "n": n}))
    logs, group = offline.client("logs"), f"/aws/lambda/{name}"

    def events():
        if not logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]:
            return []
        return [each["message"].rstrip("\n") for each in logs.filter_log_events(logGroupName=group)["events"]]

    messages = eventually(lambda: len(found := events()) == 9 and found)
    starts = [message.split()[0] for message in messages]
    assert starts == ["START", "fc", "END", "REPORT", "START", "fc", "[ERROR]", "END", "REPORT"]
    assert messages[6].startswith("[ERROR] ZeroDivisionError: division by zero\nTraceback (most recent call last):")
    (stream,) = logs.describe_log_streams(logGroupName=group)["logStreams"]
    assert "/[$LATEST]" in stream["logStreamName"]


def test_invocations_errors_duration_and_throttles_are_counted(client, make_function, offline, eventually):
    name = make_function(SOURCE)
    for n in (1, 1, 0):
        client.invoke(FunctionName=name, Payload=json.dumps({"fc": "AMB1", "n": n}))
    client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    try:
        client.invoke(FunctionName=name)
    except client.exceptions.TooManyRequestsException:
        refused = True
    assert refused
    metrics = offline.client("cloudwatch")

    def total(metric: str, statistic: str = "Sum") -> float:
        now = time.time()
        points = metrics.get_metric_statistics(
            Namespace="AWS/Lambda",
            MetricName=metric,
            Dimensions=[{"Name": "FunctionName", "Value": name}],
            StartTime=now - 600,
            EndTime=now + 60,
            Period=60,
            Statistics=[statistic],
        )["Datapoints"]
        return sum(point[statistic] for point in points)

    assert eventually(lambda: total("Invocations") == 3)
    assert total("Errors") == 1
    assert total("Throttles") == 1
    assert total("Duration", "SampleCount") == 3


def test_the_end_of_an_invocation_is_the_time_of_its_lines(client, make_function, offline, eventually):
    name = make_function("import time\ndef handler(event, context):\n    print('now', time.time() * 1000)\n")
    client.invoke(FunctionName=name)
    answered = time.time() * 1000

    def told():
        group = f"/aws/lambda/{name}"
        if not offline.client("logs").describe_log_groups(logGroupNamePrefix=group)["logGroups"]:
            return []
        return offline.client("logs").filter_log_events(logGroupName=group, filterPattern="now")["events"]

    (event,) = eventually(told)
    assert int(float(event["message"].split()[1])) <= event["timestamp"] <= answered


def test_a_telemetry_that_is_behind_does_not_date_lines_later():
    written, behind = [], threading.Event()
    ports = SimpleNamespace(
        logs=SimpleNamespace(write=lambda *given: written.append(given)),
        metrics=SimpleNamespace(put=lambda *given, **more: behind.wait(10)),
    )
    telemetry = Telemetry(SimpleNamespace(account_id="123456789012", ports=ports))
    telemetry.start()
    telemetry.metric("us-east-1", "AWS/Lambda", {}, {"Invocations": (1.0, "Count")})
    telemetry.lines("us-east-1", "group", "stream", ["retrain"], 1000.0)
    behind.set()
    telemetry.stop()
    assert written == [("123456789012", "us-east-1", "group", "stream", ["retrain"], 1000.0)]
