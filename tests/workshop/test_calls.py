"""Every call is recorded, with its outcome, and can be repeated as boto3 code or on the command line."""

import shlex
import subprocess
import sys

import boto3
import pytest
from botocore.exceptions import ClientError

from helpers.workshop.calls import Calls, RecordedCall


@pytest.fixture
def recorded(offline):
    """An S3 client whose calls are recorded, and the record."""
    calls, session = Calls(), offline.session
    calls.watch(session)
    return session.client("s3", endpoint_url=offline.endpoint_url), calls


def test_calls_are_counted_with_their_outcome(recorded, capsys):
    s3, calls = recorded
    s3.create_bucket(Bucket="calls-are-counted")
    for _ in range(2):
        with pytest.raises(ClientError):
            s3.get_object(Bucket="calls-are-counted", Key="nothing")
    assert (calls.count(), calls.count("GetObject")) == (3, 2)
    calls.show()
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[1:] == [["s3", "CreateBucket", "1", "ok"], ["s3", "GetObject", "2", "NoSuchKey"]]


def test_the_record_can_be_cleared(recorded):
    s3, calls = recorded
    s3.list_buckets()
    calls.clear()
    assert calls.count() == 0
    assert list(calls) == []


def test_a_call_pasted_into_python_does_the_same_again(recorded, offline):
    s3, calls = recorded
    s3.create_bucket(Bucket="python-repeats")
    s3.put_object(Bucket="python-repeats", Key="it's", Body="a 'quoted' \"text\"", Metadata={"a": "b"})
    text = list(calls)[-1].as_boto3()
    s3.delete_object(Bucket="python-repeats", Key="it's")

    class Boto3:
        client = staticmethod(offline.client)

    exec(text, {"boto3": Boto3})
    assert s3.get_object(Bucket="python-repeats", Key="it's")["Body"].read() == b"a 'quoted' \"text\""


def test_a_call_pasted_into_a_shell_does_the_same_again(recorded, offline):
    s3, calls = recorded
    s3.create_bucket(Bucket="shell-repeats")
    tags = {"TagSet": [{"Key": "who", "Value": "amber's falcon"}]}
    s3.put_bucket_tagging(Bucket="shell-repeats", Tagging=tags)
    command = list(calls)[-1].as_cli()
    s3.delete_bucket_tagging(Bucket="shell-repeats")
    aws = [sys.executable, "-m", "awscli"]
    subprocess.run([*aws, *shlex.split(command)[1:]], env=offline.process_environment, check=True, capture_output=True)
    assert s3.get_bucket_tagging(Bucket="shell-repeats")["TagSet"] == tags["TagSet"]


def test_bytes_are_told_by_their_length_and_flags_by_their_name():
    call = RecordedCall("lambda", "CreateFunction", "us-east-1", {"Code": {"ZipFile": b"123"}, "Publish": True})
    assert call.as_boto3() == "boto3.client(\"lambda\").create_function(Code={'ZipFile': <3 bytes>}, Publish=True)"
    assert "--publish" in call.as_cli()
    assert "fileb://3-bytes" in call.as_cli()


def test_an_unknown_form_is_refused_by_name():
    with pytest.raises(ValueError, match="'xml'"):
        Calls().show("xml")


def test_a_call_that_gets_no_answer_says_so(capsys):
    calls, session = Calls(), boto3.Session("key", "secret", region_name="us-east-1")
    calls.watch(session)
    from botocore.config import Config
    from botocore.exceptions import EndpointConnectionError

    client = session.client("s3", endpoint_url="http://127.0.0.1:9", config=Config(retries={"total_max_attempts": 1}))
    with pytest.raises(EndpointConnectionError):
        client.list_buckets()
    assert [call.outcome for call in calls] == ["EndpointConnectionError"]
