"""Firehose as its documentation describes it, row by row: limits, keys, prefixes, partial failures, states."""

import json
import re
import time
from datetime import UTC, datetime

import pytest
from botocore.exceptions import ClientError

MIB = 1024 * 1024


def refused(call, code, words=" "):
    with pytest.raises(ClientError, match=re.escape(words)) as caught:
        call()
    assert caught.value.response["Error"]["Code"] == code


# --- limits -----------------------------------------------------------------------------------------------------------

HINTS = [
    ("size 1 MiB", {"SizeInMBs": 1, "IntervalInSeconds": 1}, None),
    ("size 128 MiB", {"SizeInMBs": 128, "IntervalInSeconds": 1}, None),
    ("interval 0 s", {"SizeInMBs": 1, "IntervalInSeconds": 0}, None),
    ("interval 900 s", {"SizeInMBs": 1, "IntervalInSeconds": 900}, None),
    ("size 129 MiB", {"SizeInMBs": 129, "IntervalInSeconds": 1}, "Value '129' at '"),
    ("interval 901 s", {"SizeInMBs": 1, "IntervalInSeconds": 901}, "Value '901' at '"),
]


@pytest.mark.parametrize(("hints", "words"), [row[1:] for row in HINTS], ids=[row[0] for row in HINTS])
def test_buffering_hints(make_stream, hints, words):
    if words is None:
        make_stream(BufferingHints=hints)
    else:
        refused(lambda: make_stream(BufferingHints=hints), "ValidationException", words)


def test_defaults_of_the_buffer_are_5_mib_and_300_s(offline, make_stream):
    name, _ = make_stream(BufferingHints={})
    described = offline.client("firehose").describe_delivery_stream(DeliveryStreamName=name)
    destination = described["DeliveryStreamDescription"]["Destinations"][0]["ExtendedS3DestinationDescription"]
    assert destination["BufferingHints"] == {"SizeInMBs": 5, "IntervalInSeconds": 300}
    assert destination["CompressionFormat"] == "UNCOMPRESSED"


RECORDS = [
    ("record of 1,000 KiB", [1_024_000], None),
    ("record of 1,000 KiB and a byte", [1_024_001], "ValidationException"),
    ("500 records", [1] * 500, None),
    ("501 records", [1] * 501, "ValidationException"),
    ("batch of 4 MiB", [MIB // 2] * 8, None),
    ("batch of 4 MiB and a byte", [MIB // 2] * 8 + [1], "InvalidArgumentException"),
]


@pytest.mark.parametrize(("sizes", "code"), [row[1:] for row in RECORDS], ids=[row[0] for row in RECORDS])
def test_sizes_of_records_and_batches(offline, make_stream, sizes, code):
    name, _ = make_stream(BufferingHints={"SizeInMBs": 128, "IntervalInSeconds": 900})
    firehose = offline.client("firehose")

    def put():
        return firehose.put_record_batch(DeliveryStreamName=name, Records=[{"Data": b"x" * size} for size in sizes])

    if code is None:
        answer = put()
        assert answer["FailedPutCount"] == 0
        assert len({one["RecordId"] for one in answer["RequestResponses"]}) == len(sizes)
    else:
        refused(put, code)


def test_the_record_that_fills_the_buffer_ends_the_object(offline, make_stream, objects, eventually):
    name, _ = make_stream(BufferingHints={"SizeInMBs": 1, "IntervalInSeconds": 900})
    for _ in range(2):
        offline.client("firehose").put_record_batch(
            DeliveryStreamName=name, Records=[{"Data": bytes([number]) * 300_000} for number in range(12)]
        )
    bodies = eventually(lambda: sum(map(len, objects().values())) == 24 * 300_000 and list(objects().values()))
    assert {len(body) for body in bodies} == {4 * 300_000}  # the fourth reaches 1 MiB


# --- partial failures -------------------------------------------------------------------------------------------------


def test_records_beyond_the_quota_fail_one_by_one_and_only_they_need_to_be_put_again(
    offline, make_stream, objects, eventually
):
    name, _ = make_stream(BufferingHints={"SizeInMBs": 128, "IntervalInSeconds": 900})
    firehose = offline.client("firehose")
    waiting = [f"{number:06d}".encode().ljust(512 * 1024, b".") for number in range(40)]  # 20 MiB
    failures, deadline = 0, time.monotonic() + 60
    while waiting:
        assert time.monotonic() < deadline
        now, later = waiting[:8], waiting[8:]
        answer = firehose.put_record_batch(DeliveryStreamName=name, Records=[{"Data": data} for data in now])
        pairs = list(zip(now, answer["RequestResponses"], strict=True))
        failed = [(data, one) for data, one in pairs if "ErrorCode" in one]
        assert answer["FailedPutCount"] == len(failed)
        assert all("RecordId" in one for _, one in pairs if "ErrorCode" not in one)
        for _, one in failed:
            assert (one["ErrorCode"], one["ErrorMessage"]) == ("ServiceUnavailableException", "Slow down.")
        failures += len(failed)
        waiting = [data for data, _ in failed] + later
    assert failures
    firehose.delete_delivery_stream(DeliveryStreamName=name)  # delivers first
    body = b"".join(objects().values())
    assert sorted(body[start : start + 6] for start in range(0, len(body), 512 * 1024)) == [
        f"{number:06d}".encode() for number in range(40)
    ]


def test_one_record_beyond_the_quota_is_throttled(offline, make_stream):
    name, _ = make_stream(BufferingHints={"SizeInMBs": 128, "IntervalInSeconds": 900})
    firehose = offline.client("firehose")
    with pytest.raises(ClientError, match="Slow down") as caught:
        for _ in range(40):
            firehose.put_record(DeliveryStreamName=name, Record={"Data": b"x" * 1_000_000})
    assert caught.value.response["Error"]["Code"] == "ServiceUnavailableException"
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503


# --- keys and prefixes ------------------------------------------------------------------------------------------------

ERRORS = "errors/!{firehose:error-output-type}/"
DATE = r"\d{4}/\d\d/\d\d/\d\d/"
KEYS = [
    ("no prefix", {}, DATE),
    ("plain prefix", {"Prefix": "samples/"}, "samples/" + DATE),
    ("prefix without a slash", {"Prefix": "samples-"}, "samples-" + DATE),
    ("timestamp", {"Prefix": "y=!{timestamp:yyyy}/m=!{timestamp:MM}/", "ErrorOutputPrefix": ERRORS},
     r"y=\d{4}/m=\d\d/"),
    ("quoted letters", {"Prefix": "!{timestamp:'year='yyyy}/", "ErrorOutputPrefix": ERRORS}, r"year=\d{4}/"),
    ("random string", {"Prefix": "!{firehose:random-string}/", "ErrorOutputPrefix": ERRORS},
     r"[A-Za-z0-9]{11}/" + DATE),
    ("random string and timestamp",
     {"Prefix": "!{firehose:random-string}/!{timestamp:DDD}/", "ErrorOutputPrefix": ERRORS},
     r"[A-Za-z0-9]{11}/\d{3}/"),
    ("a file extension", {"FileExtension": ".csv"}, DATE),
]  # fmt: skip


@pytest.mark.parametrize(("destination", "folder"), [row[1:] for row in KEYS], ids=[row[0] for row in KEYS])
def test_the_key_of_an_object(offline, make_stream, objects, eventually, destination, folder):
    name, _ = make_stream(**destination)
    before = datetime.now(UTC).replace(microsecond=0)
    offline.client("firehose").put_record(DeliveryStreamName=name, Record={"Data": b"x"})
    after = datetime.now(UTC)
    (key,) = eventually(objects)
    match = re.fullmatch(
        rf"{folder}{name}-1-(\d{{4}}-\d\d-\d\d-\d\d-\d\d-\d\d)-[0-9a-f]{{8}}(?:-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}}"
        + re.escape(destination.get("FileExtension", "")),
        key,
    )
    assert match, key
    # The time of the oldest record's arrival, in UTC.
    assert before <= datetime.strptime(match[1], "%Y-%m-%d-%H-%M-%S").replace(tzinfo=UTC) <= after


PREFIXES = [
    ("expressions without an error prefix", {"Prefix": "!{timestamp:yyyy}/"},
     "ErrorOutputPrefix can't be null when Prefix contains expressions"),
    ("error prefix without error-output-type", {"Prefix": "!{timestamp:yyyy}/", "ErrorOutputPrefix": "errors/"},
     "must contain !{firehose:error-output-type}"),
    ("error-output-type in the prefix", {"Prefix": ERRORS, "ErrorOutputPrefix": ERRORS},
     "cannot contain !{firehose:error-output-type}"),
    ("dynamic partitioning", {"Prefix": "!{partitionKeyFromQuery:fc}/", "ErrorOutputPrefix": ERRORS},
     "partitionKeyFromQuery"),
    ("unknown expression", {"Prefix": "!{firehose:stream-name}/", "ErrorOutputPrefix": ERRORS}, "stream-name"),
    ("unknown letters", {"Prefix": "!{timestamp:EEE}/", "ErrorOutputPrefix": ERRORS}, "EEE"),
]  # fmt: skip


@pytest.mark.parametrize(("destination", "words"), [row[1:] for row in PREFIXES], ids=[row[0] for row in PREFIXES])
def test_a_prefix_that_cannot_be_is_refused(make_stream, destination, words):
    refused(lambda: make_stream(**destination), "InvalidArgumentException", words)


def test_a_time_zone_of_ones_own_shows_in_the_key(offline, make_stream, objects, eventually):
    name, _ = make_stream(CustomTimeZone="Asia/Kolkata")  # 5 h 30 min ahead, all year
    offline.client("firehose").put_record(DeliveryStreamName=name, Record={"Data": b"x"})
    (key,) = eventually(objects)
    told = datetime.strptime(re.search(rf"{name}-1-((?:\d+-){{5}}\d\d)", key)[1], "%Y-%m-%d-%H-%M-%S")
    assert 19_700 < told.replace(tzinfo=UTC).timestamp() - time.time() < 19_801


# --- delivery ---------------------------------------------------------------------------------------------------------


def test_nothing_is_put_between_records_unless_asked_for(offline, make_stream, objects, eventually):
    name, _ = make_stream()
    records = [{"Data": b"a"}, {"Data": b"b"}]
    offline.client("firehose").put_record_batch(DeliveryStreamName=name, Records=records)
    assert list(eventually(objects).values()) == [b"ab"]


def test_the_buffers_size_counts_before_compression(offline, make_stream, objects, eventually):
    name, _ = make_stream(BufferingHints={"SizeInMBs": 1, "IntervalInSeconds": 900}, CompressionFormat="GZIP")
    records = [{"Data": b"0" * 300_000}] * 4
    offline.client("firehose").put_record_batch(DeliveryStreamName=name, Records=records)
    (key,) = eventually(objects)
    assert key.endswith(".gz")


# --- states and errors ------------------------------------------------------------------------------------------------


def test_a_stream_is_creating_before_it_is_active_and_takes_no_record_until_then(
    offline, bucket, unique, service_role, eventually
):
    firehose, name = offline.client("firehose"), unique("stream")
    destination = {"RoleARN": service_role("firehose"), "BucketARN": f"arn:aws:s3:::{bucket}"}
    firehose.create_delivery_stream(DeliveryStreamName=name, ExtendedS3DestinationConfiguration=destination)

    def status():
        described = firehose.describe_delivery_stream(DeliveryStreamName=name)["DeliveryStreamDescription"]
        return described["DeliveryStreamStatus"]

    first = status()
    try:
        firehose.put_record(DeliveryStreamName=name, Record={"Data": b"x"})
        taken = True
    except ClientError as error:
        assert error.response["Error"]["Code"] == "ResourceNotFoundException"
        taken = False
    assert taken == (status() == "ACTIVE") or first == "CREATING"
    eventually(lambda: status() == "ACTIVE")
    firehose.put_record(DeliveryStreamName=name, Record={"Data": b"x"})
    refused(
        lambda: firehose.create_delivery_stream(
            DeliveryStreamName=name, ExtendedS3DestinationConfiguration=destination
        ),
        "ResourceInUseException",
    )
    firehose.delete_delivery_stream(DeliveryStreamName=name)
    refused(lambda: status(), "ResourceNotFoundException", f"Firehose {name} under account 123456789012 not found.")


def test_a_region_holds_fifty_streams(offline, bucket, unique, service_role):
    firehose = offline.client("firehose", region="ap-south-1")
    destination = {"RoleARN": service_role("firehose"), "BucketARN": f"arn:aws:s3:::{bucket}"}
    with pytest.raises(ClientError) as caught:
        for _ in range(51):
            firehose.create_delivery_stream(
                DeliveryStreamName=unique("stream"), ExtendedS3DestinationConfiguration=destination
            )
    assert caught.value.response["Error"]["Code"] == "LimitExceededException"
    assert len(firehose.list_delivery_streams(Limit=100)["DeliveryStreamNames"]) == 50


# --- SNS -> Firehose --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("raw", ["true", "false"], ids=["raw", "envelope"])
def test_what_a_topic_puts_into_a_stream(offline, make_stream, service_role, unique, objects, eventually, raw):
    _, stream = make_stream()
    sns = offline.client("sns")
    topic = sns.create_topic(Name=unique("topic"))["TopicArn"]
    sns.subscribe(
        TopicArn=topic,
        Protocol="firehose",
        Endpoint=stream,
        Attributes={"SubscriptionRoleArn": service_role("sns"), "RawMessageDelivery": raw},
    )
    attributes = {"fc": {"DataType": "String", "StringValue": "NORTH"}}
    sns.publish(TopicArn=topic, Message="one", Subject="about", MessageAttributes=attributes)
    sns.publish(TopicArn=topic, Message="two")
    body = eventually(lambda: b"".join(objects().values()).count(b"\n") == 2 and b"".join(objects().values()))
    if raw == "true":
        assert body == b"one\ntwo\n"
        return
    first, second = map(json.loads, body.splitlines())
    assert list(first) == [
        "Type", "MessageId", "TopicArn", "Subject", "Message", "Timestamp", "UnsubscribeURL", "MessageAttributes",
    ]  # fmt: skip
    assert first["Type"] == "Notification"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", first["Timestamp"])
    assert first["MessageAttributes"] == {"fc": {"Type": "String", "Value": "NORTH"}}
    assert "Subject" not in second and "MessageAttributes" not in second
