"""SNS tries again what failed for a passing reason, and only that."""

import json

import pytest

from helpers.offline.outbox import Outbox
from helpers.offline.services.sns import retries
from helpers.offline.services.sns.message import Message


def test_the_schedule_is_the_documented_one():
    """3 at once, 2 a second apart, 10 with growing pauses from 1 to 20 s, 100,000 more 20 s apart: 23 days."""
    assert retries.RETRIES == 100_015
    delays = [retries.delay_s(number) for number in range(1, 20)]
    assert delays[:6] == [0, 0, 0, 1, 1, 1]
    assert delays[5:15] == sorted(delays[5:15])
    assert delays[14] == pytest.approx(20)
    assert delays[15:] == [20] * 4
    days = sum(retries.delay_s(number) for number in range(1, retries.RETRIES + 1)) / 86_400
    assert 23 < days < 24


def test_what_waits_is_kept_and_tried_until_it_is_done(tmp_path):
    outcomes = iter([False, False, False, True])
    tried = []

    def again(pending):
        tried.append(pending.failures)
        return next(outcomes)

    waiting = retries.Retries(again, Outbox(tmp_path / "sns.outbox"))
    waiting.put(retries.Pending("topic", "subscription", [Message("text")]))
    waiting.tick()  # two retries at once, then a pause
    assert tried == [1, 2, 3]
    later = retries.Retries(again, Outbox(tmp_path / "sns.outbox"))  # after a crash
    later.recover()
    later.tick()
    assert tried == [1, 2, 3, 1]
    assert Outbox(tmp_path / "sns.outbox").left() == []


def test_a_stream_that_takes_no_more_gets_the_message_a_little_later(
    offline, make_stream, service_role, unique, make_queue, letters, objects, eventually
):
    name, arn = make_stream(BufferingHints={"SizeInMBs": 128, "IntervalInSeconds": 1})
    url, queue = make_queue("sns")
    sns, firehose = offline.client("sns"), offline.client("firehose")
    topic = sns.create_topic(Name=unique("topic"))["TopicArn"]
    sns.subscribe(
        TopicArn=topic,
        Protocol="firehose",
        Endpoint=arn,
        Attributes={
            "SubscriptionRoleArn": service_role("sns"),
            "RawMessageDelivery": "true",
            "RedrivePolicy": json.dumps({"deadLetterTargetArn": queue}),
        },
    )
    half = [{"Data": b"." * 512 * 1024}] * 8
    while not firehose.put_record_batch(DeliveryStreamName=name, Records=half)["FailedPutCount"]:
        pass
    text = "patience " * 25_000  # 225 KB, while the quota's bucket is empty
    for _ in range(12):
        sns.publish(TopicArn=topic, Message=text)
    line = text.encode() + b"\n"
    eventually(lambda: b"".join(objects().values()).count(line) == 12, 90)
    assert letters(url) == []
