"""Records go through a Lambda function before they become an object; what fails goes to the error prefix."""

import base64
import json

import psutil
import pytest
from botocore.exceptions import ClientError

from helpers.offline import process
from helpers.offline.services.firehose.transformation import _read

UPPER = """
import base64

def handler(event, context):
    records = []
    for one in event["records"]:
        data = base64.b64decode(one["data"]).decode()
        result = {"drop": "Dropped", "fail": "ProcessingFailed"}.get(data, "Ok")
        records.append({"recordId": one["recordId"], "result": result,
                        "data": base64.b64encode(data.upper().encode()).decode()})
    return {"records": records}
"""


def through(arn, **parameters):
    values = {"LambdaArn": arn} | parameters
    given = [{"ParameterName": name, "ParameterValue": value} for name, value in values.items()]
    return {"Enabled": True, "Processors": [{"Type": "Lambda", "Parameters": given}]}


def put(offline, name, *records):
    offline.client("firehose").put_record_batch(
        DeliveryStreamName=name, Records=[{"Data": record} for record in records]
    )


def test_records_come_out_transformed_dropped_or_failed(offline, make_stream, objects, deploy, eventually):
    arn = deploy(UPPER)
    processing = through(arn)
    processing["Processors"].append({"Type": "AppendDelimiterToRecord"})
    name, _ = make_stream(
        Prefix="good/", ErrorOutputPrefix="bad/!{firehose:error-output-type}/", ProcessingConfiguration=processing
    )
    described = offline.client("firehose").describe_delivery_stream(DeliveryStreamName=name)
    (destination,) = described["DeliveryStreamDescription"]["Destinations"]
    assert destination["ExtendedS3DestinationDescription"]["ProcessingConfiguration"]["Enabled"]
    put(offline, name, b"one", b"drop", b"fail", b"two")
    eventually(lambda: len(objects()) == 2, 60)
    found = objects()
    good, bad = (next(key for key in found if key.startswith(start)) for start in ("good/", "bad/processing-failed/"))
    assert found[good] == b"ONE\nTWO\n"
    failure = json.loads(found[bad])
    assert base64.b64decode(failure.pop("rawData")) == b"fail"
    assert failure.pop("arrivalTimestamp") <= failure.pop("attemptEndingTimestamp")
    assert failure == {
        "attemptsMade": 1,
        "errorCode": "Lambda.ProcessingFailedStatus",
        "errorMessage": "ProcessingFailed status set for record",
        "lambdaArn": arn,
    }


def test_a_function_that_raises_is_tried_again_and_then_all_fails(offline, make_stream, objects, deploy, eventually):
    name, _ = make_stream(
        ProcessingConfiguration=through(deploy("def handler(event, context): 1 / 0"), NumberOfRetries="1")
    )
    put(offline, name, b"one", b"two")
    ((key, body),) = eventually(lambda: objects().items(), 60)
    assert key.startswith("processing-failed/")
    failures = [json.loads(line) for line in body.splitlines()]
    assert [(one["errorCode"], one["attemptsMade"]) for one in failures] == [("Lambda.FunctionError", 2)] * 2
    assert [base64.b64decode(one["rawData"]) for one in failures] == [b"one", b"two"]


def test_a_role_that_may_not_invoke_is_told_in_the_error_object(offline, bucket, objects, deploy, unique, eventually):
    iam, firehose, name = offline.client("iam"), offline.client("firehose"), unique("stream")
    trust = {"Effect": "Allow", "Principal": {"Service": "firehose.amazonaws.com"}, "Action": "sts:AssumeRole"}
    role = iam.create_role(
        RoleName=name, AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    )["Role"]["Arn"]
    allow = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
    iam.put_role_policy(RoleName=name, PolicyName="s3", PolicyDocument=json.dumps(allow))
    firehose.create_delivery_stream(
        DeliveryStreamName=name,
        ExtendedS3DestinationConfiguration={
            "RoleARN": role,
            "BucketARN": f"arn:aws:s3:::{bucket}",
            "BufferingHints": {"SizeInMBs": 1, "IntervalInSeconds": 1},
            "ProcessingConfiguration": through(deploy(UPPER), NumberOfRetries="0"),
        },
    )
    described = lambda: firehose.describe_delivery_stream(DeliveryStreamName=name)["DeliveryStreamDescription"]  # noqa: E731
    eventually(lambda: described()["DeliveryStreamStatus"] == "ACTIVE")
    put(offline, name, b"one")
    ((_, body),) = eventually(lambda: objects().items(), 60)
    assert json.loads(body)["errorCode"] == "Lambda.InvokeAccessDenied"


def test_a_slow_function_keeps_no_other_stream_waiting(offline, make_stream, objects, deploy, eventually):
    slow, _ = make_stream(
        Prefix="slow/",
        ProcessingConfiguration=through(deploy("import time\ndef handler(event, context): time.sleep(8)")),
    )
    quick, _ = make_stream(Prefix="quick/")
    put(offline, slow, b"one")
    eventually(lambda: offline.client("firehose").describe_delivery_stream(DeliveryStreamName=slow))
    put(offline, quick, b"two")
    found = eventually(objects, 60)
    assert [key.partition("/")[0] for key in found] == ["quick"]


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"LambdaArn": "function"}, "needs the parameter LambdaArn"),
        (
            {"LambdaArn": "arn:aws:lambda:us-east-1:123456789012:function:f", "NumberOfRetries": "301"},
            "NumberOfRetries",
        ),
    ],
)
def test_parameters_that_are_none(make_stream, parameters, words):
    with pytest.raises(ClientError, match=words):
        make_stream(ProcessingConfiguration=through(parameters.pop("LambdaArn"), **parameters))


def entry(identity, **changed):
    return {"recordId": identity, "result": "Ok", "data": "eA=="} | changed


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ({"records": [entry("a"), entry("b")]}, ""),
        ({"records": [entry("a")]}, "Lambda.MissingRecordId"),
        ({"records": [entry("a"), entry("a"), entry("b")]}, "Lambda.DuplicatedRecordId"),
        ({"records": [entry("a"), entry("b", data="no base64!")]}, "Lambda.JsonProcessingException"),
        ({"records": [entry("a"), {"recordId": "b"}]}, "Lambda.JsonProcessingException"),
        ({}, "Lambda.JsonProcessingException"),
        (None, "Lambda.JsonProcessingException"),
    ],
)
def test_an_answer_is_whole_or_none(answer, code):
    found, results = _read(json.dumps(answer).encode(), ["a", "b"])
    assert found == code
    assert results == ({"a": ("Ok", b"x"), "b": ("Ok", b"x")} if not code else None)


def test_records_on_their_way_into_a_function_survive_kill_9(workspace_dir, start_offline, eventually):
    offline = start_offline(workspace_dir)
    s3, iam, firehose = (offline.client(name) for name in ("s3", "iam", "firehose"))
    s3.create_bucket(Bucket="kept")
    trust = {"Effect": "Allow", "Principal": {"Service": ["lambda.amazonaws.com", "firehose.amazonaws.com"]}}
    document = {"Version": "2012-10-17", "Statement": [trust | {"Action": "sts:AssumeRole"}]}
    role = iam.create_role(RoleName="r", AssumeRolePolicyDocument=json.dumps(document))["Role"]["Arn"]
    allow = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    iam.put_role_policy(RoleName="r", PolicyName="p", PolicyDocument=json.dumps(allow))
    firehose.create_delivery_stream(
        DeliveryStreamName="s",
        ExtendedS3DestinationConfiguration={
            "RoleARN": role,
            "BucketARN": "arn:aws:s3:::kept",
            "BufferingHints": {"SizeInMBs": 1, "IntervalInSeconds": 60},
            "ProcessingConfiguration": through("arn:aws:lambda:us-east-1:123456789012:function:later"),
        },
    )
    described = lambda: firehose.describe_delivery_stream(DeliveryStreamName="s")["DeliveryStreamDescription"]  # noqa: E731
    eventually(lambda: described()["DeliveryStreamStatus"] == "ACTIVE")
    firehose.put_record(DeliveryStreamName="s", Record={"Data": b"one"})
    server = psutil.Process(process.read_state(workspace_dir).pid)
    server.kill()
    server.wait(10)

    offline = start_offline(workspace_dir)  # there is no such function, so all fails, and nothing is lost
    s3 = offline.client("s3")
    (entry,) = eventually(lambda: s3.list_objects_v2(Bucket="kept").get("Contents"), 60)
    failure = json.loads(s3.get_object(Bucket="kept", Key=entry["Key"])["Body"].read())
    assert (failure["errorCode"], failure["attemptsMade"]) == ("Lambda.ResourceNotFound", 4)
    assert base64.b64decode(failure["rawData"]) == b"one"
