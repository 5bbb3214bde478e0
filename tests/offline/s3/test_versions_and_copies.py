"""Versions that are none, delete markers, and the conditions of a copy, in S3's words."""

from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError


@pytest.fixture
def s3(offline):
    return offline.client("s3")


def refused(operation, **asked):
    with pytest.raises(ClientError) as caught:
        operation(**asked)
    answer = caught.value.response
    return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"]


def test_a_marker_is_no_object_and_a_word_is_no_version(s3, bucket):
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    version = s3.put_object(Bucket=bucket, Key="k", Body=b"x")["VersionId"]
    marker = s3.delete_object(Bucket=bucket, Key="k")["VersionId"]
    assert refused(s3.get_object, Bucket=bucket, Key="k", VersionId=marker) == (405, "MethodNotAllowed")
    assert refused(s3.head_object, Bucket=bucket, Key="k", VersionId=marker)[0] == 405
    assert refused(s3.get_object, Bucket=bucket, Key="k", VersionId="word") == (400, "InvalidArgument")
    gone = version[:-4] + ("0000" if version[-4:] != "0000" else "1111")
    assert refused(s3.get_object, Bucket=bucket, Key="k", VersionId=gone) == (404, "NoSuchVersion")
    assert s3.get_object(Bucket=bucket, Key="k", VersionId=version)["Body"].read() == b"x"


def test_a_copy_heeds_the_conditions_on_its_source(s3, bucket):
    etag = s3.put_object(Bucket=bucket, Key="k", Body=b"x" * 10)["ETag"]
    asked = {"Bucket": bucket, "Key": "copy", "CopySource": {"Bucket": bucket, "Key": "k"}}
    hour = timedelta(hours=1)
    now = datetime.now(UTC)
    for condition in (
        {"CopySourceIfMatch": '"other"'},
        {"CopySourceIfNoneMatch": etag},
        {"CopySourceIfUnmodifiedSince": now - hour},
        {"CopySourceIfModifiedSince": now},
    ):
        assert refused(s3.copy_object, **asked, **condition) == (412, "PreconditionFailed"), condition
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket, Prefix="copy")
    for condition in (
        {"CopySourceIfMatch": etag, "CopySourceIfUnmodifiedSince": now - hour},
        {"CopySourceIfNoneMatch": '"other"'},
        {"CopySourceIfModifiedSince": now - hour},
    ):
        s3.copy_object(**asked, **condition)
    upload = s3.create_multipart_upload(Bucket=bucket, Key="parts")["UploadId"]
    part = asked | {"Key": "parts", "UploadId": upload, "PartNumber": 1}
    assert refused(s3.upload_part_copy, **part, CopySourceIfMatch='"other"') == (412, "PreconditionFailed")
