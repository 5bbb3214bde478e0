"""A bucket tells queues, topics, functions and EventBridge what happens to its objects."""

import json

import psutil
import pytest
import requests
from botocore.exceptions import ClientError

from helpers.offline import process

MADE = "s3:ObjectCreated:*"
GONE = "s3:ObjectRemoved:*"


@pytest.fixture
def s3(offline):
    return offline.client("s3")


@pytest.fixture
def told(s3, bucket, make_queue, letters, eventually):
    """told(count) -> the events that a queue got of the bucket by now; the queue is told all that S3 tells."""
    url, arn = make_queue("s3")
    rule = {"Id": "all", "QueueArn": arn, "Events": [MADE, GONE, "s3:ObjectTagging:*"]}
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={"QueueConfigurations": [rule]})
    (test,) = eventually(lambda: letters(url))
    assert json.loads(test)["Event"] == "s3:TestEvent" and json.loads(test)["Bucket"] == bucket

    def read(count):
        events = []

        def look():
            events.extend(record for letter in letters(url) for record in json.loads(letter)["Records"])
            return len(events) >= count

        eventually(look)
        assert len(events) == count
        return sorted(events, key=lambda event: event["s3"]["object"].get("sequencer", ""))

    return read


def test_the_document_has_the_members_that_aws_writes(s3, bucket, told, offline):
    answer = s3.put_object(Bucket=bucket, Key="pods/a b@c+ü.csv", Body=b"123456789")
    (event,) = told(1)
    assert event["eventTime"].endswith("Z")
    user = offline.client("sts").get_caller_identity()["UserId"]
    thing = event["s3"]["object"]
    assert event | {"eventTime": "", "responseElements": sorted(event["responseElements"])} == {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": "us-east-1",
        "eventTime": "",
        "eventName": "ObjectCreated:Put",
        "userIdentity": {"principalId": f"AWS:{user}"},
        "requestParameters": {"sourceIPAddress": "127.0.0.1"},
        "responseElements": ["x-amz-id-2", "x-amz-request-id"],
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": "all",
            "bucket": {
                "name": bucket,
                "ownerIdentity": event["s3"]["bucket"]["ownerIdentity"],
                "arn": f"arn:aws:s3:::{bucket}",
            },
            "object": {
                "key": "pods/a+b%40c%2B%C3%BC.csv",
                "size": 9,
                "eTag": answer["ETag"].strip('"'),
                "sequencer": thing["sequencer"],
            },
        },
    }


def test_each_way_to_make_and_remove_an_object_has_its_name(s3, bucket, told):
    s3.put_object(Bucket=bucket, Key="put", Body=b"x", Tagging="a=b")
    s3.copy_object(Bucket=bucket, Key="copied", CopySource={"Bucket": bucket, "Key": "put"})
    upload = s3.create_multipart_upload(Bucket=bucket, Key="parts")["UploadId"]
    part = s3.upload_part(Bucket=bucket, Key="parts", UploadId=upload, PartNumber=1, Body=b"yy")["ETag"]
    parts = {"Parts": [{"PartNumber": 1, "ETag": part}]}
    s3.complete_multipart_upload(Bucket=bucket, Key="parts", UploadId=upload, MultipartUpload=parts)
    form = s3.generate_presigned_post(bucket, "posted")
    assert requests.post(form["url"], data=form["fields"], files={"file": b"zzz"}).status_code == 204
    s3.delete_object(Bucket=bucket, Key="never-there")
    s3.delete_object(Bucket=bucket, Key="put")
    s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "copied"}, {"Key": "never-there"}]})
    found = [(one["eventName"], one["s3"]["object"]["key"], one["s3"]["object"].get("size")) for one in told(6)]
    assert found == [
        ("ObjectCreated:Put", "put", 1),
        ("ObjectCreated:Copy", "copied", 1),
        ("ObjectCreated:CompleteMultipartUpload", "parts", 2),
        ("ObjectCreated:Post", "posted", 3),
        ("ObjectRemoved:Delete", "put", None),
        ("ObjectRemoved:Delete", "copied", None),
    ]


def test_tags_are_told_without_size_and_sequencer(s3, bucket, told):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    s3.put_object_tagging(Bucket=bucket, Key="k", Tagging={"TagSet": [{"Key": "a", "Value": "b"}]})
    s3.delete_object_tagging(Bucket=bucket, Key="k")
    events = {one["eventName"]: one for one in told(3)}
    assert events["ObjectTagging:Put"]["eventVersion"] == "2.3"
    assert sorted(events["ObjectTagging:Delete"]["s3"]["object"]) == ["eTag", "key"]


def test_versions_markers_and_their_removal(s3, bucket, told):
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    version = s3.put_object(Bucket=bucket, Key="k", Body=b"x")["VersionId"]
    marker = s3.delete_object(Bucket=bucket, Key="k")["VersionId"]
    s3.delete_object(Bucket=bucket, Key="k", VersionId=version)
    found = [(one["eventName"], one["s3"]["object"]["versionId"]) for one in told(3)]
    assert found == [
        ("ObjectCreated:Put", version),
        ("ObjectRemoved:DeleteMarkerCreated", marker),
        ("ObjectRemoved:Delete", version),
    ]


WORKER = """
import boto3, json, urllib.parse
s3 = boto3.client("s3")

def handler(event, context):
    for record in event["Records"]:
        bucket = record["s3"]["bucket"]["name"]
        key = urllib.parse.unquote_plus(record["s3"]["object"]["key"])
        body = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        s3.put_object(Bucket=bucket, Key="out/" + key, Body=body.upper())
"""


def test_a_function_works_on_what_arrives_under_a_prefix(s3, bucket, deploy, objects, eventually):
    rule = {
        "LambdaFunctionArn": deploy(WORKER, "s3"),
        "Events": [MADE],
        "Filter": {"Key": {"FilterRules": [{"Name": "prefix", "Value": "in/"}, {"Name": "Suffix", "Value": ".txt"}]}},
    }
    s3.put_bucket_notification_configuration(
        Bucket=bucket, NotificationConfiguration={"LambdaFunctionConfigurations": [rule]}
    )
    (kept,) = s3.get_bucket_notification_configuration(Bucket=bucket)["LambdaFunctionConfigurations"]
    assert kept.pop("Id") and kept == rule | {
        "Filter": {"Key": {"FilterRules": [{"Name": "Prefix", "Value": "in/"}, {"Name": "Suffix", "Value": ".txt"}]}}
    }
    for key in ("in/a b.txt", "in/a.csv", "elsewhere.txt"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"pod")
    assert eventually(lambda: objects().get("out/in/a b.txt")) == b"POD"
    assert sorted(objects()) == ["elsewhere.txt", "in/a b.txt", "in/a.csv", "out/in/a b.txt"]


def test_what_firehose_delivers_is_told_too(s3, bucket, told, make_stream, offline):
    name, _ = make_stream(Prefix="records/")
    offline.client("firehose").put_record(DeliveryStreamName=name, Record={"Data": b"one"})
    (event,) = told(1)
    assert event["eventName"] == "ObjectCreated:Put"
    assert event["s3"]["object"]["key"].startswith("records/") and event["s3"]["object"]["size"] == 3


def test_topics_get_a_subject_and_rules_of_eventbridge_the_other_document(
    offline, s3, bucket, make_queue, letters, eventually, unique
):
    url, arn = make_queue("sns", "events")
    sns, events = offline.client("sns"), offline.client("events")
    topic = sns.create_topic(Name=unique("topic"))["TopicArn"]
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "s3.amazonaws.com"},
        "Action": "SNS:Publish",
        "Resource": topic,
        "Condition": {"ArnLike": {"aws:SourceArn": f"arn:aws:s3:*:*:{bucket}"}},
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=policy)
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    rule = unique("rule")
    pattern = {"source": ["aws.s3"], "detail-type": ["Object Created"], "detail": {"bucket": {"name": [bucket]}}}
    events.put_rule(Name=rule, EventPattern=json.dumps(pattern))
    events.put_targets(Rule=rule, Targets=[{"Id": "1", "Arn": arn}])
    configuration = {"TopicConfigurations": [{"TopicArn": topic, "Events": [MADE]}], "EventBridgeConfiguration": {}}
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=configuration)
    assert "EventBridgeConfiguration" in s3.get_bucket_notification_configuration(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="a b", Body=b"xyz")
    found = []
    eventually(lambda: found.extend(map(json.loads, letters(url))) or len(found) == 3)
    by_kind = {one.get("detail-type", json.loads(one["Message"]).get("Event", "") if "Message" in one else ""): one
               for one in found}  # fmt: skip
    assert by_kind["s3:TestEvent"]["Subject"] == by_kind[""]["Subject"] == "Amazon S3 Notification"
    detail = by_kind["Object Created"]["detail"]
    assert (detail["reason"], detail["object"]["key"], detail["object"]["size"]) == ("PutObject", "a b", 3)
    assert detail["requester"] == "123456789012" and by_kind["Object Created"]["resources"] == [
        f"arn:aws:s3:::{bucket}"
    ]


def refused(s3, bucket, **configuration):
    with pytest.raises(ClientError) as caught:
        s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=configuration)
    return caught.value.response["Error"]


def test_destinations_that_are_not_there_or_do_not_let_s3_in_are_refused_in_aws_words(s3, bucket, make_queue, deploy):
    _, closed = make_queue("sns")
    gone = "arn:aws:sqs:us-east-1:123456789012:gone"
    error = refused(
        s3,
        bucket,
        QueueConfigurations=[
            {"QueueArn": closed, "Events": ["s3:ObjectCreated:Put"]},
            {"QueueArn": gone, "Events": ["s3:ObjectCreated:Copy"]},
        ],
    )
    assert error["Code"] == "InvalidArgument"
    assert error["Message"] == "Unable to validate the following destination configurations"
    assert (error["ArgumentName1"], error["ArgumentName2"]) == (closed, gone)
    assert error["ArgumentValue2"] == "The destination queue does not exist"
    assert error["ArgumentValue1"].startswith("Permissions on the destination queue do not allow S3")
    arn = deploy("def handler(event, context): pass", "sns")
    error = refused(s3, bucket, LambdaFunctionConfigurations=[{"LambdaFunctionArn": arn, "Events": [MADE]}])
    assert error["ArgumentName1"] == f"{arn}, null"
    assert error["ArgumentValue1"] == f"Not authorized to invoke function [{arn}]"
    s3.put_bucket_notification_configuration(
        Bucket=bucket,
        NotificationConfiguration={"QueueConfigurations": [{"QueueArn": gone, "Events": [MADE]}]},
        SkipDestinationValidation=True,
    )
    s3.put_object(Bucket=bucket, Key="k", Body=b"")


@pytest.mark.parametrize(
    ("rules", "code", "words"),
    [
        ([{"QueueArn": "queue", "Events": [MADE]}], "InvalidArgument", "The ARN could not be parsed"),
        ([{"Events": ["s3:Nonsense"]}], "InvalidArgument", "A specified event is not supported for notifications."),
        ([{"Events": ["s3:ObjectRestore:*"]}], "NotImplemented", "never has an event s3:ObjectRestore:*"),
        (
            [{"Events": [MADE], "Filter": {"Key": {"FilterRules": [{"Name": "infix", "Value": "x"}]}}}],
            "InvalidArgument",
            "filter rule name must be either prefix or suffix",
        ),
        (
            [
                {"Events": [MADE], "Filter": {"Key": {"FilterRules": [{"Name": "prefix", "Value": "a"}]}}},
                {"Events": ["s3:ObjectCreated:Put"]},
            ],
            "InvalidArgument",
            "Configuration is ambiguously defined.",
        ),
    ],
)
def test_rules_that_are_none(s3, bucket, make_queue, rules, code, words):
    _, arn = make_queue("s3")
    error = refused(s3, bucket, QueueConfigurations=[{"QueueArn": arn} | rule for rule in rules])
    assert error["Code"] == code and words in error["Message"]
    assert "QueueConfigurations" not in s3.get_bucket_notification_configuration(Bucket=bucket)


def test_tags_of_a_version_below_a_delete_marker_are_told_of_that_version(s3, bucket, told):
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    version = s3.put_object(Bucket=bucket, Key="pod", Body=b"x")["VersionId"]
    s3.delete_object(Bucket=bucket, Key="pod")
    tags = {"TagSet": [{"Key": "fc", "Value": "AMB1"}]}
    s3.put_object_tagging(Bucket=bucket, Key="pod", VersionId=version, Tagging=tags)
    (tagged,) = (event for event in told(3) if event["eventName"] == "ObjectTagging:Put")
    assert tagged["s3"]["object"]["versionId"] == version


def test_an_empty_configuration_ends_it(s3, bucket, make_queue, letters, eventually):
    url, arn = make_queue("s3")
    rules = {"QueueConfigurations": [{"QueueArn": arn, "Events": [MADE]}]}
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=rules)
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={})
    s3.put_object(Bucket=bucket, Key="untold", Body=b"")
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=rules)
    s3.put_object(Bucket=bucket, Key="told", Body=b"")
    found = []
    eventually(lambda: found.extend(letters(url)) or len(found) >= 3)
    records = [json.loads(one)["Records"][0]["s3"]["object"]["key"] for one in found if "Records" in one]
    assert records == ["told"]


def test_configuration_and_events_survive_kill_9(workspace_dir, start_offline, eventually):
    offline = start_offline(workspace_dir)
    s3, sqs = offline.client("s3"), offline.client("sqs")
    s3.create_bucket(Bucket="kept")
    url = sqs.create_queue(QueueName="told")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    statement = {"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": arn}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
    rules = {"QueueConfigurations": [{"QueueArn": arn, "Events": [MADE]}]}
    s3.put_bucket_notification_configuration(Bucket="kept", NotificationConfiguration=rules)
    for number in range(5):
        s3.put_object(Bucket="kept", Key=f"before-{number}", Body=b"x")
    server = psutil.Process(process.read_state(workspace_dir).pid)
    server.kill()
    server.wait(10)

    offline = start_offline(workspace_dir)
    s3, sqs = offline.client("s3"), offline.client("sqs")
    s3.put_object(Bucket="kept", Key="after", Body=b"x")
    keys = set()

    def all_there():
        for one in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
            keys.update(record["s3"]["object"]["key"] for record in json.loads(one["Body"]).get("Records", []))
        return keys == {*(f"before-{number}" for number in range(5)), "after"}

    eventually(all_there)
