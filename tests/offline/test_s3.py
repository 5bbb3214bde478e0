"""S3 as clients use it: listing, ranges, multipart, odd names, metadata."""

import io
import os

import pytest
from botocore.exceptions import ClientError


@pytest.fixture(scope="module")
def s3(offline):
    return offline.client("s3")


@pytest.fixture(scope="module")
def bucket(s3):
    s3.create_bucket(Bucket="s3-tests")
    return "s3-tests"


NAMES = [
    f"year={year}/month={month:02d}/part-{part}" for year in (2025, 2026) for month in (1, 2, 3) for part in range(4)
]


@pytest.fixture(scope="module")
def listed(s3):
    s3.create_bucket(Bucket="s3-listing")
    for name in [*NAMES, "top", "ü & <odd>/a b+c%20.csv"]:
        s3.put_object(Bucket="s3-listing", Key=name, Body=name.encode())
    return "s3-listing"


def test_keys_come_sorted_with_their_sizes(s3, listed):
    entries = s3.list_objects_v2(Bucket=listed)["Contents"]
    names = [entry["Key"] for entry in entries]
    assert names == sorted([*NAMES, "top", "ü & <odd>/a b+c%20.csv"])
    assert all(entry["Size"] == len(entry["Key"].encode()) for entry in entries)
    assert [entry["Key"] for entry in s3.list_objects(Bucket=listed)["Contents"]] == names


@pytest.mark.parametrize("operation", ["list_objects", "list_objects_v2"])
@pytest.mark.parametrize("size", [1, 3, 5, 1000])
@pytest.mark.parametrize("delimiter", [None, "/"])
def test_pages_put_together_are_the_whole(s3, listed, operation, size, delimiter):
    place = {"Bucket": listed} | ({"Delimiter": delimiter} if delimiter else {})
    pages = s3.get_paginator(operation).paginate(**place, PaginationConfig={"PageSize": size})
    found = []
    for page in pages:
        entries = [entry["Key"] for entry in page.get("Contents", [])]
        entries += [entry["Prefix"] for entry in page.get("CommonPrefixes", [])]
        assert len(entries) <= size
        found += entries
    whole = (
        ["top", "year=2025/", "year=2026/", "ü & <odd>/"] if delimiter else [*NAMES, "top", "ü & <odd>/a b+c%20.csv"]
    )
    assert sorted(found) == sorted(whole)
    assert len(set(found)) == len(found)


def test_prefix_delimiter_and_start_after(s3, listed):
    answer = s3.list_objects_v2(
        Bucket=listed, Prefix="year=2026/", Delimiter="/", StartAfter="year=2026/month=01/part-9"
    )
    assert [entry["Prefix"] for entry in answer["CommonPrefixes"]] == ["year=2026/month=02/", "year=2026/month=03/"]
    assert answer["KeyCount"] == 2
    assert s3.list_objects_v2(Bucket=listed, Prefix="none/")["KeyCount"] == 0


def test_what_is_not_there_has_its_own_error(s3, bucket):
    for arguments, code in (
        ({"Bucket": "no-such-bucket", "Key": "k"}, "NoSuchBucket"),
        ({"Bucket": bucket, "Key": "no"}, "NoSuchKey"),
    ):
        with pytest.raises(ClientError) as caught:
            s3.get_object(**arguments)
        assert caught.value.response["Error"]["Code"] == code
    with pytest.raises(s3.exceptions.NoSuchBucket):
        s3.list_objects_v2(Bucket="no-such-bucket")


@pytest.mark.parametrize("size", [1000, 3_000_000])
def test_ranges_of_small_and_large_objects(s3, bucket, size):
    body = os.urandom(size)
    s3.put_object(Bucket=bucket, Key="ranged", Body=body, ContentType="application/x-test", Metadata={"a_b": "c"})
    whole = s3.get_object(Bucket=bucket, Key="ranged")
    assert whole["Body"].read() == body
    assert (whole["ContentType"], whole["Metadata"], whole["ContentLength"]) == (
        "application/x-test",
        {"a_b": "c"},
        size,
    )
    for asked, part in (("bytes=10-19", body[10:20]), ("bytes=-7", body[-7:]), (f"bytes={size - 5}-", body[-5:])):
        answer = s3.get_object(Bucket=bucket, Key="ranged", Range=asked)
        assert answer["Body"].read() == part
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == 206
        assert answer["ContentRange"].endswith(f"/{size}")
    with pytest.raises(ClientError, match="InvalidRange"):
        s3.get_object(Bucket=bucket, Key="ranged", Range=f"bytes={size + 5}-{size + 9}")
    with pytest.raises(ClientError, match="304"):
        s3.get_object(Bucket=bucket, Key="ranged", IfNoneMatch=whole["ETag"])


def test_a_multipart_upload_is_the_sum_of_its_parts(s3, bucket):
    body = os.urandom(20_000_000)
    s3.upload_fileobj(io.BytesIO(body), bucket, "multipart")
    back = io.BytesIO()
    s3.download_fileobj(bucket, "multipart", back)
    assert back.getvalue() == body
    head = s3.head_object(Bucket=bucket, Key="multipart")
    assert (head["ContentLength"], head["ETag"].endswith('-3"')) == (20_000_000, True)
    upload = s3.create_multipart_upload(Bucket=bucket, Key="torn")["UploadId"]
    s3.upload_part(Bucket=bucket, Key="torn", UploadId=upload, PartNumber=1, Body=b"x")
    s3.abort_multipart_upload(Bucket=bucket, Key="torn", UploadId=upload)
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)


def test_copy_and_delete_many(s3, bucket):
    for number in range(3):
        s3.put_object(Bucket=bucket, Key=f"many/{number} & {number}", Body=b"1")
    s3.copy_object(Bucket=bucket, Key="many/copy", CopySource={"Bucket": bucket, "Key": "many/0 & 0"})
    names = [entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket, Prefix="many/")["Contents"]]
    assert len(names) == 4
    s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": name} for name in names]})
    assert s3.list_objects_v2(Bucket=bucket, Prefix="many/")["KeyCount"] == 0
