"""Edge compute as a Lambda function: a package that runs as it is, deployed to the real offline AWS."""

import base64
import json
import os
import subprocess
import sys
import time
import uuid
import zipfile

import pytest

from helpers.fulfillment import COLUMNS, SAMPLE_SCHEMA, edge_lambda, numpy_wheel, parse_samples

SECONDS, RATE = 1.0, 40
FUNCTION = "EdgeComputeLambdaFunction"
BASIC_EXECUTION = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    return edge_lambda.package(tmp_path_factory.mktemp("package") / "edge.zip")


@pytest.fixture
def eventually():
    """eventually(look) -> what look() returns as soon as that is true; fails after a minute."""

    def wait(look):
        deadline = time.monotonic() + 60
        while not (found := look()):
            assert time.monotonic() < deadline, "it did not come true within a minute"
            time.sleep(0.05)
        return found

    return wait


def role_for(iam, service, policy, *managed):
    trust = {"Effect": "Allow", "Principal": {"Service": f"{service}.amazonaws.com"}, "Action": "sts:AssumeRole"}
    name = f"{service}-{uuid.uuid4().hex[:8]}"
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=document)["Role"]["Arn"]
    iam.put_role_policy(RoleName=name, PolicyName="test", PolicyDocument=json.dumps(policy))
    for one in managed:
        iam.attach_role_policy(RoleName=name, PolicyArn=one)
    return arn


@pytest.fixture(scope="module")
def place(offline, package):
    """A topic that feeds a queue and, through Firehose, a bucket; the function, with no more rights than it needs."""
    tag = uuid.uuid4().hex[:8]
    sns, sqs, s3, iam = (offline.client(name) for name in ("sns", "sqs", "s3", "iam"))
    topic = sns.create_topic(Name=f"samples-{tag}")["TopicArn"]
    queue = sqs.create_queue(QueueName=f"samples-{tag}")["QueueUrl"]
    queue_arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    allow = {
        "Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage",
        "Resource": queue_arn, "Condition": {"ArnEquals": {"aws:SourceArn": topic}},
    }  # fmt: skip
    policy = {"Version": "2012-10-17", "Statement": [allow]}
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": json.dumps(policy)})
    sns.subscribe(
        TopicArn=topic, Protocol="sqs", Endpoint=queue_arn, Attributes={"RawMessageDelivery": "true"}
    )  # fmt: skip
    bucket = f"samples-{tag}"
    s3.create_bucket(Bucket=bucket)
    any_of = {
        service: {
            "Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": f"{service}:*", "Resource": "*"}],
        }
        for service in ("s3", "firehose")
    }  # fmt: skip
    stream = offline.client("firehose").create_delivery_stream(
        DeliveryStreamName=f"samples-{tag}",
        ExtendedS3DestinationConfiguration={
            "BucketARN": f"arn:aws:s3:::{bucket}",
            "RoleARN": role_for(iam, "firehose", any_of["s3"]),
            "BufferingHints": {"IntervalInSeconds": 0, "SizeInMBs": 1},
        },
    )["DeliveryStreamARN"]
    subscriber = role_for(iam, "sns", any_of["firehose"])
    sns.subscribe(
        TopicArn=topic, Protocol="firehose", Endpoint=stream,
        Attributes={"SubscriptionRoleArn": subscriber, "RawMessageDelivery": "true"},
    )  # fmt: skip
    namespace = f"Edge{tag}"
    client = offline.client("lambda")
    client.create_function(
        FunctionName=f"{FUNCTION}-{tag}", Runtime="python3.12", Handler=edge_lambda.HANDLER, Timeout=60, MemorySize=512,
        Role=role_for(iam, "lambda", edge_lambda.policy(topic, namespace), BASIC_EXECUTION),
        Code=edge_lambda.code(package),
        Environment={"Variables": {
            "TOPIC_ARN": topic, "METRICS": "1", "NAMESPACE": namespace, "RATE": str(RATE), "SECONDS": str(SECONDS),
            "TIMEOUT_S": "30",
            "LIVE_INFERENCE_API_GATEWAY_URL": "http://127.0.0.1:9/nobody",
        }},
    )  # fmt: skip
    yield {"function": f"{FUNCTION}-{tag}", "queue": queue, "bucket": bucket, "namespace": namespace}
    client.delete_function(FunctionName=f"{FUNCTION}-{tag}")


def invoked(offline, name, **event):
    answer = offline.client("lambda").invoke(FunctionName=name, Payload=json.dumps(event), LogType="Tail")
    log = base64.b64decode(answer["LogResult"]).decode()
    return json.loads(answer["Payload"].read()), answer.get("FunctionError"), log


def test_deployed_it_publishes_asks_and_measures(offline, place, inference, eventually):
    client = offline.client("lambda")
    variables = client.get_function_configuration(FunctionName=place["function"])["Environment"]["Variables"]
    client.update_function_configuration(
        FunctionName=place["function"],
        Environment={"Variables": variables | {"LIVE_INFERENCE_API_GATEWAY_URL": inference.url}},
    )
    counts, error, log = invoked(offline, place["function"], seed=11)
    assert error is None, log
    expected = round(RATE * SECONDS)
    for name in ("started", "ended", "sent", "asked", "answered", "metrics"):
        assert counts[name] == expected, (name, counts)
    assert counts["unsent"] == counts["metrics_unsent"] == 0
    assert json.dumps(counts) in log
    # The queue
    sqs, lines = offline.client("sqs"), []

    def received():
        some = sqs.receive_message(QueueUrl=place["queue"], MaxNumberOfMessages=10, WaitTimeSeconds=1)
        for message in some.get("Messages", []):
            lines.append(message["Body"])
            sqs.delete_message(QueueUrl=place["queue"], ReceiptHandle=message["ReceiptHandle"])
        return len(lines) >= expected

    eventually(received)
    samples = SAMPLE_SCHEMA.validate(parse_samples("\n".join(lines)), lazy=True)
    assert len(samples) == expected
    # The bucket
    s3 = offline.client("s3")

    def stored():
        keys = [entry["Key"] for entry in s3.list_objects_v2(Bucket=place["bucket"]).get("Contents", [])]
        text = "".join(s3.get_object(Bucket=place["bucket"], Key=key)["Body"].read().decode() for key in keys)
        return sorted(text.splitlines()) if text.count("\n") >= expected else None

    assert eventually(stored) == sorted(lines)
    # The URL, and the metric
    asked = {",".join(line.split(",")[1 : len(COLUMNS)]) for line in lines}
    assert set(inference.asked) == asked
    found = offline.client("cloudwatch").get_metric_statistics(
        Namespace=place["namespace"], MetricName="PredictionError", Period=3600,
        Dimensions=[{"Name": "FC", "Value": "FC-ASPEN"}, {"Name": "ModelVersion", "Value": "v1"}],
        StartTime=time.time() - 7200, EndTime=time.time() + 3600, Statistics=["SampleCount", "Sum"],
    )["Datapoints"]  # fmt: skip
    assert sum(point["SampleCount"] for point in found) == expected
    should = (samples["fc_avg"] - samples["duration"]).sum()  # the little server answers the first feature
    assert sum(point["Sum"] for point in found) == pytest.approx(should)


def test_each_request_has_a_seed_of_its_own_and_one_that_is_told_is_kept(offline, place):
    seeds = [invoked(offline, place["function"], seconds=0.1)[0]["seed"] for _ in range(2)]
    assert seeds[0] != seeds[1]
    assert invoked(offline, place["function"], seconds=0.1, seed=5)[0]["seed"] == 5


@pytest.mark.parametrize(
    ("event", "told"),
    [
        ({"seconds": 55}, "Timeout of at least 97 s"),
        ({"seconds": "long"}, "seconds must be float, got 'long'"),
        ({"fc": "FC-NOWHERE"}, "FC-ASPEN"),
        ({"scenario": "rain"}, "peak-season"),
        ({"rate": 5000}, "2,000"),
    ],
)
def test_a_wrong_setting_fails_with_the_way_out(offline, place, event, told):
    answer, error, _ = invoked(offline, place["function"], **event)
    assert error == "Unhandled"
    assert answer["errorType"] == "ValueError"
    assert told in answer["errorMessage"]


def test_the_package_fits_lambda_and_is_the_same_whenever_it_is_made(package, tmp_path):
    assert package.stat().st_size < edge_lambda.ZIPPED_LIMIT_BYTES
    again = edge_lambda.package(tmp_path / "again.zip")
    assert again.read_bytes() == package.read_bytes()
    with zipfile.ZipFile(package) as archive:
        entries = archive.infolist()
    assert sum(entry.file_size for entry in entries) < edge_lambda.UNZIPPED_LIMIT_BYTES
    assert {entry.external_attr >> 16 for entry in entries} == {0o644}  # readable for the user Lambda runs as
    assert not any("/tests/" in entry.filename or entry.filename.startswith(("/", "..")) for entry in entries)
    assert [path.name for path in tmp_path.iterdir()] == ["again.zip"]


def test_the_package_runs_with_nothing_but_the_standard_library_and_boto3(package, tmp_path, inference):
    """A Python without site-packages, as Lambda's runtime is."""
    with zipfile.ZipFile(package) as archive:
        archive.extractall(tmp_path / "task")
    program = """
import sys, types
sys.path.insert(0, sys.argv[1])
sys.modules["boto3"] = types.ModuleType("boto3")  # part of Lambda's runtime
from helpers.fulfillment.edge_lambda import handler
context = types.SimpleNamespace(aws_request_id="1", get_remaining_time_in_millis=lambda: 60_000)
print(handler({"seconds": 1, "seed": 3}, context)["answered"])
"""
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program, str(tmp_path / "task")], capture_output=True, text=True, timeout=60,
        env={"LIVE_INFERENCE_API_GATEWAY_URL": inference.url, "PATH": os.environ["PATH"]},
    )  # fmt: skip
    assert done.stdout.splitlines()[-1:] == ["5"], done.stderr


def wheel(folder, python, platform, content):
    """A little wheel that says it is numpy."""
    version = numpy_wheel.version()
    name = f"numpy-{version}.dist-info"
    tag = f"cp{python}-cp{python}-{platform}"
    files = {
        "numpy/__init__.py": content, "numpy/tests/test_it.py": "", "numpy/core.pyi": "",
        f"{name}/METADATA": f"Metadata-Version: 2.1\nName: numpy\nVersion: {version}\n",
        f"{name}/WHEEL": f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: false\nTag: {tag}\n",
        f"{name}/RECORD": "",
    }  # fmt: skip
    with zipfile.ZipFile(folder / f"numpy-{version}-{tag}.whl", "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)


def test_for_another_platform_pip_brings_the_wheel_of_that_platform(tmp_path, monkeypatch):
    wheel(tmp_path, "313", "manylinux_2_27_aarch64.manylinux_2_28_aarch64", "# 3.13 on arm64")
    wheel(tmp_path, "312", "manylinux_2_27_aarch64.manylinux_2_28_aarch64", "# 3.12 on arm64")
    wheel(tmp_path, "313", "macosx_14_0_arm64", "# a Mac")
    for name, value in {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(tmp_path), "PIP_CONFIG_FILE": os.devnull}.items():
        monkeypatch.setenv(name, value)
    package = edge_lambda.package(tmp_path / "arm.zip", "python3.13", "arm64")
    with zipfile.ZipFile(package) as archive:
        assert archive.read("numpy/__init__.py") == b"# 3.13 on arm64"
        names = set(archive.namelist())
    assert {"helpers/fulfillment/edge_lambda.py", "helpers/fulfillment/process.py"} < names
    assert not {"numpy/tests/test_it.py", "numpy/core.pyi"} & names


def test_without_a_network_one_sentence_says_so_and_nothing_is_left(tmp_path, monkeypatch):
    for name, value in {"PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": os.devnull, "PIP_FIND_LINKS": ""}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(numpy_wheel.NumpyUnavailable, match=r"arm64 could not be downloaded .*takes a network"):
        edge_lambda.package(tmp_path / "arm.zip", "python3.13", "arm64")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("runtime", "architecture", "told"),
    [("python3.11", "x86_64", r"python3\.12 and python3\.13"), ("python3.12", "riscv", "x86_64 or arm64")],
)
def test_a_function_on_which_numpy_cannot_run_is_refused(tmp_path, runtime, architecture, told):
    with pytest.raises(ValueError, match=told):
        edge_lambda.package(tmp_path / "edge.zip", runtime, architecture)


def test_a_zip_too_large_for_the_request_goes_through_s3(offline, package, monkeypatch):
    monkeypatch.setattr(edge_lambda, "ZIPPED_LIMIT_BYTES", 1_000_000)
    with pytest.raises(ValueError, match="bucket="):
        edge_lambda.code(package)
    bucket, s3 = f"code-{uuid.uuid4().hex[:8]}", offline.client("s3")
    s3.create_bucket(Bucket=bucket)
    place = edge_lambda.code(package, s3=s3, bucket=bucket)
    stored = s3.get_object(Bucket=place["S3Bucket"], Key=place["S3Key"])["Body"].read()
    assert stored == package.read_bytes()
