"""Every operation asks for the action and the resource that AWS's service authorization reference names."""

import json
from urllib.parse import urlencode

import pytest

from helpers.offline import wire
from helpers.offline.actions import needs
from helpers.offline.kernel import Call, Principal

REGION, ACCOUNT = "eu-west-1", "123456789012"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/worker"


def call(service, operation, parameters=None, *, method="POST", path="/", query="", headers=None, body=None):
    target = {} if service in ("s3", "lambda", "apigateway") or path != "/" else {"x-amz-target": f"X.{operation}"}
    made = Call(service, operation, REGION, ACCOUNT, Principal(""), method, path, query, headers or {}, b"")
    if service in ("sns", "iam", "sts"):
        made.body = urlencode({"Action": operation, **(parameters or {})}).encode()
    else:
        made.headers = made.headers | target
        made.body = json.dumps(parameters).encode() if parameters is not None else b""
    if body is not None:
        made.body = body
    made.protocol = wire.protocol_of(service, made.headers, path)
    if made.protocol.startswith("rest"):
        wire.name_operation(made)
        assert made.operation == operation
    return made


def asked(*arguments, **named):
    return [(need.action, need.resources[0]) for need in needs(call(*arguments, **named))]


FUNCTION = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:f"
S3_CASES = [
    ("GET", "/", "", "ListBuckets", "s3:ListAllMyBuckets", "*"),
    ("GET", "/b", "list-type=2", "ListObjectsV2", "s3:ListBucket", "arn:aws:s3:::b"),
    ("HEAD", "/b", "", "HeadBucket", "s3:ListBucket", "arn:aws:s3:::b"),
    ("HEAD", "/b/k", "", "HeadObject", "s3:GetObject", "arn:aws:s3:::b/k"),
    ("PUT", "/b/k/l", "", "PutObject", "s3:PutObject", "arn:aws:s3:::b/k/l"),
    ("POST", "/b/k", "uploads", "CreateMultipartUpload", "s3:PutObject", "arn:aws:s3:::b/k"),
    ("PUT", "/b/k", "partNumber=1&uploadId=u", "UploadPart", "s3:PutObject", "arn:aws:s3:::b/k"),
    ("DELETE", "/b/k", "uploadId=u", "AbortMultipartUpload", "s3:AbortMultipartUpload", "arn:aws:s3:::b/k"),
    ("GET", "/b", "encryption", "GetBucketEncryption", "s3:GetEncryptionConfiguration", "arn:aws:s3:::b"),
]


@pytest.mark.parametrize(("method", "path", "query", "operation", "action", "resource"), S3_CASES)
def test_s3(method, path, query, operation, action, resource):
    assert asked("s3", operation, method=method, path=path, query=query) == [(action, resource)]


def test_deleting_several_objects_asks_for_each():
    body = b"<Delete><Object><Key>a&amp;b</Key></Object><Object><Key>c d</Key></Object></Delete>"
    assert asked("s3", "DeleteObjects", path="/b", query="delete", body=body) == [
        ("s3:DeleteObject", "arn:aws:s3:::b/a&b"),
        ("s3:DeleteObject", "arn:aws:s3:::b/c d"),
    ]


CASES = [
    ("sns", "Publish", {"TopicArn": "arn:aws:sns:x"}, "sns:Publish", "arn:aws:sns:x"),
    ("sns", "PublishBatch", {"TopicArn": "arn:aws:sns:x"}, "sns:Publish", "arn:aws:sns:x"),
    ("sns", "CreateTopic", {"Name": "t"}, "sns:CreateTopic", f"arn:aws:sns:{REGION}:{ACCOUNT}:t"),
    ("sns", "Unsubscribe", {"SubscriptionArn": "arn:aws:sns:r:a:t:id"}, "sns:Unsubscribe", "arn:aws:sns:r:a:t"),
    (
        "firehose",
        "PutRecordBatch",
        {"DeliveryStreamName": "s"},
        "firehose:PutRecordBatch",
        f"arn:aws:firehose:{REGION}:{ACCOUNT}:deliverystream/s",
    ),
    ("monitoring", "PutMetricData", {"Namespace": "N"}, "cloudwatch:PutMetricData", "*"),
    (
        "monitoring",
        "PutMetricAlarm",
        {"AlarmName": "a"},
        "cloudwatch:PutMetricAlarm",
        f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:a",
    ),
    (
        "monitoring",
        "PutDashboard",
        {"DashboardName": "d"},
        "cloudwatch:PutDashboard",
        f"arn:aws:cloudwatch::{ACCOUNT}:dashboard/d",
    ),
    (
        "logs",
        "PutLogEvents",
        {"logGroupName": "/g", "logStreamName": "s"},
        "logs:PutLogEvents",
        f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/g:log-stream:s",
    ),
    ("events", "PutRule", {"Name": "r"}, "events:PutRule", f"arn:aws:events:{REGION}:{ACCOUNT}:rule/r"),
    (
        "sagemaker",
        "DescribeEndpoint",
        {"EndpointName": "LiveInference"},
        "sagemaker:DescribeEndpoint",
        f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:endpoint/liveinference",
    ),
    ("sagemaker", "ListModels", {"NameContains": "x"}, "sagemaker:ListModels", "*"),
    ("iam", "GetRole", {"RoleName": "r"}, "iam:GetRole", f"arn:aws:iam::{ACCOUNT}:role/r"),
    ("sts", "AssumeRole", {"RoleArn": ROLE}, "sts:AssumeRole", ROLE),
]


@pytest.mark.parametrize(("service", "operation", "parameters", "action", "resource"), CASES)
def test_other_services(service, operation, parameters, action, resource):
    assert asked(service, operation, parameters) == [(action, resource)]


def test_lambda_by_name_arn_and_qualifier():
    invoke = {"method": "POST", "body": b"{}"}
    path = "/2015-03-31/functions/{}/invocations"
    assert asked("lambda", "Invoke", path=path.format("f"), **invoke) == [("lambda:InvokeFunction", FUNCTION)]
    arn = FUNCTION.replace(":", "%3A")
    assert asked("lambda", "Invoke", path=path.format(arn), **invoke) == [("lambda:InvokeFunction", FUNCTION)]
    live = asked("lambda", "Invoke", path=path.format("f"), query="Qualifier=live", **invoke)
    assert live == [("lambda:InvokeFunction", FUNCTION + ":live")]


def test_invoking_an_endpoint():
    found = asked("sagemaker", "InvokeEndpoint", path="/endpoints/Live/invocations", body=b"1,2,3")
    assert found == [("sagemaker:InvokeEndpoint", f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:endpoint/live")]


def test_api_gateway_asks_by_verb_and_path():
    found = asked("apigateway", "GetRestApis", method="GET", path="/restapis")
    assert found == [("apigateway:GET", f"arn:aws:apigateway:{REGION}::/restapis")]


@pytest.mark.parametrize(
    ("service", "operation", "parameters", "to"),
    [
        ("sagemaker", "CreateTrainingJob", {"TrainingJobName": "j", "RoleArn": ROLE}, "sagemaker.amazonaws.com"),
        ("sagemaker", "CreateModel", {"ModelName": "m", "ExecutionRoleArn": ROLE}, "sagemaker.amazonaws.com"),
        (
            "firehose",
            "CreateDeliveryStream",
            {"DeliveryStreamName": "s", "ExtendedS3DestinationConfiguration": {"RoleARN": ROLE}},
            "firehose.amazonaws.com",
        ),
        (
            "sagemaker",
            "CreateHyperParameterTuningJob",
            {"HyperParameterTuningJobName": "t", "TrainingJobDefinition": {"RoleArn": ROLE}},
            "sagemaker.amazonaws.com",
        ),
    ],
)
def test_whoever_hands_a_role_to_a_service_needs_pass_role(service, operation, parameters, to):
    passed = needs(call(service, operation, parameters))[-1]
    assert (passed.action, passed.resources) == ("iam:PassRole", (ROLE,))
    assert passed.context["iam:passedtoservice"] == (to,)


def test_creating_a_function_needs_pass_role():
    found = needs(call("lambda", "CreateFunction", {"FunctionName": "f", "Role": ROLE}, path="/2015-03-31/functions"))
    assert [need.action for need in found] == ["lambda:CreateFunction", "iam:PassRole"]


def test_a_role_in_an_environment_variable_is_not_passed():
    parameters = {"FunctionName": "f", "Environment": {"Variables": {"ROLE": ROLE}}}
    found = needs(call("lambda", "CreateFunction", parameters, path="/2015-03-31/functions"))
    assert [need.action for need in found] == ["lambda:CreateFunction"]


def test_tags_are_conditions():
    found = needs(call("sagemaker", "CreateModel", {"ModelName": "m", "Tags": [{"Key": "workshop", "Value": "rf"}]}))
    assert found[0].context == {"aws:requesttag/workshop": ("rf",), "aws:tagkeys": ("workshop",)}


def test_who_am_i_needs_no_permission():
    assert asked("sts", "GetCallerIdentity") == []
