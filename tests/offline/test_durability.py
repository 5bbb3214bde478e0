"""Acknowledged changes survive `kill -9`, other versions' state is set aside, a full disk is an error to the caller."""

import io
import json
import os
import re
import time
import zipfile

import psutil
import pytest
import requests
from botocore.exceptions import ClientError

from helpers.offline import process


def kill(offline):
    server = psutil.Process(process.read_state(offline.directory).pid)
    server.kill()
    server.wait(60)


def test_every_kind_of_resource_survives_kill_9(workspace_dir, start_offline):
    offline = start_offline(workspace_dir)
    s3, iam, sqs, sts = (offline.client(name) for name in ("s3", "iam", "sqs", "sts"))
    s3.create_bucket(Bucket="kept")
    s3.put_object(Bucket="kept", Key="ü/one", Body=b"first", Metadata={"fc_name": "ASPEN"}, Tagging="a=b")
    s3.put_object(Bucket="kept", Key="ü/one", Body=b"second", Metadata={"fc_name": "ASPEN"}, Tagging="a=c")
    s3.put_object(Bucket="kept", Key="deleted", Body=b"x")
    s3.delete_object(Bucket="kept", Key="deleted")
    large = os.urandom(12_000_000)
    s3.upload_fileobj(io.BytesIO(large), "kept", "large")
    s3.put_bucket_versioning(Bucket="kept", VersioningConfiguration={"Status": "Enabled"})
    s3.put_object(Bucket="kept", Key="versioned", Body=b"old")
    s3.put_object(Bucket="kept", Key="versioned", Body=b"new")
    trust = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}],
    }
    role = iam.create_role(RoleName="kept", AssumeRolePolicyDocument=json.dumps(trust))["Role"]
    keys = sts.assume_role(RoleArn=role["Arn"], RoleSessionName="before")["Credentials"]
    queue = sqs.create_queue(QueueName="kept")["QueueUrl"]
    sqs.send_message(QueueUrl=queue, MessageBody="kept")
    kill(offline)

    offline = start_offline(workspace_dir)
    s3, iam, sqs = (offline.client(name) for name in ("s3", "iam", "sqs"))
    one = s3.get_object(Bucket="kept", Key="ü/one")
    assert (one["Body"].read(), one["Metadata"]) == (b"second", {"fc_name": "ASPEN"})
    assert s3.get_object_tagging(Bucket="kept", Key="ü/one")["TagSet"] == [{"Key": "a", "Value": "c"}]
    names = [entry["Key"] for entry in s3.list_objects_v2(Bucket="kept")["Contents"]]
    assert names == ["large", "versioned", "ü/one"]
    assert s3.get_object(Bucket="kept", Key="large")["Body"].read() == large
    versions = [entry["VersionId"] for entry in s3.list_object_versions(Bucket="kept", Prefix="versioned")["Versions"]]
    bodies = {s3.get_object(Bucket="kept", Key="versioned", VersionId=v)["Body"].read() for v in versions}
    assert bodies == {b"old", b"new"}
    assert iam.get_role(RoleName="kept")["Role"]["RoleId"] == role["RoleId"]
    assert sqs.receive_message(QueueUrl=queue)["Messages"][0]["Body"] == "kept"
    session = offline.client(
        "sts",
        aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key=keys["SecretAccessKey"],
        aws_session_token=keys["SessionToken"],
    )
    assert session.get_caller_identity()["Arn"].endswith("assumed-role/kept/before")


def test_a_function_of_before_a_kill_can_be_changed_and_deleted(workspace_dir, start_offline):
    offline = start_offline(workspace_dir)
    service = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    trust = json.dumps({"Version": "2012-10-17", "Statement": [service]})
    role = offline.client("iam").create_role(RoleName="kept", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("kept.py", "def handler(event, context):\n    return event\n")
    code = {"ZipFile": package.getvalue()}
    made = {"Runtime": "python3.12", "Handler": "kept.handler", "Role": role, "Code": code, "Publish": True}
    arn = offline.client("lambda").create_function(FunctionName="kept", **made)["FunctionArn"]
    kill(offline)

    functions = start_offline(workspace_dir).client("lambda")
    functions.tag_resource(Resource=arn.removesuffix(":1"), Tags={"still": "there"})
    functions.delete_function(FunctionName="kept")
    assert functions.list_functions()["Functions"] == []


def test_what_was_written_twice_since_the_last_snapshot_keeps_its_bytes(workspace_dir, start_offline, eventually):
    offline = start_offline(workspace_dir)
    s3 = offline.client("s3")
    s3.create_bucket(Bucket="twice")
    s3.put_bucket_versioning(Bucket="twice", VersioningConfiguration={"Status": "Enabled"})
    s3.put_object(Bucket="twice", Key="versions", Body=b"first")
    s3.put_object(Bucket="twice", Key="versions", Body=b"second")
    s3.put_object(Bucket="twice", Key="tagged", Body=b"tagged", Tagging="a=b")
    s3.delete_object_tagging(Bucket="twice", Key="tagged")
    upload = s3.create_multipart_upload(Bucket="twice", Key="open")["UploadId"]
    for body in (b"x", b"yy"):
        s3.upload_part(Bucket="twice", Key="open", UploadId=upload, PartNumber=1, Body=body)
    kill(offline)
    s3 = start_offline(workspace_dir).client("s3")
    s3.put_object(Bucket="twice", Key="removed-with-the-rest", Body=b"")
    gone = next(path for path in (workspace_dir / "objects").rglob("*") if path.is_file() and not path.stat().st_size)
    s3.delete_object(Bucket="twice", Key="removed-with-the-rest")
    version = s3.list_object_versions(Bucket="twice", Prefix="removed")["Versions"][0]["VersionId"]
    s3.delete_object(Bucket="twice", Key="removed-with-the-rest", VersionId=version)
    eventually(lambda: not gone.exists(), 90)  # by then whatever else was to be removed is removed too
    versions = s3.list_object_versions(Bucket="twice", Prefix="versions")["Versions"]
    bodies = [s3.get_object(Bucket="twice", Key="versions", VersionId=one["VersionId"])["Body"] for one in versions]
    assert {body.read() for body in bodies} == {b"first", b"second"}
    assert s3.get_object(Bucket="twice", Key="tagged")["Body"].read() == b"tagged"
    assert s3.get_object_tagging(Bucket="twice", Key="tagged")["TagSet"] == []
    place = {"Bucket": "twice", "Key": "open", "UploadId": upload}
    (part,) = s3.list_parts(**place)["Parts"]
    whole = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    s3.complete_multipart_upload(**place, MultipartUpload=whole)
    assert s3.get_object(Bucket="twice", Key="open")["Body"].read() == b"yy"


def test_metric_values_and_log_events_that_were_acknowledged_count_once_after_every_kill(workspace_dir, start_offline):
    """Once, not twice: a value that is added up again would be as wrong as one that is lost."""
    offline = start_offline(workspace_dir)
    offline.client("logs").create_log_group(logGroupName="/kept")
    offline.client("logs").create_log_stream(logGroupName="/kept", logStreamName="one")
    begun, wanted = time.time(), 0
    for turn in range(3):
        cloudwatch, logs = offline.client("cloudwatch"), offline.client("logs")
        for number in range(20):
            cloudwatch.put_metric_data(Namespace="Kept", MetricData=[{"MetricName": "m", "Value": 1.0}])
            event = {"timestamp": int(time.time() * 1000), "message": f"{turn}-{number}"}
            logs.put_log_events(logGroupName="/kept", logStreamName="one", logEvents=[event])
        wanted += 20
        if turn:
            cloudwatch.put_dashboard(DashboardName="d", DashboardBody='{"widgets": []}')  # takes a snapshot at once
            logs.put_retention_policy(logGroupName="/kept", retentionInDays=1)
        kill(offline)
        offline = start_offline(workspace_dir)
    found = offline.client("cloudwatch").get_metric_statistics(
        Namespace="Kept",
        MetricName="m",
        StartTime=begun - 60,
        EndTime=time.time() + 60,
        Period=3600,
        Statistics=["Sum", "SampleCount"],
    )["Datapoints"]
    assert sum(one["Sum"] for one in found) == sum(one["SampleCount"] for one in found) == wanted
    events = offline.client("logs").get_log_events(logGroupName="/kept", logStreamName="one", startFromHead=True)
    told = [f"{turn}-{number}" for turn in range(3) for number in range(20)]
    assert [event["message"] for event in events["events"]] == told


def test_what_waits_for_another_attempt_survives_kill_9(workspace_dir, start_offline, eventually):
    """A stream that takes no more for some seconds, behind a topic and behind a rule; all was acknowledged."""
    offline = start_offline(workspace_dir)
    s3, iam, sns, firehose, events = (offline.client(name) for name in ("s3", "iam", "sns", "firehose", "events"))
    s3.create_bucket(Bucket="kept")
    services = [f"{name}.amazonaws.com" for name in ("firehose", "sns", "events")]
    trust = {"Effect": "Allow", "Principal": {"Service": services}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    role = iam.create_role(RoleName="kept", AssumeRolePolicyDocument=document)["Role"]["Arn"]
    iam.attach_role_policy(RoleName="kept", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
    stream = firehose.create_delivery_stream(
        DeliveryStreamName="kept",
        ExtendedS3DestinationConfiguration={
            "BucketARN": "arn:aws:s3:::kept",
            "RoleARN": role,
            "BufferingHints": {"SizeInMBs": 128, "IntervalInSeconds": 1},
        },
    )["DeliveryStreamARN"]
    topic = sns.create_topic(Name="kept")["TopicArn"]
    raw = {"SubscriptionRoleArn": role, "RawMessageDelivery": "true"}
    sns.subscribe(TopicArn=topic, Protocol="firehose", Endpoint=stream, Attributes=raw)
    events.put_rule(Name="kept", EventPattern='{"source": ["kept"]}')
    target = {"Id": "1", "Arn": stream, "RoleArn": role, "InputPath": "$.detail"}
    events.put_targets(Rule="kept", Targets=[target])
    eventually(lambda: is_active(firehose, "kept"))
    full = [{"Data": b"." * 512 * 1024}] * 8
    while not firehose.put_record_batch(DeliveryStreamName="kept", Records=full)["FailedPutCount"]:
        pass
    for number in range(12):
        sns.publish(TopicArn=topic, Message=f"topic-{number} " + "x" * 200_000)
        detail = json.dumps({"text": f"rule-{number} " + "x" * 200_000})
        entry = {"Source": "kept", "DetailType": "d", "Detail": detail}
        assert events.put_events(Entries=[entry])["FailedEntryCount"] == 0
    kill(offline)
    waiting = {name: (workspace_dir / "state" / f"{name}.outbox").stat().st_size for name in ("sns", "events")}
    assert all(size > 100_000 for size in waiting.values()), waiting  # else this test tells nothing
    s3 = start_offline(workspace_dir).client("s3")

    def delivered():
        found = s3.list_objects_v2(Bucket="kept").get("Contents", [])
        text = b"".join(s3.get_object(Bucket="kept", Key=one["Key"])["Body"].read() for one in found).decode()
        return set(re.findall(r"(?:topic|rule)-\d+(?= )", text))

    wanted = {f"{path}-{number}" for path in ("topic", "rule") for number in range(12)}
    eventually(lambda: delivered() >= wanted, 60)


def is_active(firehose, name):
    described = firehose.describe_delivery_stream(DeliveryStreamName=name)["DeliveryStreamDescription"]
    return described["DeliveryStreamStatus"] == "ACTIVE"


def test_an_alarms_state_that_was_told_is_not_forgotten(workspace_dir, start_offline, eventually):
    offline = start_offline(workspace_dir)
    cloudwatch = offline.client("cloudwatch")
    cloudwatch.put_metric_alarm(
        AlarmName="kept",
        Namespace="Kept",
        MetricName="m",
        Statistic="Sum",
        Period=10,
        EvaluationPeriods=1,
        Threshold=0,
        ComparisonOperator="GreaterThanThreshold",
    )
    cloudwatch.put_metric_data(Namespace="Kept", MetricData=[{"MetricName": "m", "Value": 1.0, "StorageResolution": 1}])

    def told(client):
        return client.describe_alarms(AlarmNames=["kept"])["MetricAlarms"][0]["StateUpdatedTimestamp"]

    created = told(cloudwatch)
    changed = eventually(lambda: told(cloudwatch) if told(cloudwatch) != created else None, 90)
    history = cloudwatch.describe_alarm_history(AlarmName="kept", HistoryItemType="StateUpdate")["AlarmHistoryItems"]
    kill(offline)
    again = start_offline(workspace_dir).client("cloudwatch")
    kept = again.describe_alarm_history(AlarmName="kept", HistoryItemType="StateUpdate")["AlarmHistoryItems"]
    assert history and kept[-len(history) :] == history
    assert told(again) >= changed


def test_state_of_another_version_is_set_aside_with_a_clear_word(workspace_dir, start_offline, offline_command):
    offline = start_offline(workspace_dir)
    offline.client("sqs").create_queue(QueueName="old")
    offline.client("s3").create_bucket(Bucket="still-there")
    offline_command(workspace_dir, "stop")
    kept = workspace_dir / "state" / "sqs.snapshot"
    header, _, data = kept.read_bytes().partition(b"\n")
    kept.write_bytes(json.dumps(json.loads(header) | {"moto": "0.1"}).encode() + b"\n" + data)
    (workspace_dir / "state" / "iam.snapshot").write_bytes(header + b"\nnot a pickle")

    offline = start_offline(workspace_dir)
    assert "QueueUrls" not in offline.client("sqs").list_queues()
    assert [bucket["Name"] for bucket in offline.client("s3").list_buckets()["Buckets"]] == ["still-there"]
    assert sorted(path.name for path in workspace_dir.glob("set-aside/*/*")) == ["iam.snapshot", "sqs.snapshot"]
    log = (workspace_dir / "offline.log").read_text()
    assert "The kept state of sqs cannot be used (it was written by" in log


def test_what_is_set_aside_keeps_the_bytes_of_its_objects(workspace_dir, start_offline, offline_command):
    s3 = start_offline(workspace_dir).client("s3")
    s3.create_bucket(Bucket="older")
    s3.put_object(Bucket="older", Key="one", Body=b"precious")
    offline_command(workspace_dir, "stop")
    kept = workspace_dir / "state" / "s3.snapshot"
    kept.write_bytes(b"{}\n" + kept.read_bytes().partition(b"\n")[2])
    assert start_offline(workspace_dir).client("s3").list_buckets()["Buckets"] == []
    objects = [path for path in workspace_dir.glob("set-aside/*/objects/*/*") if path.is_file()]
    assert [path.read_bytes() for path in objects] == [b"precious"]


@pytest.mark.skipif(not hasattr(psutil.Process, "rlimit"), reason="needs a limit on file sizes as a full disk")
def test_a_full_disk_is_an_error_to_the_caller_and_corrupts_nothing(workspace_dir, start_offline):
    offline = start_offline(workspace_dir)
    s3 = offline.client("s3")
    s3.create_bucket(Bucket="small")
    s3.put_object(Bucket="small", Key="before", Body=b"x" * 1000)
    server = psutil.Process(process.read_state(workspace_dir).pid)
    unlimited = server.rlimit(psutil.RLIMIT_FSIZE)
    server.rlimit(psutil.RLIMIT_FSIZE, (2000, unlimited[1]))
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": f"{'x' * 1800}.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
    role = {"RoleName": "large", "AssumeRolePolicyDocument": json.dumps(trust)}
    for refused in (
        lambda: s3.put_object(Bucket="small", Key="before", Body=b"y" * 100_000),
        lambda: offline.client("iam").create_role(**role),
    ):
        with pytest.raises(ClientError) as caught:
            refused()
        error = caught.value.response["Error"]
        assert error["Code"] == "InsufficientStorage"
        assert str(workspace_dir) in error["Message"]
    assert s3.get_object(Bucket="small", Key="before")["Body"].read() == b"x" * 1000
    server.rlimit(psutil.RLIMIT_FSIZE, unlimited)
    s3.put_object(Bucket="small", Key="after", Body=b"z" * 100_000)
    kill(offline)
    s3 = start_offline(workspace_dir).client("s3")
    assert s3.get_object(Bucket="small", Key="before")["Body"].read() == b"x" * 1000
    assert s3.head_object(Bucket="small", Key="after")["ContentLength"] == 100_000


def test_files_of_deleted_objects_are_removed(workspace_dir, start_offline, offline_command):
    offline = start_offline(workspace_dir)
    s3 = offline.client("s3")
    s3.create_bucket(Bucket="files")
    for number in range(5):
        s3.put_object(Bucket="files", Key="same", Body=b"%d" % number)
    s3.put_object(Bucket="files", Key="gone", Body=b"x")
    s3.delete_object(Bucket="files", Key="gone")
    offline_command(workspace_dir, "stop")
    start_offline(workspace_dir)
    assert len([path for path in (workspace_dir / "objects").rglob("*") if path.is_file()]) == 1


def test_who_has_received_what_was_had_already_and_what_counts_is_known_after_a_kill_at_once(
    workspace_dir, start_offline
):
    """Nothing of it is a change of a resource, so that no snapshot is waited for."""
    offline = start_offline(workspace_dir)
    sqs, sns, api = (offline.client(name) for name in ("sqs", "sns", "apigateway"))
    hidden = {"VisibilityTimeout": "600"}
    plain = sqs.create_queue(QueueName="plain", Attributes=hidden)["QueueUrl"]
    dead = sqs.create_queue(QueueName="dead")["QueueUrl"]
    to = {"deadLetterTargetArn": "arn:aws:sqs:us-east-1:123456789012:dead", "maxReceiveCount": 1}
    moving = {"RedrivePolicy": json.dumps(to), "VisibilityTimeout": "0"}
    source = sqs.create_queue(QueueName="source", Attributes=moving)["QueueUrl"]
    fifo = sqs.create_queue(QueueName="q.fifo", Attributes={"FifoQueue": "true"} | hidden)["QueueUrl"]
    topic = sns.create_topic(Name="t.fifo", Attributes={"FifoTopic": "true"})["TopicArn"]
    rest = api.create_rest_api(name="counted")["id"]
    method = {"restApiId": rest, "resourceId": api.get_resources(restApiId=rest)["items"][0]["id"], "httpMethod": "GET"}
    api.put_method(**method, authorizationType="NONE", apiKeyRequired=True)
    api.put_method_response(**method, statusCode="200")
    api.put_integration(**method, type="MOCK", requestTemplates={"application/json": '{"statusCode": 200}'})
    api.put_integration_response(**method, statusCode="200")
    api.create_deployment(restApiId=rest, stageName="live")
    key = api.create_api_key(name="k", enabled=True)
    quota = {"limit": 2, "period": "MONTH"}
    stages = [{"apiId": rest, "stage": "live"}]
    plan = api.create_usage_plan(name="p", apiStages=stages, quota=quota)["id"]
    api.create_usage_plan_key(usagePlanId=plan, keyId=key["id"], keyType="API_KEY")
    url = f"{offline.endpoint_url}/restapis/{rest}/live/_user_request_/"
    counted = lambda: requests.get(url, headers={"x-api-key": key["value"]}, timeout=30).status_code  # noqa: E731
    for name in ("shown", "hidden", "deleted"):
        sqs.send_message(QueueUrl=plain, MessageBody=name)
    receipts = {
        one["Body"]: one["ReceiptHandle"]
        for one in sqs.receive_message(QueueUrl=plain, MaxNumberOfMessages=10)["Messages"]
    }
    sqs.send_message(QueueUrl=source, MessageBody="dead")
    sqs.receive_message(QueueUrl=source)
    in_group = {"MessageGroupId": "g"}

    sqs.delete_message(QueueUrl=plain, ReceiptHandle=receipts["deleted"])
    sqs.change_message_visibility(QueueUrl=plain, ReceiptHandle=receipts["shown"], VisibilityTimeout=0)
    assert "Messages" not in sqs.receive_message(QueueUrl=source)  # it is moved
    first = sqs.send_message(QueueUrl=fifo, MessageBody="first", MessageDeduplicationId="1", **in_group)
    assert len(sqs.receive_message(QueueUrl=fifo)["Messages"]) == 1
    told = sns.publish(TopicArn=topic, Message="first", MessageDeduplicationId="1", **in_group)
    assert counted() == 200
    kill(offline)

    offline = start_offline(workspace_dir)
    sqs, sns = offline.client("sqs"), offline.client("sns")
    assert counted() == 200
    assert counted() == 429
    found = sqs.receive_message(QueueUrl=plain, MaxNumberOfMessages=10)["Messages"]
    assert [one["Body"] for one in found] == ["shown"]
    sqs.delete_message(QueueUrl=plain, ReceiptHandle=receipts["deleted"])  # once more, as AWS lets one
    assert [one["Body"] for one in sqs.receive_message(QueueUrl=dead)["Messages"]] == ["dead"]
    assert (
        sqs.get_queue_attributes(QueueUrl=source, AttributeNames=["All"])["Attributes"]["ApproximateNumberOfMessages"]
        == "0"
    )
    again = sqs.send_message(QueueUrl=fifo, MessageBody="again", MessageDeduplicationId="1", **in_group)
    assert (again["MessageId"], again["SequenceNumber"]) == (first["MessageId"], first["SequenceNumber"])
    second = sqs.send_message(QueueUrl=fifo, MessageBody="second", MessageDeduplicationId="2", **in_group)
    assert int(second["SequenceNumber"]) > int(first["SequenceNumber"])
    assert "Messages" not in sqs.receive_message(QueueUrl=fifo)  # its group waits for the first one
    repeated = sns.publish(TopicArn=topic, Message="first", MessageDeduplicationId="1", **in_group)
    names = ("MessageId", "SequenceNumber")
    assert [repeated[name] for name in names] == [told[name] for name in names]
