"""A role may do what its policies say and nothing else, and hears it in AWS's own words."""

import json
import time
from datetime import UTC, datetime, timedelta

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

ACCOUNT = "123456789012"
TRUST = {
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root", "Service": "lambda.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
    ]
}


class Role:
    def __init__(self, offline, name, trust=TRUST):
        self.offline, self.name = offline, name
        self.iam = offline.client("iam")
        self.arn = self.iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
        self.principal = f"arn:aws:sts::{ACCOUNT}:assumed-role/{name}/tester"

    def may(self, action, resource="*", effect="Allow", name="own", **condition):
        statement = {"Effect": effect, "Action": action, "Resource": resource}
        if condition:
            statement["Condition"] = condition
        document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        self.iam.put_role_policy(RoleName=self.name, PolicyName=name, PolicyDocument=document)

    def session(self, **more):
        keys = self.offline.client("sts").assume_role(RoleArn=self.arn, RoleSessionName="tester", **more)["Credentials"]
        return boto3.Session(
            keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"], region_name="us-east-1"
        )

    def client(self, service, **more):
        config = Config(retries={"total_max_attempts": 1})
        return self.session(**more).client(service, endpoint_url=self.offline.endpoint_url, config=config)


@pytest.fixture
def role(offline):
    return Role(offline, f"role-{time.monotonic_ns()}")


def refusal(function, **arguments):
    with pytest.raises(ClientError) as caught:
        function(**arguments)
    answer = caught.value.response
    return answer["Error"]["Code"], answer["Error"]["Message"], answer["ResponseMetadata"]["HTTPStatusCode"]


@pytest.fixture(scope="module")
def bucket(offline):
    s3 = offline.client("s3")
    s3.create_bucket(Bucket="guarded")
    s3.put_object(Bucket="guarded", Key="samples/a", Body=b"1")
    return "guarded"


def test_a_role_without_policies_may_only_ask_who_it_is(role, bucket):
    identity = role.client("sts").get_caller_identity()
    assert identity["Arn"] == role.principal
    code, message, status = refusal(role.client("s3").get_object, Bucket=bucket, Key="samples/a")
    assert (code, status) == ("AccessDenied", 403)
    assert message == (
        f"User: {role.principal} is not authorized to perform: s3:GetObject on resource: "
        '"arn:aws:s3:::guarded/samples/a" because no identity-based policy allows the s3:GetObject action'
    )


def test_a_json_service_answers_access_denied_exception(role):
    code, message, status = refusal(role.client("resourcegroupstaggingapi").get_resources)
    assert (code, status) == ("AccessDeniedException", 400)
    assert message == (
        f"User: {role.principal} is not authorized to perform: tag:GetResources on resource: * "
        "because no identity-based policy allows the tag:GetResources action"
    )


def test_a_policy_counts_at_once_and_so_does_its_end(role, bucket):
    s3 = role.client("s3")
    role.may("s3:GetObject", "arn:aws:s3:::guarded/samples/*")
    assert s3.get_object(Bucket=bucket, Key="samples/a")["Body"].read() == b"1"
    assert s3.head_object(Bucket=bucket, Key="samples/a")["ContentLength"] == 1
    assert refusal(s3.get_object, Bucket=bucket, Key="other")[0] == "AccessDenied"
    assert refusal(s3.put_object, Bucket=bucket, Key="samples/b", Body=b"")[0] == "AccessDenied"
    role.iam.delete_role_policy(RoleName=role.name, PolicyName="own")
    assert refusal(s3.get_object, Bucket=bucket, Key="samples/a")[0] == "AccessDenied"


def test_an_explicit_deny_is_named_as_such(role, bucket):
    role.may("s3:*")
    role.may("s3:DeleteObject", effect="Deny", name="never")
    code, message, _ = refusal(role.client("s3").delete_object, Bucket=bucket, Key="samples/a")
    assert (code, message.endswith("with an explicit deny in an identity-based policy")) == ("AccessDenied", True)


def test_conditions_on_the_prefix_and_the_region(role, bucket):
    role.may("s3:ListBucket", "arn:aws:s3:::guarded", StringLike={"s3:prefix": "samples/*"})
    s3 = role.client("s3")
    assert s3.list_objects_v2(Bucket=bucket, Prefix="samples/")["KeyCount"] == 1
    assert refusal(s3.list_objects_v2, Bucket=bucket)[0] == "AccessDenied"
    role.may("sqs:ListQueues", name="region", StringEquals={"aws:RequestedRegion": "eu-west-1"})
    assert refusal(role.client("sqs").list_queues)[0] == "AccessDenied"
    session = role.session()
    session.client("sqs", region_name="eu-west-1", endpoint_url=role.offline.endpoint_url).list_queues()


def test_copying_needs_both_sides(role, bucket):
    role.may("s3:PutObject")
    copy = {"Bucket": bucket, "Key": "samples/copy", "CopySource": {"Bucket": bucket, "Key": "samples/a"}}
    assert "s3:GetObject" in refusal(role.client("s3").copy_object, **copy)[1]
    role.may(["s3:PutObject", "s3:GetObject"])
    role.client("s3").copy_object(**copy)


def test_a_session_policy_and_a_boundary_only_take_away(role, bucket):
    role.may("s3:*")
    statement = {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "*"}
    narrow = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    s3 = role.client("s3", Policy=narrow)
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] >= 1
    message = refusal(s3.get_object, Bucket=bucket, Key="samples/a")[1]
    assert message.endswith("because no session policy allows the s3:GetObject action")
    boundary = role.iam.create_policy(PolicyName=role.name, PolicyDocument=narrow)["Policy"]["Arn"]
    role.iam.put_role_permissions_boundary(RoleName=role.name, PermissionsBoundary=boundary)
    message = refusal(role.client("s3").get_object, Bucket=bucket, Key="samples/a")[1]
    assert message.endswith("because no permissions boundary allows the s3:GetObject action")


def test_what_one_session_may_says_nothing_of_another_of_the_same_name(role, bucket):
    role.may("s3:*")
    place = {"Bucket": bucket, "Key": "samples/a"}
    assert role.client("s3").get_object(**place)["Body"].read() == b"1"
    statement = {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "*"}
    narrow = role.client("s3", Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    assert refusal(narrow.get_object, **place)[0] == "AccessDenied"
    assert role.client("s3").get_object(**place)["Body"].read() == b"1"


@pytest.mark.parametrize("where", ["session", "boundary", "bucket"])
def test_what_a_policy_allows_until_a_moment_ends_with_it(role, offline, bucket, where, eventually):
    place = {"Bucket": bucket, "Key": "samples/a"}
    end = datetime.now(UTC) + timedelta(seconds=3)
    until = {"DateLessThan": {"aws:CurrentTime": end.isoformat()}}
    statement = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*", "Condition": until}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    if where == "bucket":
        statement["Principal"] = {"AWS": role.arn}
        offline.client("s3").put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Statement": [statement]}))
    else:
        role.may("s3:*")
    if where == "boundary":
        arn = role.iam.create_policy(PolicyName=role.name, PolicyDocument=document)["Policy"]["Arn"]
        role.iam.put_role_permissions_boundary(RoleName=role.name, PermissionsBoundary=arn)
    s3 = role.client("s3", **({"Policy": document} if where == "session" else {}))

    def is_refused():
        try:
            s3.get_object(**place)
        except ClientError as error:
            return error.response["Error"]["Code"] == "AccessDenied"
        return False

    eventually(is_refused)
    assert datetime.now(UTC) >= end
    offline.client("s3").delete_bucket_policy(Bucket=bucket)


def test_a_bucket_policy_may_let_a_role_in_or_keep_it_out(role, offline):
    s3 = offline.client("s3")
    s3.create_bucket(Bucket="shared-by-policy")
    s3.put_object(Bucket="shared-by-policy", Key="a", Body=b"1")

    def bucket_policy(effect):
        statement = {"Effect": effect, "Principal": {"AWS": role.arn}, "Action": "s3:GetObject", "Resource": "*"}
        s3.put_bucket_policy(Bucket="shared-by-policy", Policy=json.dumps({"Statement": [statement]}))

    mine = role.client("s3")
    bucket_policy("Allow")
    assert mine.get_object(Bucket="shared-by-policy", Key="a")["Body"].read() == b"1"
    role.may("s3:*")
    bucket_policy("Deny")
    message = refusal(mine.get_object, Bucket="shared-by-policy", Key="a")[1]
    assert message.endswith("with an explicit deny in a resource-based policy")


def test_aws_managed_policies_can_be_attached_and_count(role, bucket):
    role.iam.attach_role_policy(RoleName=role.name, PolicyArn="arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess")
    assert role.client("s3").get_object(Bucket=bucket, Key="samples/a")["Body"].read() == b"1"
    assert refusal(role.client("s3").put_object, Bucket=bucket, Key="x", Body=b"")[0] == "AccessDenied"
    code, _, _ = refusal(role.iam.attach_role_policy, RoleName=role.name, PolicyArn="arn:aws:iam::aws:policy/NoSuch")
    assert code == "NoSuchEntity"


def test_a_role_that_does_not_trust_the_caller_cannot_be_assumed(offline):
    for_lambda = {
        "Statement": {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    }
    role = Role(offline, f"untrusting-{time.monotonic_ns()}", for_lambda)
    code, message, status = refusal(offline.client("sts").assume_role, RoleArn=role.arn, RoleSessionName="tester")
    assert (code, status) == ("AccessDenied", 403)
    assert message == (
        f"User: arn:aws:iam::{ACCOUNT}:user/workshop is not authorized to perform: sts:AssumeRole "
        f"on resource: {role.arn}"
    )


def test_a_deleted_role_may_nothing_any_more(role, bucket):
    role.may("s3:*")
    s3 = role.client("s3")
    s3.get_object(Bucket=bucket, Key="samples/a")
    role.iam.delete_role_policy(RoleName=role.name, PolicyName="own")
    role.iam.delete_role(RoleName=role.name)
    assert refusal(s3.get_object, Bucket=bucket, Key="samples/a")[0] == "AccessDenied"


def test_the_simulator_decides_as_the_server_does(role):
    role.may("s3:Get*", "arn:aws:s3:::guarded/*")
    role.may("s3:GetObjectTagging", effect="Deny", name="never")
    results = role.iam.simulate_principal_policy(
        PolicySourceArn=role.arn,
        ActionNames=["s3:GetObject", "s3:GetObjectTagging", "sns:Publish"],
        ResourceArns=["arn:aws:s3:::guarded/samples/a"],
    )["EvaluationResults"]
    assert [(result["EvalActionName"], result["EvalDecision"]) for result in results] == [
        ("s3:GetObject", "allowed"),
        ("s3:GetObjectTagging", "explicitDeny"),
        ("sns:Publish", "implicitDeny"),
    ]


def test_a_topics_policy_may_let_a_role_in_or_keep_it_out_and_counts_at_once(role, offline, unique):
    sns = offline.client("sns")
    topic = sns.create_topic(Name=unique("topic"))["TopicArn"]

    def says(effect):
        statement = {"Effect": effect, "Principal": {"AWS": role.arn}, "Action": "sns:Publish", "Resource": topic}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=policy)

    mine = role.client("sns")
    code, message, status = refusal(mine.publish, TopicArn=topic, Message="x")
    assert (code, status) == ("AuthorizationError", 403)
    assert "because no identity-based policy allows" in message  # the policy that every topic has lets no role in
    says("Allow")
    mine.publish(TopicArn=topic, Message="x")
    role.may("sns:Publish", topic)
    says("Deny")
    assert "with an explicit deny in a resource-based policy" in refusal(mine.publish, TopicArn=topic, Message="x")[1]


def test_a_queues_policy_may_let_a_role_in(role, make_queue, offline):
    url, arn = make_queue()
    mine = role.client("sqs")
    _, message, status = refusal(mine.send_message, QueueUrl=url, MessageBody="x")
    assert "because no identity-based policy allows" in message and status == 403
    statement = {"Effect": "Allow", "Principal": {"AWS": role.arn}, "Action": "sqs:SendMessage", "Resource": arn}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    offline.client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
    mine.send_message(QueueUrl=url, MessageBody="x")
    assert "is not authorized" in refusal(mine.receive_message, QueueUrl=url)[1]


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ("x", "This policy contains invalid Json"),
        (
            {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "s3:GetObject"},
            "AssumeRole policy may only specify STS AssumeRole actions.",
        ),
        (
            {"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole", "Resource": "*"},
            "Has prohibited field Resource",
        ),
    ],
)
def test_a_trust_policy_that_is_none_makes_no_role(offline, document, message):
    iam = offline.client("iam")
    text = document if isinstance(document, str) else json.dumps({"Version": "2012-10-17", "Statement": document})
    with pytest.raises(ClientError) as caught:
        iam.create_role(RoleName="not-made", AssumeRolePolicyDocument=text)
    assert caught.value.response["Error"]["Code"] == "MalformedPolicyDocument"
    assert caught.value.response["Error"]["Message"] == message
    with pytest.raises(ClientError, match="The role with name not-made cannot be found"):
        iam.get_role(RoleName="not-made")
