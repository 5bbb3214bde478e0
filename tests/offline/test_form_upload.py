"""Presigned POST: what the policy allows is uploaded, and nothing else."""

import boto3
import httpx
import pytest
from botocore.config import Config


@pytest.fixture(params=["s3", "s3v4"])
def s3(offline, request):
    return offline.client("s3", config=Config(signature_version=request.param))


def post(form, content=b"data", **fields):
    return httpx.post(form["url"], data=form["fields"] | fields, files={"file": ("n.txt", content)})


@pytest.fixture
def form(s3, bucket):
    return s3.generate_presigned_post(
        bucket,
        "posted/${filename}",
        Fields={"x-amz-meta-from": "form", "Content-Type": "text/csv"},
        Conditions=[
            ["starts-with", "$x-amz-meta-from", "f"],
            {"Content-Type": "text/csv"},
            ["content-length-range", 1, 9],
        ],
    )


def test_what_the_form_holds_becomes_an_object(offline, bucket, form):
    answer = post(form)
    assert (answer.status_code, answer.content) == (204, b"")
    found = offline.client("s3").get_object(Bucket=bucket, Key="posted/n.txt")
    assert found["Body"].read() == b"data"
    assert (found["ContentType"], found["Metadata"]) == ("text/csv", {"from": "form"})
    assert answer.headers["etag"] == found["ETag"]


@pytest.mark.parametrize(
    ("content", "fields", "status", "words"),
    [
        (b"d" * 10, {}, 400, "EntityTooLarge"),
        (b"", {}, 400, "EntityTooSmall"),
        (b"d", {"key": "elsewhere"}, 403, "Invalid according to Policy: Policy Condition failed"),
        (b"d", {"x-amz-meta-from": "me"}, 403, "Policy Condition failed"),
        (b"d", {"x-amz-meta-other": "1"}, 403, "Extra input fields: x-amz-meta-other"),
        (b"d", {"policy": "e30="}, 403, "SignatureDoesNotMatch"),
    ],
)
def test_what_the_policy_does_not_allow_is_refused(offline, bucket, form, content, fields, status, words):
    answer = post(form, content, **fields)
    assert answer.status_code == status
    assert words in answer.text
    assert "Contents" not in offline.client("s3").list_objects_v2(Bucket=bucket)


def test_a_form_without_policy_or_of_another_key_is_refused(offline, bucket):
    url = f"{offline.endpoint_url}/{bucket}"
    assert "AccessDenied" in httpx.post(url, data={"key": "k"}, files={"file": b"d"}).text
    stranger = boto3.client(
        "s3",
        aws_access_key_id="AKIA0000000000000000",
        aws_secret_access_key="x",
        region_name="us-east-1",
        endpoint_url=offline.endpoint_url,
    )
    assert "InvalidAccessKeyId" in post(stranger.generate_presigned_post(bucket, "k")).text


def test_a_form_says_where_its_sender_goes_on(s3, bucket):
    made = s3.generate_presigned_post(
        bucket, "k", Fields={"success_action_status": "201"}, Conditions=[{"success_action_status": "201"}]
    )
    answer = post(made)
    assert answer.status_code == 201
    assert f"<Bucket>{bucket}</Bucket><Key>k</Key>" in answer.text
    target = "http://127.0.0.1:1/done?a=b"
    made = s3.generate_presigned_post(
        bucket, "k", Fields={"success_action_redirect": target}, Conditions=[{"success_action_redirect": target}]
    )
    answer = post(made)
    assert answer.status_code == 303, answer.text
    assert answer.headers["location"].startswith(f"{target}&bucket={bucket}&key=k&etag=")


@pytest.mark.parametrize("condition", ["eq", ["eq"], ["content-length-range", 1], ["content-length-range", 1, "x"], 7])
def test_a_condition_that_is_none_is_refused_by_name(s3, bucket, condition):
    answer = post(s3.generate_presigned_post(bucket, "k", Conditions=[condition]))
    assert (answer.status_code, "InvalidPolicyDocument" in answer.text) == (400, True), answer.text
