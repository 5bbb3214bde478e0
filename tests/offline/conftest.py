"""What tests of several services share: waiting with a deadline, roles, names that are free."""

import contextlib
import io
import json
import time
import uuid
import zipfile

import pytest


@pytest.fixture(scope="session")
def eventually():
    """eventually(look, seconds) -> what `look` returns once it is true."""

    def wait(look, seconds=60.0):
        deadline = time.monotonic() + seconds
        while not (found := look()):
            assert time.monotonic() < deadline, f"not within {seconds} s"
            time.sleep(0.05)
        return found

    return wait


@pytest.fixture
def unique():
    """unique("topic") -> a name that no other test has."""
    return lambda name: f"{name}-{uuid.uuid4().hex[:8]}"


@pytest.fixture(scope="session")
def service_role(offline):
    """service_role("firehose", …) -> ARN of a role that these services may take on and that may do everything."""

    def make(*services: str) -> str:
        iam = offline.client("iam")
        name = f"role-{uuid.uuid4().hex[:8]}"
        principals = [f"{service}.amazonaws.com" for service in services]
        trust = {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Principal": {"Service": principals}, "Action": "sts:AssumeRole"}],
        }
        arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
        statement = {"Effect": "Allow", "Action": "*", "Resource": "*"}
        policy = {"Version": "2012-10-17", "Statement": [statement]}
        iam.put_role_policy(RoleName=name, PolicyName="all", PolicyDocument=json.dumps(policy))
        return arn

    return make


@pytest.fixture
def bucket(offline, unique):
    """An empty bucket's name."""
    name = unique("bucket")
    offline.client("s3").create_bucket(Bucket=name)
    return name


@pytest.fixture
def objects(offline, bucket):
    """objects() -> {key: bytes} of what is in the bucket now."""
    s3 = offline.client("s3")

    def read() -> dict[str, bytes]:
        found = s3.list_objects_v2(Bucket=bucket).get("Contents", [])
        return {one["Key"]: s3.get_object(Bucket=bucket, Key=one["Key"])["Body"].read() for one in found}

    return read


@pytest.fixture
def make_stream(offline, bucket, unique, service_role, eventually):
    """make_stream(**destination) -> (name, ARN) of an active delivery stream to the bucket; one second of buffering."""
    role = service_role("firehose")

    def make(**destination):
        name = unique("stream")
        configuration = {
            "RoleARN": role,
            "BucketARN": f"arn:aws:s3:::{bucket}",
            "BufferingHints": {"SizeInMBs": 1, "IntervalInSeconds": 1},
        } | destination
        firehose = offline.client("firehose")
        arn = firehose.create_delivery_stream(
            DeliveryStreamName=name, ExtendedS3DestinationConfiguration=configuration
        )["DeliveryStreamARN"]

        def is_active():
            described = firehose.describe_delivery_stream(DeliveryStreamName=name)["DeliveryStreamDescription"]
            return described["DeliveryStreamStatus"] == "ACTIVE"

        eventually(is_active)
        return name, arn

    return make


@pytest.fixture
def make_queue(offline, unique):
    """make_queue("sns", …) -> (URL, ARN) of an empty queue that these services may send to."""
    sqs = offline.client("sqs")

    def make(*services: str):
        url = sqs.create_queue(QueueName=unique("queue"))["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        if services:
            statement = {
                "Effect": "Allow",
                "Principal": {"Service": [f"{service}.amazonaws.com" for service in services]},
                "Action": "sqs:SendMessage",
                "Resource": arn,
            }
            policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
            sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
        return url, arn

    return make


@pytest.fixture
def letters(offline):
    """letters(url) -> the bodies of the messages that are in the queue now; they are taken out."""
    sqs = offline.client("sqs")

    def read(url: str) -> list[str]:
        bodies = []
        while found := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            bodies += [message["Body"] for message in found]
            for message in found:
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return bodies

    return read


@pytest.fixture
def deploy(offline, unique, service_role):
    """deploy(source, "s3", …) -> ARN of a function with `handler`, which these services may invoke."""
    client = offline.client("lambda")
    role = service_role("lambda")
    made = []

    def make(source: str, *services: str, **configuration) -> str:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr("app.py", source)
        options = {"Runtime": "python3.13", "Handler": "app.handler", "Role": role, "Timeout": 10} | configuration
        name = unique("function")
        arn = client.create_function(FunctionName=name, Code={"ZipFile": buffer.getvalue()}, **options)["FunctionArn"]
        made.append(arn)
        for service in services:
            client.add_permission(
                FunctionName=name,
                StatementId=service.replace(".", "-"),
                Action="lambda:InvokeFunction",
                Principal=f"{service}.amazonaws.com",
            )
        return arn

    yield make
    for arn in made:
        with contextlib.suppress(client.exceptions.ResourceNotFoundException):
            client.delete_function(FunctionName=arn)
