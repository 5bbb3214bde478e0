"""Events reach the targets of the rules that they match, and no others."""

import json

import pytest
from botocore.exceptions import ClientError


@pytest.fixture
def queue(make_queue):
    """(URL, ARN) of an empty queue that rules may send to."""
    return make_queue("events")


@pytest.fixture
def source(unique):
    """The name of a source of events that no other test has."""
    return unique("fulfillment")


def put(offline, source, **detail):
    answer = offline.client("events").put_events(
        Entries=[
            {
                "Source": source,
                "DetailType": "Pod Moved",
                "Detail": json.dumps(detail),
                "Resources": ["arn:aws:pod:::7"],
            }
        ]
    )
    assert answer["FailedEntryCount"] == 0
    return answer["Entries"][0]["EventId"]


def rule(offline, name, pattern, *targets):
    events = offline.client("events")
    events.put_rule(Name=name, EventPattern=json.dumps(pattern))
    events.put_targets(Rule=name, Targets=[{"Id": str(n)} | target for n, target in enumerate(targets)])


def received(offline, url):
    found = offline.client("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
    return [message["Body"] for message in found]


def test_matching_events_only_and_as_eventbridge_writes_them(offline, source, queue):
    url, arn = queue
    rule(offline, source, {"source": [source], "detail": {"weight": [{"numeric": [">", 10]}]}}, {"Arn": arn})
    put(offline, source, weight=3)
    identity = put(offline, source, weight=30)
    (event,) = map(json.loads, received(offline, url))
    assert event.pop("time").endswith("Z")
    assert event == {
        "version": "0",
        "id": identity,
        "detail-type": "Pod Moved",
        "source": source,
        "account": "123456789012",
        "region": "us-east-1",
        "resources": ["arn:aws:pod:::7"],
        "detail": {"weight": 30},
    }


def test_one_target_that_is_gone_does_not_keep_the_event_from_the_others(
    offline, source, queue, make_stream, objects, eventually
):
    url, arn = queue
    _, stream_arn = make_stream()
    transformer = {
        "InputPathsMap": {"w": "$.detail.weight", "pod": "$.resources[0]"},
        "InputTemplate": '"<pod> weighs <w>"',
    }
    rule(
        offline,
        source,
        {"source": [source]},
        {"Arn": arn + "-gone"},
        {"Arn": arn, "InputTransformer": transformer},
        {"Arn": stream_arn, "InputPath": "$.detail"},
    )
    put(offline, source, weight=4)
    assert received(offline, url) == ['"arn:aws:pod:::7 weighs 4"']
    assert json.loads(next(iter(eventually(objects).values()))) == {"weight": 4}


def test_a_disabled_rule_is_silent(offline, source, queue):
    url, arn = queue
    rule(offline, source, {"source": [source]}, {"Arn": arn})
    offline.client("events").disable_rule(Name=source)
    put(offline, source, weight=1)
    offline.client("events").enable_rule(Name=source)
    put(offline, source, weight=2)
    assert [json.loads(body)["detail"]["weight"] for body in received(offline, url)] == [2]


def test_what_is_not_there_is_refused_by_name(offline, source, queue):
    events = offline.client("events")
    with pytest.raises(ClientError, match="no schedules"):
        events.put_rule(Name=source, ScheduleExpression="rate(1 minute)")
    events.put_rule(Name=source, EventPattern=json.dumps({"source": [source]}))
    with pytest.raises(ClientError, match="no targets of states"):
        events.put_targets(
            Rule=source, Targets=[{"Id": "1", "Arn": "arn:aws:states:us-east-1:123456789012:stateMachine:x"}]
        )
