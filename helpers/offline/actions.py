"""Which IAM action on which resource an API operation is, and which roles it passes on.

Source: https://docs.aws.amazon.com/service-authorization/latest/reference/
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote

from helpers.offline.kernel import Call

ANY = ("*",)


@dataclass(frozen=True, slots=True)
class Need:
    """One permission that a call asks for. `context` are the condition keys that belong to it."""

    action: str
    resources: tuple[str, ...] = ANY
    context: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def needs(call: Call) -> list[Need]:
    """Empty where AWS asks for no permission at all."""
    resolve = _SERVICES.get(call.service)
    if resolve is None:
        return [Need(f"{call.service}:{call.operation}")]
    parameters = _parameters(call)
    found = resolve(call, parameters)
    tags = _tag_context(parameters)
    if tags:
        found = [Need(need.action, need.resources, {**tags, **need.context}) for need in found]
    return found + _passed_roles(call, parameters)


# --- Parameters -------------------------------------------------------------------------------------------------------


def _parameters(call: Call) -> dict[str, Any]:
    """The call's parameters by their names; of bulk calls only what says where they go."""
    if call.protocol == "query":
        return call.form()
    if call.service in ("firehose", "sagemaker") and len(call.body) > 20_000:
        found = re.search(rb'"DeliveryStreamName"\s*:\s*"([^"]+)"', call.body)
        if found:
            return {"DeliveryStreamName": found[1].decode()}
    parameters: dict[str, Any] = {}
    if call.protocol in ("json", "rest-json") and call.operation not in ("Invoke", "InvokeEndpoint"):
        try:
            document = json.loads(call.body) if call.body else {}
        except ValueError:
            document = {}
        if isinstance(document, dict):
            parameters = document
    return parameters | call.path_parameters


def _tag_context(parameters: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    tags = parameters.get("Tags", parameters.get("tags"))
    if isinstance(tags, list):
        tags = {tag.get("Key", ""): tag.get("Value", "") for tag in tags if isinstance(tag, dict)}
    if not isinstance(tags, dict):
        tags = {
            value: parameters.get(name.removesuffix("Key") + "Value", "")
            for name, value in parameters.items()
            if re.fullmatch(r"Tags\.(member|Tag)\.\d+\.Key", name)
        }
    if not tags:
        return {}
    context = {f"aws:requesttag/{key.lower()}": (str(value),) for key, value in tags.items()}
    return context | {"aws:tagkeys": tuple(tags)}


def _passed_roles(call: Call, parameters: Mapping[str, Any]) -> list[Need]:
    service_principal = _PASSED_TO.get(call.service)
    if service_principal is None or not call.operation.startswith(("Create", "Update", "Put", "Register", "Subscribe")):
        return []
    context = {"iam:passedtoservice": (service_principal,)}
    return [Need("iam:PassRole", (arn,), context) for arn in sorted(set(_role_arns(parameters)))]


_PASSED_TO = {
    "lambda": "lambda.amazonaws.com",
    "sagemaker": "sagemaker.amazonaws.com",
    "firehose": "firehose.amazonaws.com",
    "events": "events.amazonaws.com",
    "sns": "sns.amazonaws.com",
    "logs": "logs.amazonaws.com",
    "apigateway": "apigateway.amazonaws.com",
    "application-autoscaling": "application-autoscaling.amazonaws.com",
}
_ROLE_PARAMETERS = {"role", "rolearn", "executionrolearn", "credentials"}
_FREE = {"Environment", "HyperParameters", "StaticHyperParameters", "Tags", "tags", "variables"}  # the caller's names
_ROLE_ARN = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/.+")


def _role_arns(value: Any, name: str = "") -> list[str]:
    """Every role ARN that stands in a parameter of a role, however deep (Firehose: in the destination)."""
    if isinstance(value, str):
        # SNS: Attributes.entry.1.value; its key says SubscriptionRoleArn
        is_role = name.lower() in _ROLE_PARAMETERS or name.startswith("Attributes.entry.")
        return [value] if is_role and _ROLE_ARN.fullmatch(value) else []
    if isinstance(value, dict):
        return [arn for key, item in value.items() if key not in _FREE for arn in _role_arns(item, key)]
    if isinstance(value, list):
        return [arn for item in value for arn in _role_arns(item, name)]
    return []


# --- Services ---------------------------------------------------------------------------------------------------------


def _sns(call: Call, parameters: Mapping[str, Any]) -> list[Need]:
    action = {"PublishBatch": "Publish"}.get(call.operation, call.operation)
    arn = parameters.get("TopicArn") or parameters.get("TargetArn") or parameters.get("ResourceArn")
    if arn is None and "SubscriptionArn" in parameters:
        arn = parameters["SubscriptionArn"].rpartition(":")[0]
    if arn is None and call.operation == "CreateTopic":
        arn = f"arn:aws:sns:{call.region}:{call.account_id}:{parameters.get('Name', '')}"
    context = {}
    if call.operation == "Subscribe":
        context = {"sns:protocol": (parameters.get("Protocol", ""),), "sns:endpoint": (parameters.get("Endpoint", ""),)}
    return [Need(f"sns:{action}", (arn,) if arn else ANY, context)]


def _sqs(call: Call, parameters: Mapping[str, Any]) -> list[Need]:
    action = {
        "SendMessageBatch": "SendMessage",
        "DeleteMessageBatch": "DeleteMessage",
        "ChangeMessageVisibilityBatch": "ChangeMessageVisibility",
    }.get(call.operation, call.operation)
    name = parameters.get("QueueName") or parameters.get("QueueUrl", "").rsplit("/", 1)[-1]
    return [Need(f"sqs:{action}", (f"arn:aws:sqs:{call.region}:{call.account_id}:{name}",) if name else ANY)]


def _firehose(call: Call, parameters: Mapping[str, Any]) -> list[Need]:
    name = parameters.get("DeliveryStreamName", "*")
    return [Need(f"firehose:{call.operation}", (_arn(call, f"deliverystream/{name}"),))]


def _lambda(call: Call, parameters: Mapping[str, Any]) -> list[Need]:
    action = {"Invoke": "InvokeFunction", "InvokeAsync": "InvokeFunction"}.get(call.operation, call.operation)
    if "EventSourceMapping" in call.operation:
        return [_event_source_mapping(call, action, parameters)]
    name = parameters.get("FunctionName") or parameters.get("Resource") or parameters.get("ARN")
    if not name or (call.operation.startswith("List") and call.operation.endswith(("Functions", "Mappings"))):
        return [Need(f"lambda:{action}")]
    function = unquote(str(name)).rpartition("function:")[2] if ":function:" in unquote(str(name)) else str(name)
    qualifier = parse_qs(call.query).get("Qualifier", [""])[0]
    arn = f"arn:aws:lambda:{call.region}:{call.account_id}:function:{function}"
    return [Need(f"lambda:{action}", (f"{arn}:{qualifier}",) if qualifier else (arn,))]


def _event_source_mapping(call: Call, action: str, parameters: Mapping[str, Any]) -> Need:
    """The function is no resource of these actions but a condition key, and is only asked for where it is named."""
    name = str(parameters.get("FunctionName") or "").rpartition("function:")[2]
    function = f"arn:aws:lambda:{call.region}:{call.account_id}:function:{name}"
    context = {"lambda:functionarn": (function,)} if name else {}
    identity = parameters.get("UUID")
    if not identity:
        return Need(f"lambda:{action}", ANY, context)
    return Need(
        f"lambda:{action}",
        (f"arn:aws:lambda:{call.region}:{call.account_id}:event-source-mapping:{identity}",),
        context,
    )


def _apigateway(call: Call, parameters: Mapping[str, Any]) -> list[Need]:
    verb = {"HEAD": "GET"}.get(call.method, call.method)
    return [Need(f"apigateway:{verb}", (f"arn:aws:apigateway:{call.region}::{unquote(call.path)}",))]


def _cloudwatch(call: Call, parameters: Mapping[str, Any]) -> list[Need]:
    action = f"cloudwatch:{call.operation}"
    if call.operation == "PutMetricData":
        return [Need(action, ANY, {"cloudwatch:namespace": (str(parameters.get("Namespace", "")),)})]
    if "Dashboard" in call.operation and "List" not in call.operation:
        name = parameters.get("DashboardName") or "*"
        return [Need(action, (f"arn:aws:cloudwatch::{call.account_id}:dashboard/{name}",))]
    if "Alarm" in call.operation:
        names = _names(parameters, "AlarmNames") or [parameters.get("AlarmName") or "*"]
        return [Need(action, (f"arn:aws:cloudwatch:{call.region}:{call.account_id}:alarm:{name}",)) for name in names]
    return [Need(action)]


def _logs(call: Call, parameters: Mapping[str, Any]) -> list[Need]:
    name = parameters.get("logGroupName") or str(parameters.get("logGroupIdentifier", "")).rpartition("log-group:")[2]
    group = _arn(call, f"log-group:{name}", ":")
    stream = parameters.get("logStreamName")
    if stream and call.operation in ("PutLogEvents", "GetLogEvents", "DeleteLogStream", "CreateLogStream"):
        resources = (f"{group}:log-stream:{stream}",)
        if call.operation == "CreateLogStream":
            resources += (f"{group}:*", group)
        return [Need(f"logs:{call.operation}", resources)]
    if not name:
        return [
            Need(f"logs:{call.operation}", (_arn(call, "log-group::log-stream:", ":"), _arn(call, "log-group:*", ":")))
        ]
    return [Need(f"logs:{call.operation}", (f"{group}:log-stream:", f"{group}:*", group))]


def _events(call: Call, parameters: Mapping[str, Any]) -> list[Need]:
    if call.operation == "PutEvents":
        return [Need("events:PutEvents", (_arn(call, "event-bus/default"),))]
    name = parameters.get("Rule") or (parameters.get("Name") if "Rule" in call.operation else None)
    resource = parameters.get("ResourceARN") or _arn(call, f"rule/{name or '*'}")
    return [Need(f"events:{call.operation}", (resource,))]


# The parameter that names the resource -> its type in the ARN.
_SAGEMAKER_NAMES = {
    "TrainingJobName": "training-job",
    "ModelName": "model",
    "EndpointConfigName": "endpoint-config",
    "EndpointName": "endpoint",
    "HyperParameterTuningJobName": "hyper-parameter-tuning-job",
}


def _sagemaker(call: Call, parameters: Mapping[str, Any]) -> list[Need]:
    action = f"sagemaker:{call.operation}"
    if "ResourceArn" in parameters:
        return [Need(action, (parameters["ResourceArn"],))]
    order = sorted(_SAGEMAKER_NAMES, key=lambda name: name.removesuffix("Name") not in call.operation)
    if "Endpoint" in call.operation and "EndpointConfig" not in call.operation:
        order = ["EndpointName"]
    if (
        not call.operation.startswith(("List", "Search"))
        or call.operation == "ListTrainingJobsForHyperParameterTuningJob"
    ):
        for parameter in order:
            if parameters.get(parameter):
                resource = f"{_SAGEMAKER_NAMES[parameter]}/{str(parameters[parameter]).lower()}"
                found = [Need(action, (_arn(call, resource),))]
                if call.operation in ("CreateEndpoint", "UpdateEndpoint") and parameters.get("EndpointConfigName"):
                    config = str(parameters["EndpointConfigName"]).lower()
                    found.append(Need(action, (_arn(call, f"endpoint-config/{config}"),)))
                return found
    return [Need(action)]


def _autoscaling(call: Call, parameters: Mapping[str, Any]) -> list[Need]:
    context = {
        f"application-autoscaling:{key}": (str(parameters[name]),)
        for name, key in (("ServiceNamespace", "service-namespace"), ("ScalableDimension", "scalable-dimension"))
        if name in parameters
    }
    return [Need(f"application-autoscaling:{call.operation}", ANY, context)]


def _iam(call: Call, parameters: Mapping[str, Any]) -> list[Need]:
    account = f"arn:aws:iam::{call.account_id}"
    if "RoleName" in parameters:
        path = parameters.get("Path", "/") if call.operation == "CreateRole" else "/"
        resources = (f"{account}:role{path}{parameters['RoleName']}",)
    elif "PolicyArn" in parameters or "PolicySourceArn" in parameters:
        resources = (parameters.get("PolicyArn") or parameters["PolicySourceArn"],)
    elif "PolicyName" in parameters:
        resources = (f"{account}:policy{parameters.get('Path', '/')}{parameters['PolicyName']}",)
    elif "UserName" in parameters:
        resources = (f"{account}:user/{parameters['UserName']}",)
    else:
        resources = ANY
    context = {"iam:policyarn": (parameters["PolicyArn"],)} if "PolicyArn" in parameters else {}
    return [Need(f"iam:{call.operation}", resources, context)]


def _sts(call: Call, parameters: Mapping[str, Any]) -> list[Need]:
    if call.operation == "GetCallerIdentity":
        return []
    return [Need(f"sts:{call.operation}", (parameters.get("RoleArn") or "*",))]


def _tagging(call: Call, parameters: Mapping[str, Any]) -> list[Need]:
    return [Need(f"tag:{call.operation}")]


# Operation -> action, where S3's action is not named like its operation.
_S3_ACTIONS = {
    "ListBuckets": "ListAllMyBuckets",
    "HeadBucket": "ListBucket",
    "ListObjects": "ListBucket",
    "ListObjectsV2": "ListBucket",
    "ListObjectVersions": "ListBucketVersions",
    "ListMultipartUploads": "ListBucketMultipartUploads",
    "ListParts": "ListMultipartUploadParts",
    "HeadObject": "GetObject",
    "GetObjectAttributes": "GetObject",
    "CopyObject": "PutObject",
    "UploadPart": "PutObject",
    "UploadPartCopy": "PutObject",
    "CreateMultipartUpload": "PutObject",
    "CompleteMultipartUpload": "PutObject",
    "AbortMultipartUpload": "AbortMultipartUpload",
    "DeleteObjects": "DeleteObject",
    "DeleteBucketTagging": "PutBucketTagging",
    "GetBucketEncryption": "GetEncryptionConfiguration",
    "PutBucketEncryption": "PutEncryptionConfiguration",
    "DeleteBucketEncryption": "PutEncryptionConfiguration",
    "GetBucketLifecycleConfiguration": "GetLifecycleConfiguration",
    "PutBucketLifecycleConfiguration": "PutLifecycleConfiguration",
    "DeleteBucketLifecycle": "PutLifecycleConfiguration",
    "GetBucketNotificationConfiguration": "GetBucketNotification",
    "PutBucketNotificationConfiguration": "PutBucketNotification",
    "GetPublicAccessBlock": "GetBucketPublicAccessBlock",
    "PutPublicAccessBlock": "PutBucketPublicAccessBlock",
    "DeletePublicAccessBlock": "PutBucketPublicAccessBlock",
    "GetBucketCors": "GetBucketCORS",
    "PutBucketCors": "PutBucketCORS",
    "DeleteBucketCors": "PutBucketCORS",
}


def _s3(call: Call, parameters: Mapping[str, Any]) -> list[Need]:
    action = "s3:" + _S3_ACTIONS.get(call.operation, call.operation)
    bucket, key = call.path_parameters.get("Bucket", ""), call.path_parameters.get("Key")
    query = parse_qs(call.query, keep_blank_values=True)
    if not bucket:
        return [Need(action)]
    if call.operation == "DeleteObjects":
        keys = [html.unescape(key.decode()) for key in re.findall(rb"<Key>(.*?)</Key>", call.body, re.DOTALL)]
        return [Need(action, (f"arn:aws:s3:::{bucket}/{key}",)) for key in keys]
    resource = f"arn:aws:s3:::{bucket}/{key}" if key else f"arn:aws:s3:::{bucket}"
    context = {f"s3:{name}": (query[name][0],) for name in ("prefix", "delimiter", "max-keys") if name in query}
    found = [Need(action, (resource,), context)]
    source = call.headers.get("x-amz-copy-source")
    if source:
        found.append(Need("s3:GetObject", ("arn:aws:s3:::" + unquote(source).lstrip("/").partition("?")[0],)))
    return found


def _arn(call: Call, resource: str, separator: str = ":") -> str:
    return f"arn:aws:{call.service}:{call.region}:{call.account_id}{separator}{resource}"


def _names(parameters: Mapping[str, Any], name: str) -> list[str]:
    """A list parameter, in JSON or in the query protocol's form."""
    listed = parameters.get(name)
    if isinstance(listed, list):
        return [str(item) for item in listed]
    return [value for key, value in parameters.items() if key.startswith(f"{name}.member.")]


_SERVICES: dict[str, Callable[[Call, Mapping[str, Any]], list[Need]]] = {
    "sns": _sns,
    "sqs": _sqs,
    "firehose": _firehose,
    "lambda": _lambda,
    "apigateway": _apigateway,
    "monitoring": _cloudwatch,
    "logs": _logs,
    "events": _events,
    "sagemaker": _sagemaker,
    "application-autoscaling": _autoscaling,
    "iam": _iam,
    "sts": _sts,
    "tagging": _tagging,
    "s3": _s3,
}
