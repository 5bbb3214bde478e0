"""A topic's messages reach their subscribers, in the forms that AWS documents."""

import io
import json
import zipfile

import pytest
from botocore.exceptions import ClientError

SAVING = """
import json, os, boto3
def handler(event, context):
    record = event["Records"][0]
    boto3.client("s3").put_object(Bucket=os.environ["BUCKET"], Key=record["Sns"]["MessageId"], Body=json.dumps(record))
"""


@pytest.fixture
def topic(offline, unique):
    return offline.client("sns").create_topic(Name=unique("topic"))["TopicArn"]


def subscribe_stream(offline, topic, stream_arn, role, **attributes):
    return offline.client("sns").subscribe(
        TopicArn=topic,
        Protocol="firehose",
        Endpoint=stream_arn,
        Attributes={"SubscriptionRoleArn": role} | attributes,
        ReturnSubscriptionArn=True,
    )["SubscriptionArn"]


def test_raw_messages_become_lines_in_s3(offline, topic, make_stream, service_role, objects, eventually):
    _, stream = make_stream()
    subscribe_stream(offline, topic, stream, service_role("sns"), RawMessageDelivery="true")
    sns = offline.client("sns")
    sns.publish(TopicArn=topic, Message="first")
    answer = sns.publish_batch(
        TopicArn=topic, PublishBatchRequestEntries=[{"Id": str(n), "Message": f"ü {n} & <x>"} for n in range(10)]
    )
    assert len(answer["Successful"]) == 10 and answer.get("Failed", []) == []
    body = eventually(lambda: b"".join(objects().values()).count(b"\n") == 11 and b"".join(objects().values()))
    assert body.decode().splitlines() == ["first"] + [f"ü {n} & <x>" for n in range(10)]


def test_the_envelope_holds_what_a_reader_needs_and_no_signature(
    offline, topic, make_stream, service_role, objects, eventually
):
    _, stream = make_stream()
    subscribe_stream(offline, topic, stream, service_role("sns"))
    attributes = {"fc": {"DataType": "String", "StringValue": "NORTH"}}
    identity = offline.client("sns").publish(
        TopicArn=topic, Message="hello", Subject="about", MessageAttributes=attributes
    )["MessageId"]
    envelope = json.loads(next(iter(eventually(objects).values())))
    assert envelope["MessageId"] == identity
    assert (envelope["Message"], envelope["Subject"], envelope["TopicArn"]) == ("hello", "about", topic)
    assert envelope["MessageAttributes"] == {"fc": {"Type": "String", "Value": "NORTH"}}
    assert not any("Sign" in name for name in envelope)


def test_a_filter_policy_keeps_other_messages_away(offline, topic, make_stream, service_role, objects, eventually):
    _, stream = make_stream()
    policy = json.dumps({"fc": ["NORTH"]})
    role = service_role("sns")
    subscribe_stream(offline, topic, stream, role, RawMessageDelivery="true", FilterPolicy=policy)
    for fc in ("SOUTH", "NORTH", "EAST"):
        offline.client("sns").publish(
            TopicArn=topic,
            Message=fc,
            MessageAttributes={"fc": {"DataType": "String", "StringValue": fc}},
        )
    assert eventually(lambda: list(objects().values())) == [b"NORTH\n"]


def test_a_function_gets_the_event_only_when_its_policy_lets_the_topic(
    offline, topic, unique, service_role, bucket, objects, eventually, make_queue, letters
):
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as writer:
        writer.writestr("app.py", SAVING)
    functions, sns = offline.client("lambda"), offline.client("sns")
    name = unique("saving")
    arn = functions.create_function(
        FunctionName=name,
        Runtime="python3.12",
        Role=service_role("lambda"),
        Handler="app.handler",
        Code={"ZipFile": archive.getvalue()},
        Environment={"Variables": {"BUCKET": bucket}},
    )["FunctionArn"]
    queue_url, queue = make_queue("sns")
    redrive = json.dumps({"deadLetterTargetArn": queue})
    sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=arn, Attributes={"RedrivePolicy": redrive})

    sns.publish(TopicArn=topic, Message="not allowed yet")
    assert [json.loads(letter)["Message"] for letter in letters(queue_url)] == ["not allowed yet"]

    functions.add_permission(
        FunctionName=name,
        StatementId="topic",
        Action="lambda:InvokeFunction",
        Principal="sns.amazonaws.com",
        SourceArn=topic,
    )
    identity = sns.publish(TopicArn=topic, Message="allowed")["MessageId"]
    record = json.loads(eventually(objects)[identity])
    assert record["EventSource"] == "aws:sns"
    assert record["Sns"]["Message"] == "allowed" and record["Sns"]["TopicArn"] == topic
    assert record["EventSubscriptionArn"].startswith(topic)


@pytest.mark.parametrize(
    ("entries", "code"),
    [
        ([{"Id": str(n), "Message": "x"} for n in range(11)], "TooManyEntriesInBatchRequest"),
        ([{"Id": "same", "Message": "x"}] * 2, "BatchEntryIdsNotDistinct"),
        ([{"Id": "a & b", "Message": "x"}], "InvalidBatchEntryId"),
        ([{"Id": str(n), "Message": "x" * 30_000} for n in range(10)], "BatchRequestTooLong"),
    ],
)
def test_a_batch_that_sns_does_not_take_fails_as_a_whole(offline, topic, entries, code):
    with pytest.raises(ClientError) as error:
        offline.client("sns").publish_batch(TopicArn=topic, PublishBatchRequestEntries=entries)
    assert error.value.response["Error"]["Code"] == code


def test_mistakes_of_one_message(offline, topic):
    sns = offline.client("sns")
    with pytest.raises(ClientError, match="Message too long"):
        sns.publish(TopicArn=topic, Message="x" * 262_145)
    with pytest.raises(ClientError, match="Empty message"):
        sns.publish(TopicArn=topic, Message="")
    with pytest.raises(ClientError, match="Topic does not exist"):
        sns.publish(TopicArn=topic + "x", Message="x")
    with pytest.raises(ClientError, match="No default entry"):
        sns.publish(TopicArn=topic, Message='{"lambda": "x"}', MessageStructure="json")


def test_a_stream_is_subscribed_only_with_a_role_that_sns_may_take_on(offline, topic, make_stream, service_role):
    _, stream = make_stream()
    with pytest.raises(ClientError, match="SNS cannot assume role"):
        subscribe_stream(offline, topic, stream, service_role("lambda"))
    with pytest.raises(ClientError, match="SubscriptionRoleArn"):
        offline.client("sns").subscribe(TopicArn=topic, Protocol="firehose", Endpoint=stream)
    with pytest.raises(ClientError, match="does not deliver to https"):
        offline.client("sns").subscribe(TopicArn=topic, Protocol="https", Endpoint="https://example.com")


def test_one_wrong_entry_does_not_fail_its_batch(offline, topic):
    wrong = {"<a & b>": {"DataType": "Number", "StringValue": "many"}}
    entries = [{"Id": "good", "Message": "x"}, {"Id": "bad", "Message": "x", "MessageAttributes": wrong}]
    answer = offline.client("sns").publish_batch(TopicArn=topic, PublishBatchRequestEntries=entries)
    assert [entry["Id"] for entry in answer["Successful"]] == ["good"]
    (failed,) = answer["Failed"]
    assert (failed["Id"], failed["SenderFault"]) == ("bad", True)
    assert failed["Message"] == "Could not cast message attribute '<a & b>' value to number."
