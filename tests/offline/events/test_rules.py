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
    offline, source, queue, make_stream, objects, eventually, service_role
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
        {"Arn": stream_arn, "RoleArn": service_role("events"), "InputPath": "$.detail"},
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


REFUSED = [
    ("another kind of target", {"Arn": "arn:aws:states:us-east-1:123456789012:stateMachine:x"}, "no targets of states"),
    ("no ARN", {"Arn": "queue"}, "Provided Arn is not in correct format"),
    ("two inputs", {"Input": "{}", "InputPath": "$.detail"}, "Only one of Input, InputPath, or InputTransformer"),
    ("input that is no JSON", {"Input": "{"}, "JSON syntax error"),
    ("a stream without a role", {"Arn": "arn:aws:firehose:us-east-1:123456789012:deliverystream/x"}, "RoleArn"),
    ("letters to no queue", {"DeadLetterConfig": {"Arn": "arn:aws:sns:us-east-1:123456789012:x"}}, "dead-letter queue"),
    ("too many retries", {"RetryPolicy": {"MaximumRetryAttempts": 186}}, "less than or equal to 185"),
]


@pytest.mark.parametrize(("target", "words"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_a_target_that_cannot_be_is_refused(offline, source, queue, target, words):
    events = offline.client("events")
    events.put_rule(Name=source, EventPattern=json.dumps({"source": [source]}))
    with pytest.raises(ClientError, match=words):
        events.put_targets(Rule=source, Targets=[{"Id": "1", "Arn": queue[1]} | target])
    assert events.list_targets_by_rule(Rule=source)["Targets"] == []


def test_a_rule_has_at_most_five_targets(offline, source, queue):
    events = offline.client("events")
    events.put_rule(Name=source, EventPattern=json.dumps({"source": [source]}))
    events.put_targets(Rule=source, Targets=[{"Id": str(n), "Arn": queue[1]} for n in range(5)])
    with pytest.raises(ClientError) as caught:
        events.put_targets(Rule=source, Targets=[{"Id": "more", "Arn": queue[1]}])
    assert caught.value.response["Error"]["Code"] == "LimitExceededException"


@pytest.mark.parametrize(
    ("rule", "code", "words"),
    [
        ({"EventPattern": "{"}, "InvalidEventPatternException", "Invalid JSON"),
        ({"EventPattern": '{"source": "x"}'}, "InvalidEventPatternException", '"source" must be an object or an array'),
        ({"EventPattern": '{"source": [{"regex": "x"}]}'}, "InvalidEventPatternException", "match type regex"),
        ({"ScheduleExpression": "rate(1 minutes)"}, "ValidationException", "ScheduleExpression is not valid"),
        ({"ScheduleExpression": "cron(* * * * * *)"}, "ValidationException", "ScheduleExpression is not valid"),
        ({}, "ValidationException", "EventPattern or ScheduleExpression"),
        ({"EventPattern": "{}", "EventBusName": "own"}, "NotImplemented", "other buses than the default one"),
    ],
)
def test_a_rule_that_cannot_be_is_refused(offline, source, rule, code, words):
    with pytest.raises(ClientError, match=words) as caught:
        offline.client("events").put_rule(Name=source, **rule)
    assert caught.value.response["Error"]["Code"] == code


def test_a_pattern_is_tried_without_a_rule(offline):
    event = {
        "id": "1", "account": "123456789012", "source": "pods", "time": "2026-01-01T00:00:00Z", "region": "us-east-1",
        "resources": [], "detail-type": "Pod Moved", "detail": {"kg": 12},
    }  # fmt: skip

    def result(pattern):
        return offline.client("events").test_event_pattern(EventPattern=json.dumps(pattern), Event=json.dumps(event))[
            "Result"
        ]

    assert result({"detail": {"kg": [{"numeric": [">", 10]}]}}) is True
    assert result({"detail": {"kg": [{"numeric": [">", 12]}]}}) is False


def test_an_entry_that_is_wrong_fails_alone(offline, source, queue):
    url, arn = queue
    rule(offline, source, {"source": [source]}, {"Arn": arn})
    good = {"Source": source, "DetailType": "Pod Moved", "Detail": "{}"}
    wrong = [good | {"Detail": "{"}, good | {"Detail": "[]"}, good | {"Source": "aws.pods"}, good | {"Source": ""}]
    answer = offline.client("events").put_events(Entries=[good, *wrong])
    assert answer["FailedEntryCount"] == 4
    assert [entry.get("ErrorCode") for entry in answer["Entries"]] == [
        None, "MalformedDetail", "MalformedDetail", "NotAuthorizedForSourceException", "InvalidArgument",
    ]  # fmt: skip
    assert len(received(offline, url)) == 1
    with pytest.raises(ClientError, match="over the limit"):
        offline.client("events").put_events(Entries=[good | {"Detail": json.dumps({"x": "x" * 140_000})}] * 2)


def test_a_target_without_permission_sends_the_event_to_the_dead_letter_queue(offline, source, make_queue, eventually):
    _, closed = make_queue()
    url, dead = make_queue("events")
    rule(offline, source, {"source": [source]}, {"Arn": closed, "DeadLetterConfig": {"Arn": dead}})
    identity = put(offline, source, weight=1)
    sqs = offline.client("sqs")
    (letter,) = eventually(lambda: sqs.receive_message(QueueUrl=url, MessageAttributeNames=["All"]).get("Messages"))
    assert json.loads(letter["Body"])["id"] == identity
    said = {name: value["StringValue"] for name, value in letter["MessageAttributes"].items()}
    assert (said["TARGET_ARN"], said["RETRY_ATTEMPTS"]) == (closed, "0")  # no error of the client is repeated
    assert said["RULE_ARN"].endswith(f":rule/{source}")
    assert "because no resource-based policy allows the sqs:SendMessage action" in said["ERROR_MESSAGE"]


def test_a_topic_takes_from_rules_only_what_its_policy_lets_in(offline, source, make_queue, letters, eventually):
    sns = offline.client("sns")
    topic = sns.create_topic(Name=source)["TopicArn"]
    url, arn = make_queue("sns")
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})
    rule(offline, source, {"source": [source]}, {"Arn": topic, "InputPath": "$.detail.weight"})
    put(offline, source, weight=1)
    statement = {
        "Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sns:Publish", "Resource": topic,
    }  # fmt: skip
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=policy)
    put(offline, source, weight=2)
    assert eventually(lambda: letters(url)) == ["2"]


def test_a_stream_that_takes_no_more_gets_the_event_a_little_later(
    offline, source, make_stream, service_role, objects, eventually
):
    name, arn = make_stream(BufferingHints={"SizeInMBs": 128, "IntervalInSeconds": 1})
    rule(
        offline, source, {"source": [source]}, {"Arn": arn, "RoleArn": service_role("events"), "InputPath": "$.detail"}
    )
    half = [{"Data": b"." * 512 * 1024}] * 8
    while not offline.client("firehose").put_record_batch(DeliveryStreamName=name, Records=half)["FailedPutCount"]:
        pass
    for number in range(16):
        put(offline, source, number=number, padding="x" * 200_000)
    eventually(lambda: b"".join(objects().values()).count(b"padding") == 16, 90)


def test_a_log_group_needs_a_policy_that_lets_rules_write(offline, source, unique, queue, eventually):
    logs, (letters_url, letters) = offline.client("logs"), queue
    group = f"/aws/events/{unique('pods')}"
    logs.create_log_group(logGroupName=group)
    arn = f"arn:aws:logs:us-east-1:123456789012:log-group:{group}"
    rule(offline, source, {"source": [source]}, {"Arn": arn, "DeadLetterConfig": {"Arn": letters}})
    put(offline, source, number=1)
    assert [json.loads(body)["detail"] for body in received(offline, letters_url)] == [{"number": 1}]
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": ["events.amazonaws.com", "delivery.logs.amazonaws.com"]},
        "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
        "Resource": f"{arn}:*",
    }
    with pytest.raises(ClientError, match="Invalid resource policy document"):
        logs.put_resource_policy(policyName=source, policyDocument="{}")
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    logs.put_resource_policy(policyName=source, policyDocument=document)
    put(offline, source, number=2)
    events = logs.filter_log_events(logGroupName=group)["events"]
    assert [json.loads(event["message"])["detail"] for event in events] == [{"number": 2}]
    logs.delete_resource_policy(policyName=source)


def test_a_rate_runs_by_itself_and_faster_where_a_tag_says_so(offline, source, queue, eventually):
    events, (url, arn) = offline.client("events"), queue
    clock = [{"Key": "offline-clock-factor", "Value": "60"}]
    events.put_rule(Name=source, ScheduleExpression="rate(1 minute)", Tags=clock)
    events.put_targets(Rule=source, Targets=[{"Id": "1", "Arn": arn}])
    found = []
    eventually(lambda: found.extend(map(json.loads, received(offline, url))) or len(found) >= 2)
    assert {event["detail-type"] for event in found} == {"Scheduled Event"}
    assert found[0]["resources"] == [f"arn:aws:events:us-east-1:123456789012:rule/{source}"]
    events.disable_rule(Name=source)
