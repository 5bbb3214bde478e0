"""Firehose buffers, delivers, and loses nothing that it acknowledged."""

import gzip
import json
import os
import re
import signal

import pytest
from botocore.exceptions import ClientError


def put(offline, name, *records):
    return offline.client("firehose").put_record_batch(
        DeliveryStreamName=name, Records=[{"Data": record} for record in records]
    )


def test_records_become_one_object_in_order_when_the_interval_is_over(offline, make_stream, objects, eventually):
    name, _ = make_stream(Prefix="samples/")
    answer = put(offline, name, b"1\n", b"2\n", b"3\n")
    assert answer["FailedPutCount"] == 0 and len(answer["RequestResponses"]) == 3
    assert objects() == {}
    (key, body), *others = eventually(objects).items()
    assert body == b"1\n2\n3\n" and not others
    assert re.fullmatch(rf"samples/\d{{4}}/\d\d/\d\d/\d\d/{name}-1(-\d\d\d\d)?(-\d\d){{5}}-[0-9a-f-]{{36}}", key)


def test_a_full_buffer_is_delivered_before_its_interval_is_over(offline, make_stream, objects, eventually):
    name, _ = make_stream(BufferingHints={"SizeInMBs": 1, "IntervalInSeconds": 900})
    put(offline, name, b"x" * 600_000)
    put(offline, name, b"y" * 600_000)
    body = next(iter(eventually(objects).values()))
    assert body == b"x" * 600_000 + b"y" * 600_000


def test_compression_delimiters_and_prefix_expressions(offline, make_stream, objects, eventually):
    name, _ = make_stream(
        Prefix="year=!{timestamp:yyyy}/",
        ErrorOutputPrefix="errors/!{firehose:error-output-type}/",
        CompressionFormat="GZIP",
        ProcessingConfiguration={"Enabled": True, "Processors": [{"Type": "AppendDelimiterToRecord"}]},
    )
    put(offline, name, b"a", b"b")
    key, body = next(iter(eventually(objects).items()))
    assert re.match(r"year=\d{4}/[^/]+\.gz$", key)
    assert gzip.decompress(body) == b"a\nb\n"


def test_what_is_buffered_is_delivered_before_a_stream_is_deleted(offline, make_stream, objects):
    name, _ = make_stream(BufferingHints={"SizeInMBs": 1, "IntervalInSeconds": 900})
    put(offline, name, b"last words")
    offline.client("firehose").delete_delivery_stream(DeliveryStreamName=name)
    assert list(objects().values()) == [b"last words"]
    with pytest.raises(ClientError) as error:
        put(offline, name, b"too late")
    assert error.value.response["Error"]["Code"] == "ResourceNotFoundException"


def test_a_missing_bucket_delays_delivery_and_says_so_in_the_log(offline, make_stream, bucket, objects, eventually):
    options = {"Enabled": True, "LogGroupName": f"/{bucket}", "LogStreamName": "S3Delivery"}
    name, _ = make_stream(CloudWatchLoggingOptions=options)
    offline.client("s3").delete_bucket(Bucket=bucket)
    put(offline, name, b"patience")
    logs = offline.client("logs")

    def told():
        groups = logs.describe_log_groups(logGroupNamePrefix=f"/{bucket}")["logGroups"]
        return groups and logs.filter_log_events(logGroupName=f"/{bucket}")["events"]

    assert "S3.NoSuchBucket" in eventually(told)[0]["message"]
    offline.client("s3").create_bucket(Bucket=bucket)
    assert list(eventually(objects).values()) == [b"patience"]


@pytest.mark.parametrize(
    ("destination", "words"),
    [
        ({"BufferingHints": {"SizeInMBs": 129, "IntervalInSeconds": 1}}, "less than or equal to 128"),
        ({"BufferingHints": {"SizeInMBs": 1, "IntervalInSeconds": 901}}, "less than or equal to 900"),
        ({"Prefix": "!{timestamp:yyyy}/"}, "ErrorOutputPrefix can't be null when Prefix contains expressions"),
        ({"RoleARN": "arn:aws:iam::123456789012:role/nobody"}, "unable to assume role"),
        ({"CompressionFormat": "Snappy"}, "does not support compression Snappy"),
    ],
)
def test_a_wrong_destination_is_refused_with_the_reason(make_stream, destination, words):
    with pytest.raises(ClientError, match=re.escape(words)):
        make_stream(**destination)


def test_limits_of_records_and_batches(offline, make_stream):
    name, _ = make_stream()
    with pytest.raises(ClientError, match="less than or equal to 1024000"):
        put(offline, name, b"x" * 1_024_001)
    with pytest.raises(ClientError, match="less than or equal to 500"):
        put(offline, name, *[b"x"] * 501)
    with pytest.raises(ClientError, match="4 MB"):
        put(offline, name, *[b"x" * 1_000_000] * 5)


def test_a_killed_server_loses_no_acknowledged_record(workspace_dir, start_offline, eventually):
    offline = start_offline(workspace_dir)
    offline.client("s3").create_bucket(Bucket="kept")
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "firehose.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
    iam = offline.client("iam")
    role = iam.create_role(RoleName="firehose", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    may_write = {"Effect": "Allow", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::kept/*"}
    policy = {"Version": "2012-10-17", "Statement": [may_write]}
    iam.put_role_policy(RoleName="firehose", PolicyName="write", PolicyDocument=json.dumps(policy))
    offline.client("firehose").create_delivery_stream(
        DeliveryStreamName="kept",
        ExtendedS3DestinationConfiguration={"RoleARN": role, "BucketARN": "arn:aws:s3:::kept"},
    )
    described = offline.client("firehose").describe_delivery_stream
    eventually(
        lambda: described(DeliveryStreamName="kept")["DeliveryStreamDescription"]["DeliveryStreamStatus"] == "ACTIVE"
    )
    for number in range(20):
        put(offline, "kept", *[f"{number}-{line}\n".encode() for line in range(50)])
    os.kill(json.loads((workspace_dir / "offline.json").read_text())["pid"], signal.SIGKILL)
    s3 = start_offline(workspace_dir).client("s3")

    def lines():
        keys = [one["Key"] for one in s3.list_objects_v2(Bucket="kept").get("Contents", [])]
        return b"".join(s3.get_object(Bucket="kept", Key=key)["Body"].read() for key in keys).split()

    expected = [f"{number}-{line}".encode() for number in range(20) for line in range(50)]
    assert eventually(lambda: len(lines()) >= 1000 and lines()) == expected
