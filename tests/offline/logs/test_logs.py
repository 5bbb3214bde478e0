"""What is written can be read, searched, and no stream grows for ever."""

import json
import subprocess
import sys
import threading
import time

import pytest
from botocore.exceptions import ClientError

import helpers.offline.services.logs as logs_service
from helpers.offline.kernel import Credentials, Kernel, Workspace
from helpers.offline.services.logs import retention


@pytest.fixture
def stream(offline, unique):
    """(group, stream) that exist and are empty."""
    group, name = unique("/aws/lambda/robot"), "2026/01/01/[$LATEST]abc"
    logs = offline.client("logs")
    logs.create_log_group(logGroupName=group)
    logs.create_log_stream(logGroupName=group, logStreamName=name)
    return group, name


def write(offline, stream, *lines):
    now = int(time.time() * 1000)
    events = [{"timestamp": now, "message": line} for line in lines]
    offline.client("logs").put_log_events(logGroupName=stream[0], logStreamName=stream[1], logEvents=events)


def test_lines_are_read_in_order_and_found_by_a_word(offline, stream):
    group, name = stream
    write(offline, stream, "START", "ERROR no such pod", "END")
    logs = offline.client("logs")
    events = logs.get_log_events(logGroupName=group, logStreamName=name, startFromHead=True)["events"]
    assert [event["message"] for event in events] == ["START", "ERROR no such pod", "END"]
    found = logs.filter_log_events(logGroupName=group, filterPattern="ERROR")["events"]
    assert [(event["message"], event["logStreamName"]) for event in found] == [("ERROR no such pod", name)]


def test_the_command_line_searches_a_group(offline, stream):
    write(offline, stream, "first line", "second line", "else")
    query = ["--filter-pattern", "line", "--query", "events[].message", "--output", "json"]
    completed = subprocess.run(
        [sys.executable, "-m", "awscli", "logs", "filter-log-events", "--log-group-name", stream[0], *query],
        env=offline.process_environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert completed.returncode == 0, completed.stderr
    assert json.loads(completed.stdout) == ["first line", "second line"]


def test_a_stream_keeps_its_newest_twenty_thousand_events(offline, stream):
    for batch in range(5):
        write(offline, stream, *[str(batch * 5000 + n) for n in range(5000)])
    events = offline.client("logs").get_log_events(
        logGroupName=stream[0], logStreamName=stream[1], startFromHead=True, limit=1
    )["events"]
    assert [event["message"] for event in events] == ["5000"]


def test_json_lines_are_found_by_their_values(offline, stream):
    write(offline, stream, '{"ms": 12, "fc": "NORTH"}', '{"ms": 99, "fc": "NORTH"}', "no JSON")
    events = offline.client("logs").filter_log_events(
        logGroupName=stream[0], filterPattern='{ $.ms > 50 && $.fc = "NO*" }'
    )["events"]
    assert [event["message"] for event in events] == ['{"ms": 99, "fc": "NORTH"}']


def test_a_pattern_that_is_none_is_refused_also_of_an_empty_group(offline, stream):
    with pytest.raises(ClientError, match="Invalid filter pattern") as caught:
        offline.client("logs").filter_log_events(logGroupName=stream[0], filterPattern="{ $.ms >")
    assert caught.value.response["Error"]["Code"] == "InvalidParameterException"


def test_what_is_older_than_the_groups_retention_goes_away(offline, stream, eventually):
    logs, now = offline.client("logs"), int(time.time() * 1000)
    for age_days, line in ((3, "old"), (0.5, "young")):
        logs.put_log_events(
            logGroupName=stream[0],
            logStreamName=stream[1],
            logEvents=[{"timestamp": now - int(age_days * 86_400_000), "message": line}],
        )
    logs.put_retention_policy(logGroupName=stream[0], retentionInDays=1)

    def lines():
        found = logs.get_log_events(logGroupName=stream[0], logStreamName=stream[1], startFromHead=True)["events"]
        return [event["message"] for event in found]

    eventually(lambda: lines() == ["young"], 90)


@pytest.mark.parametrize(
    ("operation", "arguments"),
    [
        ("start_query", {"logGroupName": "g", "startTime": 1, "endTime": 2, "queryString": "fields @message"}),
        ("put_metric_filter", {"logGroupName": "g", "filterName": "f", "filterPattern": "", "metricTransformations": [
            {"metricName": "m", "metricNamespace": "n", "metricValue": "1"}]}),
    ],
)  # fmt: skip
def test_what_is_not_there_is_refused_by_name(offline, operation, arguments):
    with pytest.raises(ClientError, match="does not support logs:") as caught:
        getattr(offline.client("logs"), operation)(**arguments)
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 501


def test_what_is_put_while_old_events_are_removed_stays(tmp_path):
    kernel = Kernel(Workspace(tmp_path, Credentials("id", "secret")), "http://127.0.0.1", "210987654321")
    journal = logs_service.EventJournal(kernel)
    stream = logs_service.stream_of(kernel.account_id, "us-east-1", "group", "stream")
    stream.log_group.retention_in_days = "1"
    writers = []

    class Old:
        @property
        def timestamp(self):
            """Somebody puts an event just when the old ones are looked through."""
            now_ms = int(time.time() * 1000)
            events = [{"timestamp": now_ms, "message": f"new {len(writers)}"}]
            writers.append(threading.Thread(target=journal.put, args=(stream, events)))
            writers[-1].start()
            writers[-1].join(0.5)
            return 0

    stream.events.append(Old())
    retention.expire(kernel, journal.lock)
    for writer in writers:
        writer.join()
    assert [event.message for event in stream.events] == [f"new {number}" for number in range(len(writers))]
