"""What is put into a log group goes on to the functions and delivery streams that subscribe to it."""

import gzip
import json

import psutil
import pytest
from botocore.exceptions import ClientError

from helpers.offline import process

KEEP = """
import base64, boto3, gzip, json, os
sqs = boto3.client("sqs")

def handler(event, context):
    document = gzip.decompress(base64.b64decode(event["awslogs"]["data"])).decode()
    sqs.send_message(QueueUrl=os.environ["TELL"], MessageBody=document)
"""


@pytest.fixture
def logs(offline):
    return offline.client("logs")


@pytest.fixture
def group(logs, unique):
    name = unique("/app/log")
    logs.create_log_group(logGroupName=name)
    logs.create_log_stream(logGroupName=name, logStreamName="stream")
    return name


def put(logs, group, *lines, at=None):
    import time

    now = int(time.time() * 1000)
    events = [{"timestamp": now, "message": line} for line in lines]
    logs.put_log_events(logGroupName=group, logStreamName="stream", logEvents=events)
    return now


def test_a_function_gets_what_matches_as_aws_packs_it(offline, logs, group, deploy, make_queue, letters, eventually):
    url, _ = make_queue()
    arn = deploy(KEEP, "logs", Environment={"Variables": {"TELL": url}})
    logs.put_subscription_filter(logGroupName=group, filterName="errors", filterPattern="ERROR", destinationArn=arn)
    (told,) = logs.describe_subscription_filters(logGroupName=group)["subscriptionFilters"]
    assert told.pop("creationTime") > 0
    assert told == {
        "filterName": "errors",
        "logGroupName": group,
        "filterPattern": "ERROR",
        "destinationArn": arn,
        "distribution": "ByLogStream",
        "applyOnTransformedLogs": False,
    }
    now = put(logs, group, "all is well", "ERROR pod 7", "ERROR pod 8")
    (text,) = eventually(lambda: letters(url))
    document = json.loads(text)
    events = document.pop("logEvents")
    assert document == {
        "messageType": "DATA_MESSAGE",
        "owner": "123456789012",
        "logGroup": group,
        "logStream": "stream",
        "subscriptionFilters": ["errors"],
    }
    assert [(event["message"], event["timestamp"]) for event in events] == [("ERROR pod 7", now), ("ERROR pod 8", now)]
    assert all(len(event["id"]) == 56 for event in events) and events[0]["id"] < events[1]["id"]


def test_the_lines_of_one_function_go_to_another_by_its_regional_permission(
    offline, logs, deploy, make_queue, letters, eventually
):
    url, _ = make_queue()
    watcher = deploy(KEEP, "logs.us-east-1", Environment={"Variables": {"TELL": url}})
    worker = deploy("def handler(event, context): print('ALERT', event)").rpartition(":")[2]
    client = offline.client("lambda")
    client.invoke(FunctionName=worker)
    eventually(lambda: logs.describe_log_groups(logGroupNamePrefix=f"/aws/lambda/{worker}")["logGroups"])
    logs.put_subscription_filter(
        logGroupName=f"/aws/lambda/{worker}", filterName="alerts", filterPattern="ALERT", destinationArn=watcher
    )
    client.invoke(FunctionName=worker, Payload=b'"now"')
    found = []

    def told():
        found.extend(event["message"].strip() for text in letters(url) for event in json.loads(text)["logEvents"])
        return "ALERT now" in found

    eventually(told)


def test_a_delivery_stream_gets_packed_documents(logs, group, make_stream, objects, service_role, eventually):
    _, arn = make_stream()
    with pytest.raises(ClientError, match="destinationArn for vendor firehose cannot be used without roleArn"):
        logs.put_subscription_filter(logGroupName=group, filterName="f", filterPattern="", destinationArn=arn)
    logs.put_subscription_filter(
        logGroupName=group, filterName="f", filterPattern="", destinationArn=arn, roleArn=service_role("logs")
    )
    put(logs, group, "one", "two")
    (body,) = eventually(lambda: list(objects().values()))
    assert [event["message"] for event in json.loads(gzip.decompress(body))["logEvents"]] == ["one", "two"]


def test_what_logs_refuses(logs, group, deploy):
    closed = deploy(KEEP, "sns")
    asked = {"logGroupName": group, "filterName": "f", "filterPattern": "", "destinationArn": closed}
    for code, words, changed in (
        ("InvalidParameterException", "Make sure you have given CloudWatch Logs permission to execute", {}),
        ("InvalidParameterException", "Invalid filter pattern", {"filterPattern": "{ $.a"}),
        ("ResourceNotFoundException", "The specified log group does not exist.", {"logGroupName": "/none"}),
        (
            "AccessDeniedException",
            "Cross-account lambda invocation passing is not allowed",
            {"destinationArn": closed.replace("123456789012", "210987654321")},
        ),
        ("NotImplemented", "no subscriptions of kinesis", {"destinationArn": "arn:aws:kinesis:us-east-1:1:stream/x"}),
    ):
        with pytest.raises(ClientError, match=words) as caught:
            logs.put_subscription_filter(**asked | changed)
        assert caught.value.response["Error"]["Code"] == code
    with pytest.raises(ClientError, match="The specified subscription filter does not exist"):
        logs.delete_subscription_filter(logGroupName=group, filterName="f")


def test_a_group_has_two_filters_and_no_third(logs, group, deploy):
    arn = deploy(KEEP, "logs")
    for name in ("one", "two"):
        logs.put_subscription_filter(logGroupName=group, filterName=name, filterPattern="", destinationArn=arn)
    with pytest.raises(ClientError, match="Resource limit exceeded"):
        logs.put_subscription_filter(logGroupName=group, filterName="three", filterPattern="", destinationArn=arn)
    logs.put_subscription_filter(logGroupName=group, filterName="two", filterPattern="x", destinationArn=arn)
    logs.delete_subscription_filter(logGroupName=group, filterName="one")
    pages = logs.get_paginator("describe_subscription_filters").paginate(logGroupName=group)
    left = [one for page in pages for one in page["subscriptionFilters"]]
    assert [(one["filterName"], one["filterPattern"]) for one in left] == [("two", "x")]


def test_a_stream_that_is_not_there_is_named_a_stream(logs, group):
    with pytest.raises(ClientError, match="The specified log stream does not exist"):
        logs.get_log_events(logGroupName=group, logStreamName="none")


def test_a_filter_and_what_it_has_to_tell_survive_kill_9(workspace_dir, start_offline, eventually):
    offline = start_offline(workspace_dir)
    logs, s3, iam, firehose = (offline.client(name) for name in ("logs", "s3", "iam", "firehose"))
    s3.create_bucket(Bucket="kept")
    trust = {"Effect": "Allow", "Principal": {"Service": ["logs.amazonaws.com", "firehose.amazonaws.com"]}}
    document = {"Version": "2012-10-17", "Statement": [trust | {"Action": "sts:AssumeRole"}]}
    role = iam.create_role(RoleName="r", AssumeRolePolicyDocument=json.dumps(document))["Role"]["Arn"]
    allow = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    iam.put_role_policy(RoleName="r", PolicyName="p", PolicyDocument=json.dumps(allow))
    arn = firehose.create_delivery_stream(
        DeliveryStreamName="s",
        ExtendedS3DestinationConfiguration={
            "RoleARN": role,
            "BucketARN": "arn:aws:s3:::kept",
            "BufferingHints": {"SizeInMBs": 1, "IntervalInSeconds": 1},
        },
    )["DeliveryStreamARN"]
    described = lambda: firehose.describe_delivery_stream(DeliveryStreamName="s")["DeliveryStreamDescription"]  # noqa: E731
    eventually(lambda: described()["DeliveryStreamStatus"] == "ACTIVE")
    logs.create_log_group(logGroupName="g")
    logs.create_log_stream(logGroupName="g", logStreamName="stream")
    logs.put_subscription_filter(logGroupName="g", filterName="f", filterPattern="", destinationArn=arn, roleArn=role)
    put(logs, "g", "before")
    server = psutil.Process(process.read_state(workspace_dir).pid)
    server.kill()
    server.wait(10)

    offline = start_offline(workspace_dir)
    logs, s3 = offline.client("logs"), offline.client("s3")
    put(logs, "g", "after")

    def found():
        bodies = [
            s3.get_object(Bucket="kept", Key=one["Key"])["Body"].read()
            for one in s3.list_objects_v2(Bucket="kept").get("Contents", [])
        ]
        lines = gzip.decompress(b"".join(bodies)) if bodies else b""
        return b'"before"' in lines and b'"after"' in lines

    eventually(found)
