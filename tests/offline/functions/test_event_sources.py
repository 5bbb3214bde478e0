"""Queues feed functions: batches, partial failures, filters, dead letters, and what Lambda refuses."""

import json

import psutil
import pytest
from botocore.exceptions import ClientError

from helpers.offline import process
from helpers.offline.kernel import QueueMessage
from helpers.offline.services.functions.queue_poller import succeeded

TELL = """
import boto3, json, os
sqs = boto3.client("sqs")

def handler(event, context):
    sqs.send_message(QueueUrl=os.environ["TELL"], MessageBody=json.dumps(event))
    bad = [one["messageId"] for one in event["Records"] if one["body"] == "bad"]
    if os.environ.get("RAISE") and bad:
        raise ValueError("bad")
    return {"batchItemFailures": [{"itemIdentifier": one} for one in bad]}
"""


@pytest.fixture
def source(offline, unique):
    """source(**attributes) -> (URL, ARN) of a queue whose messages come back soon."""
    sqs = offline.client("sqs")

    def make(name="source", **attributes):
        url = sqs.create_queue(QueueName=unique("q") + name, Attributes={"VisibilityTimeout": "3"} | attributes)
        arn = sqs.get_queue_attributes(QueueUrl=url["QueueUrl"], AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        return url["QueueUrl"], arn

    return make


@pytest.fixture
def feeding(offline, client, deploy, make_queue, letters, eventually):
    """feeding(queue ARN, **mapping) -> events(count): what the function got, by now at least so many records."""
    made = []

    def start(arn, environment=None, **mapping):
        tell, _ = make_queue()
        function = deploy(TELL, Timeout=3, Environment={"Variables": {"TELL": tell} | (environment or {})})
        answer = client.create_event_source_mapping(EventSourceArn=arn, FunctionName=function, **mapping)
        made.append(answer["UUID"])
        assert answer["State"] == "Creating" and answer["FunctionArn"] == function
        events = []

        def read(count):
            def look():
                events.extend(map(json.loads, letters(tell)))
                return sum(len(event["Records"]) for event in events) >= count

            eventually(look, 60)
            return events

        return read

    yield start
    for identity in made:
        client.delete_event_source_mapping(UUID=identity)


def left(offline, url):
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    found = offline.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return sum(map(int, found.values()))


def test_records_are_as_aws_writes_them_and_are_deleted_when_done(offline, source, feeding, eventually):
    url, arn = source()
    sent = offline.client("sqs").send_message(
        QueueUrl=url,
        MessageBody="pod 7",
        MessageAttributes={"kind": {"DataType": "String", "StringValue": "x"}},
    )
    ((event),) = feeding(arn)(1)
    (record,) = event["Records"]
    assert sorted(record.pop("attributes")) == [
        "ApproximateFirstReceiveTimestamp",
        "ApproximateReceiveCount",
        "SenderId",
        "SentTimestamp",
    ]
    assert record.pop("receiptHandle")
    assert record == {
        "messageId": sent["MessageId"],
        "body": "pod 7",
        "messageAttributes": {
            "kind": {"stringValue": "x", "stringListValues": [], "binaryListValues": [], "dataType": "String"}
        },
        "md5OfMessageAttributes": sent["MD5OfMessageAttributes"],
        "md5OfBody": sent["MD5OfMessageBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": arn,
        "awsRegion": "us-east-1",
    }
    eventually(lambda: left(offline, url) == 0)


def test_what_a_batch_reports_as_failed_comes_back_and_then_goes_to_the_dead_letter_queue(
    offline, source, feeding, letters, eventually
):
    dead, dead_arn = source("dead")
    url, arn = source(
        RedrivePolicy=json.dumps({"deadLetterTargetArn": dead_arn, "maxReceiveCount": 2}), VisibilityTimeout="3"
    )
    entries = [{"Id": body, "MessageBody": body} for body in ("good", "bad", "fine")]
    offline.client("sqs").send_message_batch(QueueUrl=url, Entries=entries)
    read = feeding(arn, FunctionResponseTypes=["ReportBatchItemFailures"])
    assert eventually(lambda: letters(dead), 60) == ["bad"]
    bodies = [record["body"] for event in read(4) for record in event["Records"]]
    assert sorted(bodies) == ["bad", "bad", "fine", "good"]
    assert left(offline, url) == 0


def test_a_function_that_raises_gets_the_whole_batch_again(offline, source, feeding):
    url, arn = source()
    offline.client("sqs").send_message(QueueUrl=url, MessageBody="bad")
    events = feeding(arn, {"RAISE": "1"})(2)
    assert [one["attributes"]["ApproximateReceiveCount"] for event in events for one in event["Records"]] == ["1", "2"]


def test_a_window_gathers_more_than_ten_and_a_filter_drops_the_rest(offline, source, feeding, eventually):
    url, arn = source()
    sqs = offline.client("sqs")
    for first in range(0, 30, 10):
        entries = [
            {"Id": str(n), "MessageBody": json.dumps({"pod": n, "kind": "ABC"[n % 3]})}
            for n in range(first, first + 10)
        ]
        sqs.send_message_batch(QueueUrl=url, Entries=entries)
    pattern = {"body": {"kind": ["A", "B"], "pod": [{"numeric": ["<", 28]}]}}
    read = feeding(
        arn,
        BatchSize=40,
        MaximumBatchingWindowInSeconds=1,
        FilterCriteria={"Filters": [{"Pattern": json.dumps(pattern)}]},
    )
    events = read(19)
    numbers = sorted(json.loads(one["body"])["pod"] for event in events for one in event["Records"])
    assert numbers == [n for n in range(28) if n % 3 != 2]
    assert len(events) == 1
    eventually(lambda: left(offline, url) == 0)


def test_a_fifo_queue_keeps_its_order(offline, source, feeding):
    url, arn = source(".fifo", FifoQueue="true", ContentBasedDeduplication="true")
    for number in range(6):
        offline.client("sqs").send_message(QueueUrl=url, MessageBody=str(number), MessageGroupId="one")
    events = feeding(arn, BatchSize=2)(6)
    records = [record for event in events for record in event["Records"]]
    assert [record["body"] for record in records] == list("012345")
    assert {"MessageGroupId", "SequenceNumber", "MessageDeduplicationId"} <= records[0]["attributes"].keys()


def test_a_mapping_is_disabled_changed_listed_and_deleted(offline, client, source, deploy, eventually):
    _, arn = source()
    function = deploy(TELL, Timeout=3)
    made = client.create_event_source_mapping(EventSourceArn=arn, FunctionName=function, Enabled=False)
    identity = made["UUID"]
    assert client.get_event_source_mapping(UUID=identity)["State"] == "Disabled"
    changed = client.update_event_source_mapping(UUID=identity, BatchSize=1)
    assert (changed["State"], changed["BatchSize"], changed["FunctionResponseTypes"]) == ("Updating", 1, [])
    pages = client.get_paginator("list_event_source_mappings").paginate(EventSourceArn=arn, FunctionName=function)
    assert [one["UUID"] for page in pages for one in page["EventSourceMappings"]] == [identity]
    with pytest.raises(client.exceptions.ResourceConflictException, match=f"existing mapping with UUID {identity}"):
        client.create_event_source_mapping(EventSourceArn=arn, FunctionName=function)
    assert client.delete_event_source_mapping(UUID=identity)["State"] == "Deleting"
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.get_event_source_mapping(UUID=identity)


def test_what_lambda_refuses(offline, client, source, deploy, unique):
    _, arn = source()
    slow = deploy(TELL, Timeout=10)
    quick = deploy(TELL, Timeout=3)
    iam = offline.client("iam")
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    powerless = iam.create_role(
        RoleName=unique("role"),
        AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}),
    )["Role"]["Arn"]
    barred = deploy(TELL, Timeout=3, Role=powerless)
    gone = arn + "-gone"
    for words, mapping in (
        ("Queue visibility timeout: 3 seconds is less than Function timeout: 10 seconds", {"FunctionName": slow}),
        ("does not have permissions to call ReceiveMessage on SQS", {"FunctionName": barred}),
        ("SQS Error Code: AWS.SimpleQueueService.NonExistentQueue", {"EventSourceArn": gone}),
        ("StartingPosition is not valid for SQS event sources.", {"StartingPosition": "LATEST"}),
        ("Maximum batch window in seconds must be greater than 0", {"BatchSize": 11}),
        ("no event sources of kinesis", {"EventSourceArn": arn.replace(":sqs:", ":kinesis:")}),
        ("Function not found", {"FunctionName": "gone"}),
    ):
        with pytest.raises(ClientError, match=words):
            client.create_event_source_mapping(**({"EventSourceArn": arn, "FunctionName": quick} | mapping))
    assert client.list_event_source_mappings(EventSourceArn=arn)["EventSourceMappings"] == []


def message(identity):
    return QueueMessage(identity, identity, "", {}, {}, "", "")


@pytest.mark.parametrize(
    ("payload", "deleted", "of_fifo"),
    [
        (b"null", "abc", "abc"),
        (b"{}", "abc", "abc"),
        (b'{"batchItemFailures": []}', "abc", "abc"),
        (b'{"batchItemFailures": null}', "abc", "abc"),
        (b'{"batchItemFailures": [{"itemIdentifier": "b"}]}', "ac", "a"),
        (b'{"batchItemFailures": [{"itemIdentifier": "z"}]}', "", ""),
        (b'{"batchItemFailures": [{"itemIdentifier": ""}]}', "", ""),
        (b'{"batchItemFailures": [{"itemIdentifier": null}]}', "", ""),
        (b'{"batchItemFailures": [{"wrong": "b"}]}', "", ""),
        (b'"text"', "", ""),
    ],
)
def test_which_messages_an_answer_deletes(payload, deleted, of_fifo):
    batch = [message(identity) for identity in "abc"]
    assert "".join(one.id for one in succeeded(batch, payload, is_fifo=False)) == deleted
    assert "".join(one.id for one in succeeded(batch, payload, is_fifo=True)) == of_fifo


def test_a_mapping_survives_kill_9_and_goes_on(workspace_dir, start_offline, make_zip, eventually):
    offline = start_offline(workspace_dir)
    sqs, iam, functions = (offline.client(name) for name in ("sqs", "iam", "lambda"))
    urls = {name: sqs.create_queue(QueueName=name)["QueueUrl"] for name in ("source", "tell")}
    arn = "arn:aws:sqs:us-east-1:123456789012:source"
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    role = iam.create_role(RoleName="r", AssumeRolePolicyDocument=document)["Role"]["Arn"]
    allow = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sqs:*", "Resource": "*"}]}
    iam.put_role_policy(RoleName="r", PolicyName="p", PolicyDocument=json.dumps(allow))
    functions.create_function(
        FunctionName="f",
        Runtime="python3.13",
        Handler="app.handler",
        Role=role,
        Code={"ZipFile": make_zip({"app.py": TELL})},
        Environment={"Variables": {"TELL": urls["tell"]}},
    )
    identity = functions.create_event_source_mapping(EventSourceArn=arn, FunctionName="f", Enabled=False)["UUID"]
    sqs.send_message(QueueUrl=urls["source"], MessageBody="before")
    server = psutil.Process(process.read_state(workspace_dir).pid)
    server.kill()
    server.wait(10)

    offline = start_offline(workspace_dir)
    sqs, functions = offline.client("sqs"), offline.client("lambda")
    urls = {name: sqs.get_queue_url(QueueName=name)["QueueUrl"] for name in ("source", "tell")}
    variables = {"Variables": {"TELL": urls["tell"]}}
    functions.update_function_configuration(FunctionName="f", Environment=variables)  # the port may be another
    assert functions.update_event_source_mapping(UUID=identity, Enabled=True)["State"] == "Enabling"
    found = eventually(lambda: sqs.receive_message(QueueUrl=urls["tell"]).get("Messages"), 60)
    assert json.loads(found[0]["Body"])["Records"][0]["body"] == "before"
