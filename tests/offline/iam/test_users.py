"""Who am I: IAM and STS say the same."""

import json

import pytest
from botocore.exceptions import ClientError


def test_the_owner_is_the_user_that_sts_names(offline):
    user = offline.client("iam").get_user()["User"]
    known = offline.client("sts").get_caller_identity()
    assert (user["Arn"], user["UserId"]) == (known["Arn"], known["UserId"])
    assert offline.client("iam").get_user(UserName=user["UserName"])["User"] == user


def test_a_session_of_a_role_is_no_user(offline, service_role, unique):
    iam = offline.client("iam")
    name = unique("role")
    trust = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
    policy = {"Version": "2012-10-17", "Statement": [trust]}
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(policy))["Role"]["Arn"]
    allow = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "iam:*", "Resource": "*"}]}
    iam.put_role_policy(RoleName=name, PolicyName="all", PolicyDocument=json.dumps(allow))
    keys = offline.client("sts").assume_role(RoleArn=arn, RoleSessionName="session")["Credentials"]
    session = offline.client(
        "iam",
        aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key=keys["SecretAccessKey"],
        aws_session_token=keys["SessionToken"],
    )
    with pytest.raises(ClientError, match="Must specify userName when calling with non-User credentials"):
        session.get_user()
