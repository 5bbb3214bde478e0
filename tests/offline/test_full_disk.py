"""A disk that is really full, folders that really cannot be written to: errors to the caller, and nothing is broken."""

import contextlib
import ctypes
import gzip
import io
import json
import os
import subprocess
import sys
import time
import zipfile

import boto3
import psutil
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from helpers.offline import process

TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": ["firehose.amazonaws.com", "lambda.amazonaws.com"]},
            "Action": "sts:AssumeRole",
        }
    ],
}


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 24 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(place)], capture_output=True, text=True
    )
    if mounted.returncode:
        pytest.skip(f"this system does not let the tests mount a small disk: {mounted.stderr.strip()}")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def fill(place):
    """Leaves no room at all. Returns the file to delete."""
    filler = place / "filler"
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
        while file.write(bytes(65_536)):
            continue
    with contextlib.suppress(OSError), filler.open("ab", buffering=0) as file:
        while file.write(b"x"):
            continue
    return filler


class SmallDisk:
    """One that is full from `fill` to `make_room`."""

    def __init__(self, place):
        self.place, self.directory = place, place / "workshop"

    def fill(self):
        self.filler = fill(self.place)

    def make_room(self):
        self.filler.unlink()


class NoMoreBytes(SmallDisk):
    """The server may make no file longer, as on a full disk: for systems that let nobody mount a small one."""

    def fill(self):
        self.server = psutil.Process(process.read_state(self.directory).pid)
        self.before = self.server.rlimit(psutil.RLIMIT_FSIZE)
        self.server.rlimit(psutil.RLIMIT_FSIZE, (0, self.before[1]))

    def make_room(self):
        if self.server.is_running():
            self.server.rlimit(psutil.RLIMIT_FSIZE, self.before)


@pytest.fixture(params=[SmallDisk, NoMoreBytes], ids=["mounted", "limited"])
def disk(request, tmp_path):
    if request.param is SmallDisk:
        return SmallDisk(request.getfixturevalue("small_disk"))
    if not hasattr(psutil.Process, "rlimit"):
        pytest.skip("this system limits no other process")
    (tmp_path / "workshop").mkdir()
    return NoMoreBytes(tmp_path)


def refused(call, **arguments):
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    answer = caught.value.response
    assert (answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"]) == (507, "InsufficientStorage")
    return answer["Error"]["Message"]


def package(size):
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as writer:
        writer.writestr("app.py", "def handler(event, context):\n    return event\n")
        writer.writestr("data", os.urandom(size))
    return archive.getvalue()


def is_active(firehose):
    described = firehose.describe_delivery_stream(DeliveryStreamName="full")["DeliveryStreamDescription"]
    return described["DeliveryStreamStatus"] == "ACTIVE"


def kill(directory):
    server = psutil.Process(process.read_state(directory).pid)
    server.kill()
    server.wait(60)


def test_a_full_disk_breaks_nothing_and_all_goes_on_when_there_is_room_again(
    disk, start_offline, offline_command, eventually
):
    directory = disk.directory
    quick = Config(retries={"total_max_attempts": 1})
    offline = start_offline(directory)
    s3, iam, firehose, sns, lambda_, sqs = (
        offline.client(name, config=quick) for name in ("s3", "iam", "firehose", "sns", "lambda", "sqs")
    )
    s3.create_bucket(Bucket="full")
    s3.put_object(Bucket="full", Key="before", Body=b"before")
    role = iam.create_role(RoleName="full", AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    iam.attach_role_policy(RoleName="full", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
    firehose.create_delivery_stream(
        DeliveryStreamName="full",
        ExtendedS3DestinationConfiguration={
            "BucketARN": "arn:aws:s3:::full",
            "RoleARN": role,
            "Prefix": "records/",
            "BufferingHints": {"SizeInMBs": 1, "IntervalInSeconds": 60},
        },
    )
    eventually(
        lambda: (
            firehose.describe_delivery_stream(DeliveryStreamName="full")["DeliveryStreamDescription"][
                "DeliveryStreamStatus"
            ]
            == "ACTIVE"
        )
    )
    firehose.put_record(DeliveryStreamName="full", Record={"Data": b"acknowledged before"})
    queue = sqs.create_queue(QueueName="full")["QueueUrl"]

    disk.fill()
    function = {
        "FunctionName": "full",
        "Runtime": "python3.12",
        "Handler": "app.handler",
        "Role": role,
        "Code": {"ZipFile": package(200_000)},
    }
    for call, arguments in (
        (s3.put_object, {"Bucket": "full", "Key": "before", "Body": b"x" * 10_000}),
        (s3.put_object, {"Bucket": "full", "Key": "large", "Body": b"x" * 3_000_000}),
        (firehose.put_record, {"DeliveryStreamName": "full", "Record": {"Data": b"x" * 100_000}}),
        (sqs.send_message, {"QueueUrl": queue, "MessageBody": "x" * 100_000}),
        (sns.create_topic, {"Name": "full"}),
        (iam.create_role, {"RoleName": "later", "AssumeRolePolicyDocument": json.dumps(TRUST)}),
        (lambda_.create_function, function),
    ):
        assert str(directory) in refused(call, **arguments)
    assert s3.get_object(Bucket="full", Key="before")["Body"].read() == b"before"
    assert sns.list_topics()["Topics"] == []
    kill(directory)
    if type(disk) is SmallDisk:
        failed = offline_command(directory, "start", check=False)
        assert failed.returncode == 1
        assert failed.stderr.startswith(f"The offline AWS cannot write to {directory} (No space left on device)")
        assert failed.stderr.count("\n") == 1

    disk.make_room()
    offline = start_offline(directory)
    s3, sns, iam, lambda_, sqs = (offline.client(name) for name in ("s3", "sns", "iam", "lambda", "sqs"))
    assert s3.get_object(Bucket="full", Key="before")["Body"].read() == b"before"
    sns.create_topic(Name="full")
    iam.create_role(RoleName="later", AssumeRolePolicyDocument=json.dumps(TRUST))
    lambda_.create_function(**function)
    assert lambda_.invoke(FunctionName="full", Payload=b"1")["Payload"].read() == b"1"
    assert "Messages" not in sqs.receive_message(QueueUrl=queue)
    found = eventually(lambda: s3.list_objects_v2(Bucket="full", Prefix="records/").get("Contents"), 60)
    bodies = [s3.get_object(Bucket="full", Key=one["Key"])["Body"].read() for one in found]
    assert b"".join(bodies) == b"acknowledged before"
    assert [one["Key"] for one in s3.list_objects_v2(Bucket="full")["Contents"] if one["Key"] == "large"] == []
    assert not (directory / "set-aside").exists()


def test_what_is_buffered_while_the_disk_is_full_is_delivered_when_it_is_not(disk, start_offline, eventually):
    """The same server goes on; nobody starts it anew."""
    offline = start_offline(disk.directory)
    s3, iam, firehose = (offline.client(name) for name in ("s3", "iam", "firehose"))
    s3.create_bucket(Bucket="full")
    role = iam.create_role(RoleName="full", AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    iam.attach_role_policy(RoleName="full", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
    firehose.create_delivery_stream(
        DeliveryStreamName="full",
        ExtendedS3DestinationConfiguration={
            "BucketARN": "arn:aws:s3:::full",
            "RoleARN": role,
            "BufferingHints": {"SizeInMBs": 1, "IntervalInSeconds": 1},
        },
    )
    eventually(lambda: is_active(firehose))
    body = os.urandom(500_000)
    firehose.put_record(DeliveryStreamName="full", Record={"Data": body})
    disk.fill()
    refused(s3.put_object, Bucket="full", Key="now", Body=bytes(500_000))
    disk.make_room()
    found = eventually(lambda: s3.list_objects_v2(Bucket="full").get("Contents"), 60)
    assert s3.get_object(Bucket="full", Key=found[0]["Key"])["Body"].read() == body
    s3.put_object(Bucket="full", Key="now", Body=bytes(500_000))


def bound_by_modes():
    """Runs in the child: takes root's power over file modes away, which leaves the owner's rights."""
    libc = ctypes.CDLL(None, use_errno=True)
    for capability in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
        if libc.prctl(24, capability, 0, 0, 0):  # PR_CAPBSET_DROP
            raise OSError(ctypes.get_errno(), "capabilities cannot be dropped")


@pytest.fixture
def as_a_user(tmp_path):
    """The directory of a workspace, and what runs `python -m helpers.offline …` there as one whom file modes bind."""
    is_root = hasattr(os, "geteuid") and os.geteuid() == 0
    if is_root and sys.platform != "linux":
        pytest.skip("file modes do not bind root, whose power over them can be taken away on Linux only")
    directory = tmp_path / "workshop"
    directory.mkdir()

    def run(*arguments):
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "WORKSHOP_"))}
        return subprocess.run(
            [sys.executable, "-m", "helpers.offline", *arguments],
            env=kept | {"WORKSHOP_DIR": str(directory)},
            preexec_fn=bound_by_modes if is_root else None,
            capture_output=True,
            text=True,
            timeout=120,
        )

    yield directory, run
    directory.chmod(0o700)
    run("stop")


def test_a_read_only_workspace_is_one_clear_sentence(as_a_user):
    directory, run = as_a_user
    directory.chmod(0o500)
    failed = run("start")
    assert failed.returncode == 1
    assert failed.stderr.startswith(f"The offline AWS cannot write to {directory} (Permission denied)")
    assert failed.stderr.count("\n") == 1
    assert list(directory.iterdir()) == []


def test_folders_that_become_read_only_are_errors_to_the_caller(as_a_user):
    directory, run = as_a_user
    environment = json.loads(run("env", "--json").stdout)
    options = {
        "endpoint_url": environment["AWS_ENDPOINT_URL"],
        "region_name": "us-east-1",
        "aws_access_key_id": environment["AWS_ACCESS_KEY_ID"],
        "aws_secret_access_key": environment["AWS_SECRET_ACCESS_KEY"],
        "config": Config(retries={"total_max_attempts": 1}),
    }
    s3, sns = boto3.client("s3", **options), boto3.client("sns", **options)
    s3.create_bucket(Bucket="modes")
    s3.put_object(Bucket="modes", Key="before", Body=b"before")
    folders = [directory / "state", directory / "objects", *(directory / "objects").iterdir()]
    for folder in folders:
        folder.chmod(0o500)
    refused(sns.create_topic, Name="modes")
    for number in range(3):  # wherever its file would lie
        refused(s3.put_object, Bucket="modes", Key=f"{number}", Body=b"x")
    assert sns.list_topics()["Topics"] == []
    assert s3.get_object(Bucket="modes", Key="before")["Body"].read() == b"before"
    for folder in folders:
        folder.chmod(0o700)
    sns.create_topic(Name="modes")
    s3.put_object(Bucket="modes", Key="after", Body=b"after")


WRITES_TO_TMP = """
import os
import tempfile

def handler(event, context):
    path = os.path.join(tempfile.gettempdir(), "large")
    try:
        with open(path, "wb", buffering=0) as file:
            for _ in range(60):
                file.write(bytes(65536))
    finally:
        os.unlink(path)
    return "written"
"""
XGBOOST = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:3.2-0"


def job_request(name, role, rounds):
    return {
        "TrainingJobName": name,
        "AlgorithmSpecification": {"TrainingImage": XGBOOST, "TrainingInputMode": "File"},
        "RoleArn": role,
        "HyperParameters": {"objective": "reg:squarederror", "num_round": str(rounds)},
        "InputDataConfig": [
            {
                "ChannelName": "train",
                "ContentType": "text/csv",
                "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://full/train/"}},
            }
        ],
        "OutputDataConfig": {"S3OutputPath": "s3://full/models"},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
        "StoppingCondition": {"MaxRuntimeInSeconds": 600},
    }


def whole_or_why(job):
    """It goes on, or says why not: whether it meets the full disk depends on when it saves its model."""
    assert job["TrainingJobStatus"] == "InProgress" or "No space left on device" in job["FailureReason"]


def attempt(acknowledged, name, call, **arguments):
    """Acknowledged, and then noted, or refused in AWS's form; nothing else."""
    try:
        call(**arguments)
    except ClientError as error:
        answer = error.response
        assert (answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"]) == (507, "InsufficientStorage")
    else:
        acknowledged.append(name)


def test_while_jobs_uploads_functions_and_streams_are_at_work_a_full_disk_loses_nothing_acknowledged(
    small_disk, start_offline, eventually
):
    directory = small_disk / "workshop"
    offline = start_offline(directory)
    names = ("s3", "iam", "sagemaker", "lambda", "cloudwatch", "logs", "sqs")
    s3, iam, sagemaker, lambda_, cloudwatch, logs, sqs = (offline.client(name) for name in names)
    s3.create_bucket(Bucket="full")
    s3.put_object(Bucket="full", Key="train/a.csv", Body=b"\n".join(b"%d,%d" % (n * 2, n) for n in range(200)))
    services = [f"{name}.amazonaws.com" for name in ("lambda", "sagemaker")]
    trust = {"Effect": "Allow", "Principal": {"Service": services}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    role = iam.create_role(RoleName="full", AssumeRolePolicyDocument=document)["Role"]["Arn"]
    iam.attach_role_policy(RoleName="full", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as writer:
        writer.writestr("app.py", WRITES_TO_TMP)
    code = {"ZipFile": archive.getvalue()}
    lambda_.create_function(FunctionName="f", Runtime="python3.12", Handler="app.handler", Role=role, Code=code)
    lambda_.invoke(FunctionName="f", Payload=b"{}")
    logs.create_log_group(logGroupName="/full")
    logs.create_log_stream(logGroupName="/full", logStreamName="s")
    queue = sqs.create_queue(QueueName="full")["QueueUrl"]
    upload = {"Bucket": "full", "Key": "parts"}
    upload["UploadId"] = s3.create_multipart_upload(**upload)["UploadId"]
    first = os.urandom(5 * 1024 * 1024)
    parts = [{"PartNumber": 1, "ETag": s3.upload_part(**upload, PartNumber=1, Body=first)["ETag"]}]
    sagemaker.create_training_job(**job_request("running", role, 1_000_000))

    def described(name):
        return sagemaker.describe_training_job(TrainingJobName=name)

    eventually(lambda: described("running")["SecondaryStatus"] == "Training", 60)
    filler = fill(small_disk)
    values, lines, sent, begun = [], [], [], time.time()
    for number in range(100):
        data = [{"MetricName": "m", "Value": 1.0}]
        attempt(values, number, cloudwatch.put_metric_data, Namespace="Full", MetricData=data)
        text = f"{number} " + "x" * 500
        event = {"timestamp": int(1000 * time.time()), "message": text}
        attempt(lines, text, logs.put_log_events, logGroupName="/full", logStreamName="s", logEvents=[event])
        attempt(sent, text, sqs.send_message, QueueUrl=queue, MessageBody=text)
    assert len(lines) < 100 and len(sent) < 100  # else the disk was not full
    refused(s3.upload_part, **upload, PartNumber=2, Body=first[:3_000_000])
    refused(s3.create_bucket, Bucket="later")
    failed = lambda_.invoke(FunctionName="f", Payload=b"{}")
    assert "No space left on device" in json.loads(failed["Payload"].read())["errorMessage"]
    whole_or_why(described("running"))
    filler.unlink()
    parts.append({"PartNumber": 2, "ETag": s3.upload_part(**upload, PartNumber=2, Body=b"end")["ETag"]})
    kill(directory)

    offline = start_offline(directory)
    s3, sagemaker, lambda_, cloudwatch, logs, sqs = (offline.client(name) for name in names if name != "iam")
    s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
    assert s3.get_object(Bucket="full", Key="parts")["Body"].read() == first + b"end"
    s3.delete_object(Bucket="full", Key="parts")
    found = cloudwatch.get_metric_statistics(
        Namespace="Full",
        MetricName="m",
        StartTime=begun - 60,
        EndTime=time.time() + 60,
        Period=3600,
        Statistics=["Sum"],
    )["Datapoints"]
    assert sum(point["Sum"] for point in found) == len(values)
    kept = logs.get_log_events(logGroupName="/full", logStreamName="s", startFromHead=True)["events"]
    assert [event["message"] for event in kept] == lines
    bodies = set()
    while batch := sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages"):
        bodies |= {message["Body"] for message in batch}
    assert bodies == set(sent)
    assert described("running")["TrainingJobStatus"] == "Failed"
    eventually(lambda: lambda_.invoke(FunctionName="f", Payload=b"{}")["Payload"].read() == b'"written"', 60)
    sagemaker.create_training_job(**job_request("after", role, 2))
    eventually(lambda: described("after")["TrainingJobStatus"] != "InProgress", 60)
    assert described("after")["TrainingJobStatus"] == "Completed", described("after").get("FailureReason")
    assert not (directory / "set-aside").exists()


def test_a_job_that_cannot_keep_its_model_says_why_and_the_next_one_can(small_disk, start_offline, eventually):
    offline = start_offline(small_disk / "workshop")
    s3, iam, sagemaker = (offline.client(name) for name in ("s3", "iam", "sagemaker"))
    s3.create_bucket(Bucket="full")
    s3.put_object(Bucket="full", Key="train/a.csv", Body=b"\n".join(b"%d,%d" % (n * 2, n) for n in range(200)))
    trust = {"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    role = iam.create_role(RoleName="full", AssumeRolePolicyDocument=document)["Role"]["Arn"]
    iam.attach_role_policy(RoleName="full", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
    sagemaker.create_training_job(**job_request("full", role, 1_000_000))

    def described(name):
        return sagemaker.describe_training_job(TrainingJobName=name)

    eventually(lambda: described("full")["SecondaryStatus"] == "Training", 60)
    filler = fill(small_disk)
    request = job_request("refused", role, 2)
    refused(sagemaker.create_training_job, **request)
    filler.unlink()
    whole_or_why(described("full"))
    if described("full")["TrainingJobStatus"] == "InProgress":
        sagemaker.stop_training_job(TrainingJobName="full")
    eventually(lambda: described("full")["TrainingJobStatus"] in ("Stopped", "Failed"), 60)
    sagemaker.create_training_job(**request)
    eventually(lambda: described("refused")["TrainingJobStatus"] != "InProgress", 60)
    assert described("refused")["TrainingJobStatus"] == "Completed", described("refused").get("FailureReason")


def test_a_gzip_channel_larger_than_the_disk_fails_its_job_and_leaves_room_for_others(small_disk, start_offline):
    offline = start_offline(small_disk / "workshop")
    s3, iam, sagemaker = (offline.client(name) for name in ("s3", "iam", "sagemaker"))
    s3.create_bucket(Bucket="full")
    s3.put_object(Bucket="full", Key="train/bomb.csv.gz", Body=gzip.compress(bytes(64 << 20)))
    trust = {"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    role = iam.create_role(RoleName="full", AssumeRolePolicyDocument=document)["Role"]["Arn"]
    iam.attach_role_policy(RoleName="full", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
    request = job_request("bomb", role, 1)
    request["InputDataConfig"][0]["CompressionType"] = "Gzip"
    sagemaker.create_training_job(**request)
    accepted = 0
    while (job := sagemaker.describe_training_job(TrainingJobName="bomb"))["TrainingJobStatus"] == "InProgress":
        s3.put_object(Bucket="full", Key="other", Body=bytes(1000))
        accepted += 1
    assert job["FailureReason"] == "ClientError: Data download failed:Insufficient disk space"
    assert accepted
    s3.put_object(Bucket="full", Key="other", Body=bytes(2 << 20))
