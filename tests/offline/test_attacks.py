"""What somebody tries who is on this machine without the keys, or who was given a little and wants more."""

import json
import os
import socket
import stat
import sys
import time
from datetime import timedelta
from pathlib import Path

import botocore.auth
import psutil
import pytest
import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from helpers.offline import process

FORM = {"content-type": "application/x-www-form-urlencoded"}


def signed(offline, service, headers=(), method="POST", path="/", body=b""):
    """A request as botocore signs it; `headers` are signed too."""
    url = offline.endpoint_url + path
    request = AWSRequest(method=method, url=url, data=body, headers=dict(headers))
    keys = Credentials(offline.environment["AWS_ACCESS_KEY_ID"], offline.environment["AWS_SECRET_ACCESS_KEY"])
    SigV4Auth(keys, service, "us-east-1").add_auth(request)
    return request.prepare()


def send(request):
    return requests.request(request.method, request.url, headers=dict(request.headers), data=request.body, timeout=20)


def raw(offline, head: bytes) -> bytes:
    """The first bytes of the answer to a head that no client library would send."""
    with socket.create_connection(("127.0.0.1", int(offline.endpoint_url.rpartition(":")[2])), timeout=20) as client:
        client.sendall(head)
        return client.recv(4096)


# --- More out of a little ---------------------------------------------------------------------------------------------


def test_a_presigned_url_cannot_be_turned_to_another_use_by_a_header(offline, bucket):
    """A copy source that is not in the signature would hand out whatever its owner may read."""
    s3 = offline.client("s3")
    s3.put_object(Bucket=bucket, Key="secret", Body=b"secret")
    url = s3.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": "given"}, ExpiresIn=60)
    for headers in ({"x-amz-copy-source": f"/{bucket}/secret"}, {"x-amz-tagging": "a=b"}):
        answer = requests.put(url, headers=headers, timeout=20)
        assert answer.status_code == 403
    assert requests.put(url, data=b"mine", timeout=20).status_code == 200
    assert s3.get_object(Bucket=bucket, Key="given")["Body"].read() == b"mine"


def test_a_header_that_changes_the_call_and_is_not_signed_is_refused(offline):
    target = {"x-amz-target": "Logs_20140328.DescribeLogGroups", "content-type": "application/x-amz-json-1.1"}
    whole = signed(offline, "logs", target, body=b"{}")
    assert send(whole).status_code == 200
    lacking = signed(offline, "logs", {"content-type": "application/x-amz-json-1.1"}, body=b"{}")
    lacking.headers["x-amz-target"] = target["x-amz-target"]
    answer = send(lacking)
    assert (answer.status_code, answer.json()["__type"].rpartition("#")[2]) == (403, "InvalidSignatureException")


def test_what_was_signed_twice_is_read_by_nobody(offline):
    request = signed(
        offline,
        "sts",
        FORM,
        body=b"Action=GetCallerIdentity&Version=2011-06-15",
    )
    assert send(request).status_code == 200
    authorization = request.headers["Authorization"]
    credential = authorization.split("Credential=")[1].split(",")[0]
    other = credential.replace("/sts/", "/s3/")
    for doubled in (
        authorization.replace("Credential=", f"Credential={other}, Credential="),
        f"{authorization}, Credential={other}",
        f"{authorization},{authorization}",
    ):
        request.headers["Authorization"] = doubled
        assert send(request).status_code == 403


def test_a_signature_for_one_service_is_none_for_another(offline):
    request = signed(offline, "sns", FORM, body=b"Action=ListTopics")
    assert send(request).status_code == 200
    request.headers["Authorization"] = request.headers["Authorization"].replace("/sns/", "/sqs/")
    assert send(request).status_code == 403


@pytest.mark.parametrize("minutes", [-16, 16])
def test_a_request_of_another_quarter_of_an_hour_is_refused(offline, monkeypatch, minutes):
    moment = botocore.auth.get_current_datetime
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda: moment() + timedelta(minutes=minutes))
    request = signed(offline, "sns", FORM, body=b"Action=ListTopics")
    answer = send(request)
    assert answer.status_code == 403
    assert "Signature " + ("expired" if minutes < 0 else "not yet current") in answer.text


# --- From outside -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "127.0.0.1, evil.example", "localhost.evil"]
)
def test_a_rebound_name_reaches_no_door_at_all_not_even_a_presigned_one(offline, bucket, host):
    s3 = offline.client("s3")
    s3.put_object(Bucket=bucket, Key="one", Body=b"x")
    url = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "one"})
    for path in (url.removeprefix(offline.endpoint_url), "/restapis/abc/prod/_user_request_/", "/_workshop/status"):
        answer = requests.get(offline.endpoint_url + path, headers={"Host": host}, timeout=20)
        assert answer.status_code in (400, 403), path
        assert "is not this machine" in answer.text or answer.status_code == 400


def test_a_rebound_page_is_refused_before_its_body_is_read(offline):
    answer = raw(offline, b"POST / HTTP/1.1\r\nhost: evil.example\r\ncontent-length: 70000000\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 403")


@pytest.mark.parametrize(
    "head",
    [
        "GET /_workshop/status HTTP/1.1\r\nhost: localhost\r\nx-workshop-time: \xb2\r\nx-workshop-proof: x\r\n\r\n",
        "GET /_workshop/status HTTP/1.1\r\nhost: localhost\r\nx-workshop-time: {now}\r\nx-workshop-proof: \xe9\r\n\r\n",
        "GET /b/k?X-Amz-Signature=%C3%A9&X-Amz-Credential=a/b/c/s3/e&X-Amz-Expires=%C2%B2 HTTP/1.1\r\n"
        "host: localhost\r\n\r\n",
        "GET /b/k?AWSAccessKeyId={key}&Signature=%C3%A9&Expires=9999999999 HTTP/1.1\r\nhost: localhost\r\n\r\n",
        "GET /b/k?AWSAccessKeyId={key}&Signature=x&Expires=%C2%B2 HTTP/1.1\r\nhost: localhost\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: localhost\r\nx-amz-date: {date}\r\nauthorization: AWS4-HMAC-SHA256 "
        "Credential={key}/{day}/us-east-1/s3/aws4_request, SignedHeaders=host;x-amz-date, Signature=\xe9\r\n\r\n",
    ],
)
def test_letters_that_no_signature_has_are_a_refusal_and_no_failure_of_the_server(offline, head):
    now = time.gmtime()
    filled = head.format(
        now=int(time.time()),
        key=offline.environment["AWS_ACCESS_KEY_ID"],
        date=time.strftime("%Y%m%dT%H%M%SZ", now),
        day=time.strftime("%Y%m%d", now),
    )
    assert raw(offline, filled.encode("latin-1")).startswith(b"HTTP/1.1 403")


@pytest.mark.parametrize("service", ["sts", "iam", "sns", "sqs", "monitoring"])
@pytest.mark.parametrize(
    "body",
    [b"\xff\xfe", b"Action=\xff", b"x=\xff&Action=CreateRole", b"Action=AssumeRole&RoleSessionName=ada&RoleArn=\xff"],
)
def test_bytes_that_are_no_text_are_a_refusal_and_no_failure_of_the_server(offline, service, body):
    answer = send(signed(offline, service, FORM, body=body))
    assert answer.status_code in (400, 403, 404, 501), answer.text


def test_what_the_server_proves_to_anybody_opens_no_door(offline):
    """The proof that it gives for a word of the asker's is not one that it asks for."""
    said = requests.get(f"{offline.endpoint_url}/_workshop/ping?word", timeout=20).json()["proof"]
    assert said != process.proof(offline.environment["AWS_SECRET_ACCESS_KEY"], "word")


# --- On the disk ------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX's")
def test_nothing_in_the_workspace_is_for_others(offline, bucket):
    s3, sqs = offline.client("s3"), offline.client("sqs")
    s3.put_object(Bucket=bucket, Key="small", Body=b"x")
    s3.put_object(Bucket=bucket, Key="large", Body=b"x" * 2_000_000)
    sqs.send_message(QueueUrl=sqs.create_queue(QueueName="modes")["QueueUrl"], MessageBody="x")
    offline.client("cloudwatch").put_metric_data(Namespace="Modes", MetricData=[{"MetricName": "m", "Value": 1.0}])
    code = offline.directory / "functions" / "code"  # in it, files have AWS's modes; the folder itself is closed
    open_to_others = {}
    for path in [offline.directory, *offline.directory.rglob("*")]:
        if code in path.parents:
            continue
        try:
            mode = path.lstat()
        except FileNotFoundError:  # a file that comes and goes
            continue
        if not stat.S_ISLNK(mode.st_mode) and mode.st_mode & 0o077:
            open_to_others[str(path.relative_to(offline.directory))] = oct(mode.st_mode)
    assert open_to_others == {}


def test_names_of_resources_lead_to_no_other_folder(offline, service_role, bucket, tmp_path):
    firehose = offline.client("firehose")
    for name in ("..", "."):
        firehose.create_delivery_stream(
            DeliveryStreamName=name,
            ExtendedS3DestinationConfiguration={
                "RoleARN": service_role("firehose"),
                "BucketARN": f"arn:aws:s3:::{bucket}",
                "BufferingHints": {"SizeInMBs": 128, "IntervalInSeconds": 900},
            },
        )
    deadline = time.monotonic() + 20
    for name in ("..", "."):
        while True:
            try:
                firehose.put_record(DeliveryStreamName=name, Record={"Data": b"x"})
                break
            except firehose.exceptions.ResourceNotFoundException:
                assert time.monotonic() < deadline
    folder = offline.directory / "firehose"
    assert not list(folder.glob("*.records")) and not list((folder / "us-east-1").glob("*.records"))
    for name in ("..", "."):
        firehose.delete_delivery_stream(DeliveryStreamName=name)
    s3 = offline.client("s3")
    for key in ("../../../offline.json", "/etc/passwd", "a/../../b", "..", "%2e%2e/x"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"key")
        assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == b"key"
    assert json.loads((offline.directory / "offline.json").read_text())["pid"]


# --- From inside ------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_processes_of_functions_and_jobs_hold_no_descriptor_of_the_servers(offline, service_role, unique):
    """Neither its listening socket nor its journals nor the socket by which functions are made."""
    import io
    import zipfile

    source = (
        "import os\n"
        "def handler(event, context):\n"
        "    found = []\n"
        "    for name in os.listdir('/proc/self/fd'):\n"
        "        try:\n"
        "            found.append(os.readlink('/proc/self/fd/' + name))\n"
        "        except OSError:\n"
        "            pass\n"
        "    return found\n"
    )
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as writer:
        writer.writestr("app.py", source)
    name, client = unique("descriptors"), offline.client("lambda")
    client.create_function(
        FunctionName=name,
        Runtime="python3.12",
        Handler="app.handler",
        Role=service_role("lambda"),
        Code={"ZipFile": archive.getvalue()},
    )
    held = json.loads(client.invoke(FunctionName=name, Payload=b"{}")["Payload"].read())
    client.delete_function(FunctionName=name)
    of_files = {path for path in held if path.startswith("/") and not path.startswith(("/dev/", "/proc/"))}
    (own,) = of_files  # what it prints
    assert Path(own).name == "output" and Path(own).is_relative_to(offline.directory / "functions" / "environments")
    server = psutil.Process(process.read_state(offline.directory).pid)
    theirs = {os.readlink(path) for path in Path(f"/proc/{server.pid}/fd").iterdir() if path.is_symlink()}
    assert [path for path in held if path.startswith("socket:") and path in theirs] == []
    assert sum(path.startswith("socket:") for path in held) == 1  # by which its events come
