"""What S3 does not take: the code, the words, and that nothing is left of it."""

import base64
import hashlib
import json

import pytest
import requests
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import ClientError


@pytest.fixture(scope="module")
def s3(offline):
    return offline.client("s3")


def refused(call, **arguments) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return caught.value.response["Error"]["Code"], caught.value.response["Error"]["Message"]


@pytest.mark.parametrize("name", ["Bad_Name", "ab", "-begins", "ends-", "two..dots", "10.0.0.1", "xn--name"])
def test_names_that_no_bucket_may_have(s3, name):
    assert refused(s3.create_bucket, Bucket=name) == ("InvalidBucketName", "The specified bucket is not valid.")


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"ContentMD5": "1B2M2Y8AsgTpgAmY7PhCfg=="}, "The Content-MD5 you specified did not match what we received."),
        ({"ChecksumSHA256": "A" * 43 + "="}, "The SHA256 you specified did not match the calculated checksum."),
        ({"ChecksumCRC32": "AAAAAA=="}, "The CRC32 you specified did not match the calculated checksum."),
        ({"ChecksumCRC32C": "AAAAAA=="}, "The CRC32C you specified did not match the calculated checksum."),
        ({"ChecksumCRC64NVME": "AAAAAAAAAAA="}, "The CRC64NVME you specified did not match the calculated checksum."),
        ({"ChecksumSHA512": "A" * 86 + "=="}, "The SHA512 you specified did not match the calculated checksum."),
    ],
)
def test_bytes_that_are_not_what_was_said_are_not_kept(s3, bucket, said, message):
    assert refused(s3.put_object, Bucket=bucket, Key="torn", Body=b"1", **said) == ("BadDigest", message)
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)


@pytest.mark.parametrize("said", ["AAAA", "not base64", "A" * 43 + "="])
def test_a_checksum_that_is_none_is_refused(s3, bucket, said):
    answer = refused(s3.put_object, Bucket=bucket, Key="torn", Body=b"1", ChecksumCRC32C=said)
    assert answer == ("InvalidRequest", "Value for x-amz-checksum-crc32c header is invalid.")


def test_checksums_that_are_not_computed_here_are_refused_by_name(s3, bucket):
    sentence = "The offline AWS's S3 does not compute XXHASH3 checksums."
    put = refused(s3.put_object, Bucket=bucket, Key="torn", Body=b"1", ChecksumXXHASH3="A" * 11 + "=")
    begun = refused(s3.create_multipart_upload, Bucket=bucket, Key="torn", ChecksumAlgorithm="XXHASH3")
    assert put == begun == ("NotImplemented", sentence)
    code, message = refused(s3.create_multipart_upload, Bucket=bucket, Key="torn", ChecksumAlgorithm="CRC31")
    assert code == "InvalidRequest"
    assert message.startswith(
        "Checksum algorithm provided is unsupported. Please try again with any of the valid types"
    )


def test_what_is_to_be_deleted_is_read_as_xml(offline, s3, bucket):
    """Entities, CDATA and comments, none of which a client of AWS writes; the key is the same after a restart."""

    def delete(body):
        request = AWSRequest("POST", f"{offline.endpoint_url}/{bucket}?delete", data=body)
        request.headers["Content-MD5"] = base64.b64encode(hashlib.md5(body).digest()).decode()
        keys = offline.session.get_credentials().get_frozen_credentials()
        S3SigV4Auth(keys, "s3", "us-east-1").add_auth(request)
        return requests.post(request.url, data=body, headers=dict(request.headers.items()), timeout=30)

    for key in ("a&b", "c<d>", "e"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"")
    first, comment = b"<Object><Key>a&amp;b</Key></Object>", b"<!-- <Key>e</Key> -->"
    second = b"<Object><Key><![CDATA[c<d>]]></Key></Object>"
    assert delete(b"<Delete>%s%s%s</Delete>" % (first, comment, second)).status_code == 200
    assert [one["Key"] for one in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["e"]
    empty = (b"<Object/>", b"<Object><Key/></Object>", b"<Object><Key>e</Key></Object>" * 1001)
    for body in (b"", b"<Delete>", b"<Delete/>", *(b"<Delete>%s</Delete>" % one for one in empty)):
        answer = delete(body)
        assert (answer.status_code, "<Code>MalformedXML</Code>" in answer.text) == (400, True), (body, answer.text)


def test_a_key_has_at_most_1024_bytes(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k" * 1024, Body=b"")
    assert refused(s3.put_object, Bucket=bucket, Key="k" * 1025, Body=b"")[0] == "KeyTooLongError"


def test_parts_are_uploaded_to_an_upload_and_completed_in_order(s3, bucket):
    upload = {"Bucket": bucket, "Key": "k", "UploadId": s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]}
    parts = [
        {"PartNumber": number, "ETag": s3.upload_part(**upload, PartNumber=number, Body=b"x")["ETag"]}
        for number in (2, 1)
    ]
    code, message = refused(s3.complete_multipart_upload, **upload, MultipartUpload={"Parts": parts})
    assert (code, message.split(".")[0]) == ("InvalidPartOrder", "The list of parts was not in ascending order")
    code, message = refused(s3.upload_part, **upload | {"UploadId": "nope"}, PartNumber=1, Body=b"x")
    assert (code, message.split(".")[0]) == ("NoSuchUpload", "The specified upload does not exist")


def policy(bucket, **changes):
    statement = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{bucket}/*"}
    kept = {name: value for name, value in (statement | changes).items() if value is not None}
    return json.dumps({"Version": "2012-10-17", "Statement": [kept]})


def test_a_policy_that_is_none_is_refused_and_the_bucket_goes_on(s3, bucket):
    s3.put_bucket_policy(Bucket=bucket, Policy=policy(bucket))
    for text, message in (
        ("nope", "Policies must be valid JSON and the first byte must be '{'"),
        (policy(bucket, Principal=None), "Missing required field Principal"),
        (policy(bucket, Action="sns:Publish"), "Policy has invalid action"),
        (policy(bucket, Resource="arn:aws:s3:::another/*"), "Policy has invalid resource"),
    ):
        assert refused(s3.put_bucket_policy, Bucket=bucket, Policy=text) == ("MalformedPolicy", message)
    s3.put_object(Bucket=bucket, Key="k", Body=b"1")
    assert s3.get_bucket_policy(Bucket=bucket)["Policy"] == policy(bucket)


def test_a_deny_of_the_bucket_binds_its_owner_too_and_heeds_its_condition(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"1")
    plain_http = {"Bool": {"aws:SecureTransport": "false"}}  # what every guide to safe buckets begins with
    s3.put_bucket_policy(Bucket=bucket, Policy=policy(bucket, Effect="Deny", Action="s3:*", Condition=plain_http))
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"1"
    s3.put_bucket_policy(Bucket=bucket, Policy=policy(bucket, Effect="Deny"))
    code, message = refused(s3.get_object, Bucket=bucket, Key="k")
    assert code == "AccessDenied"
    assert message.endswith(
        f'is not authorized to perform: s3:GetObject on resource: "arn:aws:s3:::{bucket}/k" '
        "with an explicit deny in a resource-based policy"
    )
    s3.delete_bucket_policy(Bucket=bucket)
    s3.get_object(Bucket=bucket, Key="k")
