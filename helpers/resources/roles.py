"""The roles that services take on, each with just the rights that its one purpose needs."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass

from botocore.exceptions import ClientError

from helpers.workshop import Workshop

PROPAGATION_S = 10  # a new role is usable everywhere on AWS only after some seconds; offline at once
POLICY_NAME = "workshop"


@dataclass(frozen=True)
class Role:
    """Who may take the role on (an AWS service), and what it may then do."""

    trusted_service: str
    statements: Callable[[Workshop], list[dict]]


def allow(actions: list[str], resources: list[str] | str) -> dict:
    """One statement of a policy."""
    return {"Effect": "Allow", "Action": actions, "Resource": resources}


def write_logs(ws: Workshop, function: str) -> dict:
    """What every Lambda function needs for its own log, and no other."""
    group = ws.arn("logs", f"log-group:/aws/lambda/{ws.name(function)}")
    return allow(["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"], [group, f"{group}:*"])


def _streams(ws: Workshop) -> list[str]:
    return [
        ws.arn("firehose", f"deliverystream/{ws.name(name)}")
        for name in ("SampleCollectionFirehose", "DirectCollectionFirehose")
    ]


def _bucket(ws: Workshop, purpose: str) -> str:
    return f"arn:{ws.partition}:s3:::{ws.bucket(purpose)}"


def _read_bucket(ws: Workshop, purpose: str) -> list[dict]:
    bucket = _bucket(ws, purpose)
    return [allow(["s3:GetBucketLocation", "s3:ListBucket"], [bucket]), allow(["s3:GetObject"], [f"{bucket}/*"])]


def _write_bucket(ws: Workshop, purpose: str) -> dict:
    return allow(["s3:PutObject", "s3:AbortMultipartUpload"], [f"{_bucket(ws, purpose)}/*"])


def _sagemaker_resources(ws: Workshop) -> list[str]:
    kinds = ("training-job", "model", "endpoint-config", "endpoint")
    return [ws.arn("sagemaker", f"{kind}/{ws.prefix}*".lower()) for kind in kinds] + [
        ws.arn("sagemaker", f"{kind}/{ws.prefix}*") for kind in kinds
    ]


def _pass_sagemaker_role(ws: Workshop) -> dict:
    return {
        **allow(["iam:PassRole"], [arn(ws, "sagemaker")]),
        "Condition": {"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}},
    }


def _sample_collection_lambda(ws: Workshop) -> list[dict]:
    return [
        allow(["firehose:PutRecord", "firehose:PutRecordBatch"], _streams(ws)[:1]),
        write_logs(ws, "SampleCollectionLambdaFunction"),
    ]


def _firehose(ws: Workshop) -> list[dict]:
    bucket = _bucket(ws, "samples")
    return [
        allow(["s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"], [bucket]),
        allow(["s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject"], [f"{bucket}/*"]),
    ]


def _topic(ws: Workshop) -> list[dict]:
    actions = [
        "DescribeDeliveryStream",
        "ListDeliveryStreams",
        "ListTagsForDeliveryStream",
        "PutRecord",
        "PutRecordBatch",
    ]
    return [allow([f"firehose:{action}" for action in actions], _streams(ws))]


def _sagemaker(ws: Workshop) -> list[dict]:
    logs = ws.arn("logs", "log-group:/aws/sagemaker/*", region="*")
    copies = f"arn:{ws.partition}:s3:::{ws.bucket('models-*')}"  # of models, in other regions
    images = [
        "ecr:BatchCheckLayerAvailability",
        "ecr:BatchGetImage",
        "ecr:GetAuthorizationToken",
        "ecr:GetDownloadUrlForLayer",
    ]
    return [
        *_read_bucket(ws, "samples"),
        *_read_bucket(ws, "models"),
        _write_bucket(ws, "models"),
        allow(["s3:GetBucketLocation", "s3:ListBucket", "s3:GetObject"], [copies, f"{copies}/*"]),
        allow(["logs:CreateLogGroup", "logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"], [logs]),
        allow(
            ["cloudwatch:PutMetricData", *images], "*"
        ),  # neither metrics nor the algorithms' images belong to this account
    ]


def _live_inference_lambda(ws: Workshop) -> list[dict]:
    endpoint = ws.arn("sagemaker", f"endpoint/{ws.name('LiveInferenceEndpoint')}")
    return [
        allow(["sagemaker:InvokeEndpoint"], sorted({endpoint, endpoint.lower()})),
        write_logs(ws, "LiveInferenceLambdaFunction"),
    ]


def _retraining_lambda(ws: Workshop) -> list[dict]:
    return [
        *_read_bucket(ws, "samples"),
        *_read_bucket(ws, "models"),
        _write_bucket(ws, "models"),
        allow(
            ["sagemaker:CreateTrainingJob", "sagemaker:DescribeTrainingJob", "sagemaker:AddTags"],
            _sagemaker_resources(ws),
        ),
        allow(["sagemaker:ListTrainingJobs"], "*"),
        _pass_sagemaker_role(ws),
        write_logs(ws, "RetrainingLambdaFunction"),
    ]


def _promotion_lambda(ws: Workshop) -> list[dict]:
    describe = ["TrainingJob", "Model", "EndpointConfig", "Endpoint"]
    change = [
        "CreateModel",
        "CreateEndpointConfig",
        "CreateEndpoint",
        "UpdateEndpoint",
        "DeleteEndpoint",
        "InvokeEndpoint",
        "AddTags",
    ]
    clean = ["DeleteModel", "DeleteEndpointConfig"]
    actions = [f"sagemaker:Describe{kind}" for kind in describe] + [f"sagemaker:{action}" for action in change + clean]
    return [
        *_read_bucket(ws, "samples"),
        *_read_bucket(ws, "models"),
        _write_bucket(ws, "models"),
        allow(actions, _sagemaker_resources(ws)),
        allow(["cloudwatch:PutMetricData"], "*"),
        _pass_sagemaker_role(ws),
        write_logs(ws, "PromotionLambdaFunction"),
    ]


ROLES = {
    "sample_collection_lambda": Role("lambda.amazonaws.com", _sample_collection_lambda),
    "live_inference_lambda": Role("lambda.amazonaws.com", _live_inference_lambda),
    "retraining_lambda": Role("lambda.amazonaws.com", _retraining_lambda),
    "promotion_lambda": Role("lambda.amazonaws.com", _promotion_lambda),
    "firehose": Role("firehose.amazonaws.com", _firehose),
    "topic": Role("sns.amazonaws.com", _topic),
    "sagemaker": Role("sagemaker.amazonaws.com", _sagemaker),
}


def name(ws: Workshop, purpose: str) -> str:
    """The role's name, for instance fulfillment-amber-falcon-firehose."""
    if purpose not in ROLES:
        raise KeyError(f"There is a role for each of {', '.join(ROLES)}; got {purpose!r}.")
    return ws.name(purpose.replace("_", "-"))


def arn(ws: Workshop, purpose: str) -> str:
    """The role's ARN (roles belong to no region)."""
    return f"arn:{ws.partition}:iam::{ws.account_id}:role/{name(ws, purpose)}"


def trust_policy(purpose: str) -> dict:
    """Who may take the role on."""
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": ROLES[purpose].trusted_service},
        "Action": "sts:AssumeRole",
    }
    return {"Version": "2012-10-17", "Statement": [statement]}


def policy(ws: Workshop, purpose: str) -> dict:
    """What the role may do."""
    return {"Version": "2012-10-17", "Statement": ROLES[purpose].statements(ws)}


def ensure(ws: Workshop, *purposes: str) -> list[str]:
    """Make the roles that are missing and bring the others' policies up to date; the names of those made."""
    iam = ws.client("iam")
    made = []
    for purpose in purposes:
        role = name(ws, purpose)
        if role in ws.roles_ready:
            continue
        try:
            iam.create_role(RoleName=role, AssumeRolePolicyDocument=json.dumps(trust_policy(purpose)), Tags=ws.tags)
            made.append(role)
        except ClientError as error:
            if error.response["Error"]["Code"] != "EntityAlreadyExists":
                raise
        iam.put_role_policy(RoleName=role, PolicyName=POLICY_NAME, PolicyDocument=json.dumps(policy(ws, purpose)))
        ws.roles_ready.add(role)
    if made and not ws.offline:
        time.sleep(PROPAGATION_S)
    return made
