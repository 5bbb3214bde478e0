"""A service may do for you what the role you gave it may do, and no more."""

import json

import pytest

from helpers.offline.authorization import Authorizer


@pytest.fixture
def narrow_role(offline, unique):
    """narrow_role("firehose", action, resource) -> ARN of a role that may do this one thing."""

    def make(service, action, resource):
        iam, name = offline.client("iam"), unique("narrow")
        trust = {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"Service": f"{service}.amazonaws.com"},
                    "Action": "sts:AssumeRole",
                }
            ],
        }
        arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
        policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": action, "Resource": resource}]}
        iam.put_role_policy(RoleName=name, PolicyName="one", PolicyDocument=json.dumps(policy))
        return arn

    return make


def test_a_stream_delivers_only_where_its_role_may_write(
    offline, make_stream, narrow_role, bucket, objects, unique, eventually
):
    group = f"/{unique('delivery')}"
    role = narrow_role("firehose", "s3:PutObject", f"arn:aws:s3:::{bucket}/allowed/*")
    options = {"Enabled": True, "LogGroupName": group, "LogStreamName": "S3Delivery"}
    refused, _ = make_stream(RoleARN=role, Prefix="elsewhere/", CloudWatchLoggingOptions=options)
    allowed, _ = make_stream(RoleARN=role, Prefix="allowed/")
    for name in (refused, allowed):
        offline.client("firehose").put_record(DeliveryStreamName=name, Record={"Data": name.encode()})
    logs = offline.client("logs")

    def told():
        groups = logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]
        return groups and logs.filter_log_events(logGroupName=group)["events"]

    message = json.loads(eventually(told)[0]["message"])
    assert message["errorCode"] == "S3.AccessDenied"
    assert "is not authorized to perform: s3:PutObject" in message["errorMessage"]
    assert list(eventually(objects).values()) == [allowed.encode()]


def test_a_topic_feeds_only_a_stream_that_its_role_may_write_to(
    offline, make_stream, narrow_role, objects, unique, eventually, make_queue
):
    sns, sqs = offline.client("sns"), offline.client("sqs")
    topic = sns.create_topic(Name=unique("topic"))["TopicArn"]
    _, stream = make_stream()
    url, queue = make_queue("sns")
    role = narrow_role("sns", "firehose:PutRecordBatch", stream + "-other")
    sns.subscribe(
        TopicArn=topic,
        Protocol="firehose",
        Endpoint=stream,
        Attributes={
            "SubscriptionRoleArn": role,
            "RawMessageDelivery": "true",
            "RedrivePolicy": json.dumps({"deadLetterTargetArn": queue}),
        },
    )
    sns.publish(TopicArn=topic, Message="refused")
    letter = eventually(lambda: sqs.receive_message(QueueUrl=url).get("Messages"))[0]
    assert letter["Body"] == "refused"
    policy = {"Effect": "Allow", "Action": "firehose:*", "Resource": stream}
    offline.client("iam").put_role_policy(
        RoleName=role.rpartition("/")[2],
        PolicyName="two",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [policy]}),
    )

    def allowed():
        sns.publish(TopicArn=topic, Message="allowed")
        return objects()

    assert b"allowed\n" in next(iter(eventually(allowed).values()))


def test_a_role_that_does_not_exist_may_do_nothing():
    from helpers.offline.actions import Need
    from helpers.offline.kernel import Principal

    arn = "arn:aws:iam::123456789012:role/nobody"
    principal = Principal("arn:aws:sts::123456789012:assumed-role/nobody/x", arn)
    reason = Authorizer("123456789012").explain(principal, "us-east-1", Need("s3:PutObject", ("arn:aws:s3:::b/k",)))
    assert "because no identity-based policy allows the s3:PutObject action" in reason
