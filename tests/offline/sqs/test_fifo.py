"""FIFO queues and topics: order within a group, once within five minutes, numbers that rise."""

import json

import pytest
from botocore.exceptions import ClientError

from helpers.offline import deduplication


@pytest.fixture
def make_fifo(offline, unique):
    """make_fifo(open=True, **attributes) -> (URL, ARN) of a FIFO queue."""
    sqs = offline.client("sqs")

    def make(*, open_to_topics: bool = True, **attributes: str):
        given = {"FifoQueue": "true"} | attributes
        url = sqs.create_queue(QueueName=unique("queue") + ".fifo", Attributes=given)["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        if open_to_topics:
            statement = {"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": arn}
            sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps({"Statement": [statement]})})
        return url, arn

    return make


@pytest.fixture
def make_topic(offline, unique):
    sns = offline.client("sns")

    def make(**attributes: str) -> str:
        return sns.create_topic(Name=unique("topic") + ".fifo", Attributes={"FifoTopic": "true"} | attributes)[
            "TopicArn"
        ]

    return make


def refused(call, **arguments) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return caught.value.response["Error"]["Code"], caught.value.response["Error"]["Message"]


def test_a_repeated_message_is_the_first_one_even_after_it_was_deleted(offline, make_fifo, letters):
    sqs, (url, _) = offline.client("sqs"), make_fifo()
    message = {"QueueUrl": url, "MessageGroupId": "g"}
    first = sqs.send_message(**message, MessageBody="1", MessageDeduplicationId="1")
    second = sqs.send_message(**message, MessageBody="2", MessageDeduplicationId="2")
    assert len(second["SequenceNumber"]) == 20
    assert second["SequenceNumber"] > first["SequenceNumber"]
    assert letters(url) == ["1", "2"]
    again = sqs.send_message(**message, MessageBody="other", MessageDeduplicationId="1")
    assert (again["MessageId"], again["SequenceNumber"]) == (first["MessageId"], first["SequenceNumber"])
    assert letters(url) == []


def test_the_scope_of_deduplication_may_be_the_group(offline, make_fifo, letters):
    sqs = offline.client("sqs")
    url, _ = make_fifo(DeduplicationScope="messageGroup", FifoThroughputLimit="perMessageGroupId")
    for group in ("g", "h", "g"):
        sqs.send_message(QueueUrl=url, MessageBody=group, MessageGroupId=group, MessageDeduplicationId="same")
    assert sorted(letters(url)) == ["g", "h"]


def test_what_came_is_forgotten_after_five_minutes(monkeypatch):
    recent, now = {}, [1000.0]
    monkeypatch.setattr(deduplication.time, "time", lambda: now[0])
    deduplication.remember(recent, "a", 1)
    now[0] += 299
    assert deduplication.known(recent, "a") == 1
    now[0] += 1
    assert deduplication.known(recent, "a") is None
    assert recent == {}


def test_a_fifo_topic_delivers_in_order_once_and_with_group_and_number(offline, make_topic, make_fifo, make_queue):
    sns, sqs = offline.client("sns"), offline.client("sqs")
    topic, (fifo_url, fifo_arn), (plain_url, plain_arn) = (
        make_topic(ContentBasedDeduplication="true"),
        make_fifo(),
        make_queue("sns"),
    )
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=fifo_arn, Attributes={"RawMessageDelivery": "true"})
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=plain_arn)
    published = [sns.publish(TopicArn=topic, Message=text, MessageGroupId="g") for text in ("1", "2", "1")]
    assert published[0]["MessageId"] == published[2]["MessageId"]
    assert published[0]["SequenceNumber"] == published[2]["SequenceNumber"] < published[1]["SequenceNumber"]
    got = sqs.receive_message(QueueUrl=fifo_url, MaxNumberOfMessages=10, AttributeNames=["All"])["Messages"]
    assert [(one["Body"], one["Attributes"]["MessageGroupId"]) for one in got] == [("1", "g"), ("2", "g")]
    envelopes = [
        json.loads(one["Body"]) for one in sqs.receive_message(QueueUrl=plain_url, MaxNumberOfMessages=10)["Messages"]
    ]
    assert {one["Message"]: one["SequenceNumber"] for one in envelopes} == {
        "1": published[0]["SequenceNumber"],
        "2": published[1]["SequenceNumber"],
    }


def test_a_batch_to_a_fifo_topic_fails_message_by_message(offline, make_topic):
    sns, topic = offline.client("sns"), make_topic(ContentBasedDeduplication="true")
    entries = [{"Id": "a", "Message": "1", "MessageGroupId": "g"}, {"Id": "b", "Message": "2"}]
    answer = sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=entries)
    assert [one["Id"] for one in answer["Successful"]] == ["a"]
    assert (
        answer["Failed"][0]["Message"] == "Invalid parameter: The MessageGroupId parameter is required for FIFO topics"
    )


def test_what_a_fifo_topic_may_not_deliver_goes_to_the_dead_letter_queue(offline, make_topic, make_fifo, letters):
    sns, topic = offline.client("sns"), make_topic()
    _, closed = make_fifo(open_to_topics=False)
    dead_url, dead = make_fifo()
    redrive = json.dumps({"deadLetterTargetArn": dead})
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=closed, Attributes={"RedrivePolicy": redrive})
    sns.publish(TopicArn=topic, Message="refused", MessageGroupId="g", MessageDeduplicationId="1")
    assert [json.loads(body)["Message"] for body in letters(dead_url)] == ["refused"]


def test_what_does_not_go_with_the_kind_of_topic(offline, make_topic, unique):
    sns, topic = offline.client("sns"), make_topic()
    plain = sns.create_topic(Name=unique("topic"))["TopicArn"]
    assert refused(sns.publish, TopicArn=topic, Message="x", MessageGroupId="g")[1].startswith(
        "Invalid parameter: The topic should either have ContentBasedDeduplication enabled"
    )
    assert refused(sns.publish, TopicArn=plain, Message="x", MessageDeduplicationId="1")[1].startswith(
        "Invalid parameter: MessageDeduplicationId Reason:"
    )
    function = "arn:aws:lambda:us-east-1:123456789012:function:f"
    assert refused(sns.subscribe, TopicArn=topic, Protocol="lambda", Endpoint=function)[1].endswith(
        "Please use FIFO SQS queue"
    )
