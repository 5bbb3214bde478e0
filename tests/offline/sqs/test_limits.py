"""What SQS does not take, in its words; a batch fails message by message."""

import json

import pytest
from botocore.exceptions import ClientError


@pytest.fixture(scope="module")
def sqs(offline):
    return offline.client("sqs")


@pytest.fixture
def url(make_queue):
    return make_queue()[0]


def refused(call, **arguments) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return caught.value.response["Error"]["Code"], caught.value.response["Error"]["Message"]


def text(value) -> dict:
    return {"DataType": "String", "StringValue": value}


@pytest.mark.parametrize(
    ("message", "code", "start"),
    [
        ({"MessageBody": ""}, "MissingParameter", "The request must contain the parameter MessageBody."),
        ({"MessageBody": "a\x00"}, "InvalidMessageContents", "Invalid characters found."),
        ({"DelaySeconds": 901}, "InvalidParameterValue", "Value 901 for parameter DelaySeconds is invalid."),
        ({"MessageDeduplicationId": "d"}, "InvalidParameterValue", "Value d for parameter MessageDeduplicationId"),
        (
            {"MessageAttributes": {f"a{number}": text("x") for number in range(11)}},
            "InvalidParameterValue",
            "Number of message attributes [11] exceeds the allowed maximum [10].",
        ),
        (
            {"MessageAttributes": {"a": text("")}},
            "InvalidParameterValue",
            "Message (user) attribute 'a' must contain a non-empty value of type 'String'.",
        ),
        (
            {"MessageAttributes": {"a": {"DataType": "Number", "StringValue": "one"}}},
            "InvalidParameterValue",
            "Can't cast the value of message (user) attribute 'a' to a number.",
        ),
    ],
)
def test_messages_that_are_not_taken(sqs, url, letters, message, code, start):
    found = refused(sqs.send_message, **{"QueueUrl": url, "MessageBody": "x"} | message)
    assert found[0] == code
    assert found[1].startswith(start)
    assert letters(url) == []


def test_a_batch_fails_message_by_message(sqs, url, letters):
    entries = [
        {"Id": "good", "MessageBody": "good"},
        {"Id": "empty", "MessageBody": ""},
        {"Id": "late", "MessageBody": "late", "DelaySeconds": 901},
    ]
    answer = sqs.send_message_batch(QueueUrl=url, Entries=entries)
    assert [one["Id"] for one in answer["Successful"]] == ["good"]
    assert {one["Id"]: (one["Code"], one["SenderFault"]) for one in answer["Failed"]} == {
        "empty": ("MissingParameter", True),
        "late": ("InvalidParameterValue", True),
    }
    assert letters(url) == ["good"]


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (
            {"MaxNumberOfMessages": 11},
            "Value 11 for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1",
        ),
        ({"WaitTimeSeconds": 21}, "Value 21 for parameter WaitTimeSeconds is invalid. Reason: Must be >= 0 and <= 20"),
    ],
)
def test_what_cannot_be_received(sqs, url, wanted, message):
    code, found = refused(sqs.receive_message, QueueUrl=url, **wanted)
    assert (code, found[: len(message)]) == ("InvalidParameterValue", message)


@pytest.mark.parametrize(
    ("attributes", "code", "message"),
    [
        ({"VisibilityTimeout": "43201"}, "InvalidAttributeValue", "Invalid value for the parameter VisibilityTimeout."),
        (
            {"MessageRetentionPeriod": "59"},
            "InvalidAttributeValue",
            "Invalid value for the parameter MessageRetentionPeriod.",
        ),
        ({"Colour": "blue"}, "InvalidAttributeName", "Unknown Attribute Colour."),
        ({"RedrivePolicy": "x"}, "InvalidParameterValue", "Redrive policy is not a valid JSON map."),
        (
            {"RedrivePolicy": '{"maxReceiveCount": 3}'},
            "InvalidParameterValue",
            "mandatory attribute: deadLetterTargetArn.",
        ),
        (
            {"RedrivePolicy": '{"maxReceiveCount": 3, "deadLetterTargetArn": "arn:aws:sqs:us-east-1:123456789012:no"}'},
            "InvalidParameterValue",
            "Dead letter target does not exist.",
        ),
    ],
)
def test_attributes_that_a_queue_cannot_have(sqs, url, unique, attributes, code, message):
    for call, whose in ((sqs.create_queue, {"QueueName": unique("q")}), (sqs.set_queue_attributes, {"QueueUrl": url})):
        found = refused(call, **whose, Attributes=attributes)
        assert found[0] == code
        assert found[1].endswith(message)


def test_names_of_queues_and_of_fifo_queues(sqs, unique):
    assert refused(sqs.create_queue, QueueName="a b")[1].startswith("Can only include alphanumeric characters")
    assert refused(sqs.create_queue, QueueName="a.fifo")[1].startswith("Can only include alphanumeric characters")
    message = refused(sqs.create_queue, QueueName="a", Attributes={"FifoQueue": "true"})[1]
    assert message.startswith("The name of a FIFO queue can only include")


def test_a_queue_is_made_again_as_the_same_and_not_soon_after_it_was_deleted(sqs, unique):
    name = unique("again")
    url = sqs.create_queue(QueueName=name, Attributes={"VisibilityTimeout": "7"})["QueueUrl"]
    assert sqs.create_queue(QueueName=name)["QueueUrl"] == url
    assert refused(sqs.create_queue, QueueName=name, Attributes={"VisibilityTimeout": "8"}) == (
        "QueueAlreadyExists",
        "A queue already exists with the same name and a different value for attribute VisibilityTimeout",
    )
    sqs.delete_queue(QueueUrl=url)
    code, message = refused(sqs.create_queue, QueueName=name)
    assert code == "AWS.SimpleQueueService.QueueDeletedRecently"
    assert message.startswith("You must wait 60 seconds")


def test_other_attributes_leave_the_policy_as_it_is(sqs, make_queue):
    url, _ = make_queue("sns")
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "7"})
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert json.loads(found["Policy"])["Statement"]
    assert found["CreatedTimestamp"].isdigit()
