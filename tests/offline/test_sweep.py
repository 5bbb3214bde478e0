"""Every supported operation, asked about what is not there, answers in words and not with a failure of the server."""

import functools

import pytest
from botocore import xform_name
from botocore.exceptions import ClientError
from botocore.session import Session

from helpers.offline import operations

MODELS = {"monitoring": "cloudwatch", "tagging": "resourcegroupstaggingapi"}
SERVICES = ["sns", "sqs", "firehose", "lambda", "apigateway", "monitoring", "events", "logs", "iam", "sts", "tagging"]
ACCOUNT = "123456789012"
ARNS = {
    "sns": f"arn:aws:sns:us-east-1:{ACCOUNT}:nothing",
    "sqs": f"arn:aws:sqs:us-east-1:{ACCOUNT}:nothing",
    "firehose": f"arn:aws:firehose:us-east-1:{ACCOUNT}:deliverystream/nothing",
    "lambda": f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:nothing",
    "apigateway": "arn:aws:apigateway:us-east-1::/restapis/nothing000",
    "monitoring": f"arn:aws:cloudwatch:us-east-1:{ACCOUNT}:alarm:nothing",
    "events": f"arn:aws:events:us-east-1:{ACCOUNT}:rule/nothing",
    "logs": f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:nothing",
    "iam": f"arn:aws:iam::{ACCOUNT}:policy/nothing",
    "sts": f"arn:aws:iam::{ACCOUNT}:role/nothing",
    "tagging": f"arn:aws:sns:us-east-1:{ACCOUNT}:nothing",
}


def made_up(shape, service, name=""):
    """A value that the model allows, about something that does not exist."""
    match shape.type_name:
        case "structure":
            return {
                key: made_up(member, service, key)
                for key, member in shape.members.items()
                if key in shape.required_members
            }
        case "list":
            return [made_up(shape.member, service, name)] * max(1, shape.metadata.get("min", 1))
        case "map":
            return {"key": made_up(shape.value, service, name)}
        case "integer" | "long":
            return max(1, shape.metadata.get("min", 1))
        case "float" | "double":
            return 1.0
        case "boolean":
            return True
        case "timestamp":
            return 1_767_225_600
        case "blob":
            return b"x"
    if shape.enum:
        return shape.enum[0]
    if "QueueUrl" in name:
        return f"http://127.0.0.1/{ACCOUNT}/nothing"
    if name == "statusCode":
        return "200"
    if name in ("AWSServiceName", "httpMethod"):
        return {"AWSServiceName": "lex.amazonaws.com", "httpMethod": "GET"}[name]
    if "arn" in name.lower() or name in ("Resource", "resource"):
        return ARNS[service]
    if any(word in name for word in ("Policy", "Document", "Pattern", "Body", "Event")) and "Name" not in name:
        return "{}"
    return "nothing000".ljust(shape.metadata.get("min", 0), "0")


def calls():
    operations.collect()
    for service in SERVICES:
        model = Session().get_service_model(MODELS.get(service, service))
        for operation in sorted(operations.OPERATIONS[service]):
            shape = model.operation_model(operation).input_shape
            arguments = made_up(shape, service) if shape else {}
            yield pytest.param(service, operation, arguments, id=f"{service}:{operation}")


@pytest.fixture(scope="module")
def client_of(offline):
    """client_of("sns") -> one client of the service for all the calls: making it takes longer than calling."""
    return functools.cache(lambda service: offline.client(MODELS.get(service, service), region="ca-central-1"))


@pytest.mark.parametrize(("service", "operation", "arguments"), list(calls()))
def test_no_operation_fails_without_words(client_of, service, operation, arguments):
    try:
        getattr(client_of(service), xform_name(operation))(**arguments)
    except ClientError as error:
        answer = error.response
        assert answer["ResponseMetadata"]["HTTPStatusCode"] != 500, answer["Error"]
        assert answer["Error"]["Code"] not in ("InternalFailure", "404", "400"), answer["Error"]
        assert answer["Error"]["Message"].strip()
