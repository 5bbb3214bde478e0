"""Filter policies, dead-letter queues and the policies of topics and queues decide who gets what."""

import json
import re

import pytest
from botocore.exceptions import ClientError


@pytest.fixture
def topic(offline, unique):
    return offline.client("sns").create_topic(Name=unique("topic"))["TopicArn"]


@pytest.fixture
def subscribe(offline, topic, make_queue):
    """subscribe(**attributes) -> (queue's URL, subscription's ARN); raw messages, so that bodies are what was said."""

    def make(**attributes):
        url, queue = make_queue("sns")
        arn = offline.client("sns").subscribe(
            TopicArn=topic,
            Protocol="sqs",
            Endpoint=queue,
            Attributes={"RawMessageDelivery": "true"} | attributes,
            ReturnSubscriptionArn=True,
        )["SubscriptionArn"]
        return url, arn

    return make


def text(value):
    return {"DataType": "String", "StringValue": value}


ATTRIBUTES = [
    ("exact", ["NORTH"], text("NORTH"), text("SOUTH")),
    ("anything-but", [{"anything-but": ["NORTH"]}], text("SOUTH"), text("NORTH")),
    ("anything-but prefix", [{"anything-but": {"prefix": "N"}}], text("SOUTH"), text("NORTH")),
    ("prefix", [{"prefix": "NO"}], text("NORTH"), text("SOUTH")),
    ("suffix", [{"suffix": "TH"}], text("NORTH"), text("EAST")),
    ("equals-ignore-case", [{"equals-ignore-case": "north"}], text("North"), text("South")),
    ("cidr", [{"cidr": "10.0.0.0/8"}], text("10.1.2.3"), text("11.1.2.3")),
    ("exists", [{"exists": True}], text("anything"), None),
    ("exists not", [{"exists": False}], None, text("anything")),
    ("numeric", [{"numeric": [">", 1, "<=", 5]}], {"DataType": "Number", "StringValue": "5"},
     {"DataType": "Number", "StringValue": "5.5"}),
    ("number", [7], {"DataType": "Number", "StringValue": "7.0"}, text("7")),
    ("array", ["b"], {"DataType": "String.Array", "StringValue": '["a", "b"]'},
     {"DataType": "String.Array", "StringValue": '["a"]'}),
    ("anything-but of an array", [{"anything-but": ["a"]}],
     {"DataType": "String.Array", "StringValue": '["a", "b"]'},
     {"DataType": "String.Array", "StringValue": '["a"]'}),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "yes", "no"), [row[1:] for row in ATTRIBUTES], ids=[row[0] for row in ATTRIBUTES])
def test_a_filter_of_attributes(offline, topic, subscribe, letters, rule, yes, no):
    url, _ = subscribe(FilterPolicy=json.dumps({"fc": rule}))
    for said, attribute in (("no", no), ("yes", yes)):
        attributes = {"fc": attribute} if attribute else {}
        offline.client("sns").publish(TopicArn=topic, Message=said, MessageAttributes=attributes)
    assert letters(url) == ["yes"]


def test_a_filter_of_bodies_looks_into_them_and_lets_no_other_text_through(offline, topic, subscribe, letters):
    policy = {"pod": {"fc": [{"prefix": "NO"}], "$or": [{"kg": [{"numeric": [">", 5]}]}, {"fragile": [True]}]}}
    url, _ = subscribe(FilterPolicy=json.dumps(policy), FilterPolicyScope="MessageBody")
    for said in (
        '{"pod": {"fc": "NORTH", "kg": 9}}',
        '{"pod": {"fc": "NORTH", "kg": 1, "fragile": true}}',
        '{"pod": {"fc": "NORTH", "kg": 1}}',
        '{"pod": {"fc": "SOUTH", "kg": 9}}',
        "NORTH",
        "[]",
    ):
        offline.client("sns").publish(TopicArn=topic, Message=said)
    assert letters(url) == ['{"pod": {"fc": "NORTH", "kg": 9}}', '{"pod": {"fc": "NORTH", "kg": 1, "fragile": true}}']


def test_a_changed_filter_takes_effect_and_an_empty_one_ends_it(offline, topic, subscribe, letters):
    sns = offline.client("sns")
    url, arn = subscribe(FilterPolicy='{"fc": ["NORTH"]}')
    sns.set_subscription_attributes(SubscriptionArn=arn, AttributeName="FilterPolicy", AttributeValue='{"fc": ["S"]}')
    sns.publish(TopicArn=topic, Message="north", MessageAttributes={"fc": text("NORTH")})
    sns.publish(TopicArn=topic, Message="s", MessageAttributes={"fc": text("S")})
    sns.set_subscription_attributes(SubscriptionArn=arn, AttributeName="FilterPolicy", AttributeValue="{}")
    sns.publish(TopicArn=topic, Message="all")
    assert letters(url) == ["s", "all"]


@pytest.mark.parametrize(
    ("attributes", "words"),
    [
        ({"FilterPolicy": "{"}, "FilterPolicy: failed to parse JSON"),
        ({"FilterPolicy": '{"a": [{"wildcard": "x*"}]}'}, "Unrecognized match type wildcard"),
        ({"FilterPolicy": '{"a": {"b": ["c"]}}'}, "does not support nested filter policy"),
        ({"FilterPolicy": '{"a": [], "b": ["c"]}'}, "Empty arrays are not allowed"),
        ({"FilterPolicy": json.dumps({str(n): ["x"] for n in range(6)})}, "more than 5 keys"),
        ({"FilterPolicy": json.dumps({"a": list("abcdefghijklm"), "b": list("abcdefghijklm")})}, "too complex"),
        ({"FilterPolicyScope": "Subject", "FilterPolicy": "{}"}, "FilterPolicyScope"),
        ({"RawMessageDelivery": "maybe"}, "RawMessageDelivery"),
        ({"RedrivePolicy": "queue"}, "RedrivePolicy"),
        ({"RedrivePolicy": '{"deadLetterTargetArn": "queue"}'}, "deadLetterTargetArn is an invalid arn"),
        ({"DeliveryPolicy": "{}"}, "DeliveryPolicy"),
    ],
)
def test_a_wrong_attribute_is_refused_at_once_and_leaves_no_subscription(offline, topic, subscribe, attributes, words):
    with pytest.raises(ClientError, match=re.escape(words)) as caught:
        subscribe(**attributes)
    assert caught.value.response["Error"]["Code"] == "InvalidParameter"
    assert offline.client("sns").list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"] == []
    _, arn = subscribe()
    if "FilterPolicyScope" not in attributes:
        ((name, value),) = attributes.items()
        with pytest.raises(ClientError, match=re.escape(words)):
            offline.client("sns").set_subscription_attributes(
                SubscriptionArn=arn, AttributeName=name, AttributeValue=value
            )


@pytest.mark.parametrize("protocol", ["http", "https", "email", "email-json", "sms", "application"])
def test_what_offline_cannot_be_reached_is_refused_by_name(offline, topic, protocol):
    with pytest.raises(ClientError, match=f"does not deliver to {protocol} endpoints") as caught:
        offline.client("sns").subscribe(TopicArn=topic, Protocol=protocol, Endpoint="somebody@example.com")
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 501


# --- policies ---------------------------------------------------------------------------------------------------------


def test_a_queue_that_does_not_let_the_topic_gets_nothing_and_the_dead_letter_queue_gets_it(
    offline, topic, make_queue, letters
):
    sns = offline.client("sns")
    closed, arn = make_queue()
    dead, dead_arn = make_queue("sns")
    sns.subscribe(
        TopicArn=topic,
        Protocol="sqs",
        Endpoint=arn,
        Attributes={"RedrivePolicy": json.dumps({"deadLetterTargetArn": dead_arn})},
    )
    sns.publish(TopicArn=topic, Message="lost")
    assert letters(closed) == []
    assert [json.loads(letter)["Message"] for letter in letters(dead)] == ["lost"]


@pytest.mark.parametrize("principal", [{"AWS": "*"}, {"Service": "sns.amazonaws.com"}, "*"], ids=json.dumps)
@pytest.mark.parametrize("own", [True, False], ids=["this topic", "another topic"])
def test_a_queues_policy_may_speak_of_one_topic_alone(offline, topic, make_queue, letters, principal, own):
    url, arn = make_queue()
    statement = {
        "Effect": "Allow",
        "Principal": principal,
        "Action": "SQS:SendMessage",
        "Resource": arn,
        "Condition": {"ArnEquals": {"aws:SourceArn": topic if own else topic + "-other"}},
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": statement})
    offline.client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
    offline.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    offline.client("sns").publish(TopicArn=topic, Message="hello")
    found = [json.loads(letter) for letter in letters(url)]
    assert [one["Message"] for one in found] == (["hello"] if own else [])
    if own:  # what a reader of the envelope looks for
        assert {"Type", "MessageId", "TopicArn", "Timestamp", "SignatureVersion", "UnsubscribeURL"} <= set(found[0])


@pytest.mark.parametrize(
    "policy",
    [
        "{}",
        "nothing",
        {"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "SQS:SendMessage", "Resource": "*"}]},
        {"Statement": [{"Effect": "Allow", "Action": "SNS:Publish", "Resource": "*"}]},
    ],
    ids=str,
)
def test_a_topics_policy_that_is_none_is_refused(offline, topic, policy):
    value = policy if isinstance(policy, str) else json.dumps(policy)
    with pytest.raises(ClientError, match="InvalidParameter"):
        offline.client("sns").set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=value)


def test_attributes_count_towards_the_limit_of_a_message(offline, topic):
    attribute = {"DataType": "String", "StringValue": "x" * 1000}
    with pytest.raises(ClientError, match="Message too long"):
        offline.client("sns").publish(TopicArn=topic, Message="x" * 262_000, MessageAttributes={"a": attribute})


def test_a_topic_or_subscription_is_made_again_only_as_the_same(offline, unique, make_queue):
    sns, name, (_, queue) = offline.client("sns"), unique("topic"), make_queue("sns")
    arn = sns.create_topic(Name=name, Tags=[{"Key": "a", "Value": "b"}])["TopicArn"]
    assert sns.create_topic(Name=name)["TopicArn"] == arn
    sns.subscribe(TopicArn=arn, Protocol="sqs", Endpoint=queue)
    sns.subscribe(TopicArn=arn, Protocol="sqs", Endpoint=queue)
    for call, arguments, words in (
        (
            sns.create_topic,
            {"Name": name, "Attributes": {"DisplayName": "x"}},
            "Topic already exists with different attr",
        ),
        (
            sns.create_topic,
            {"Name": name, "Tags": [{"Key": "z", "Value": "b"}]},
            "Topic already exists with different t",
        ),
        (
            sns.create_topic,
            {"Name": name, "Attributes": {"Colour": "x"}},
            "Attributes Reason: Unknown attribute Colour",
        ),
        (
            sns.subscribe,
            {"TopicArn": arn, "Protocol": "sqs", "Endpoint": queue, "Attributes": {"RawMessageDelivery": "true"}},
            "Subscription already exists with different attributes",
        ),
        (sns.unsubscribe, {"SubscriptionArn": "nope"}, "An ARN must have at least 6 elements, not 1"),
        (sns.publish, {"TopicArn": arn, "Message": "x", "Subject": "two\nlines"}, "Invalid parameter: Subject"),
    ):
        with pytest.raises(ClientError, match=words):
            call(**arguments)
