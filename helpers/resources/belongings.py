"""What a participant can own: how each kind of resource is listed and deleted, in the order in which it must go."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from botocore.exceptions import ClientError

from helpers.resources import buckets
from helpers.workshop import Workshop

TRAINING_LOGS = "/aws/sagemaker/TrainingJobs"  # one log group for all training jobs of an account


@dataclass(frozen=True)
class Item:
    """One resource: `id` is what its deletion wants, `name` what a person knows it by."""

    id: str
    name: str


@dataclass(frozen=True)
class Kind:
    """A kind of resource: `list` yields all of the region, `delete` takes the id of one.

    `arn` finds the id in an ARN of this kind, for what carries your tags but not your name.
    `slow` kinds go on existing for a while after they were deleted, and block what comes after them.
    `worldwide` kinds belong to no region.
    """

    label: str
    list: Callable[[Workshop, str], Iterable[Item]]
    delete: Callable[[Workshop, str, str], None]
    arn: str = "(?!)"
    slow: bool = False
    worldwide: bool = False

    def owned(self, ws: Workshop, region: str, tagged: Iterable[str]) -> list[Item]:
        """What exists in the region and is yours by its name, or by the tags of the ARNs in `tagged`."""
        by_tag = {match[1] for arn in tagged if (match := re.search(self.arn, arn))}
        items = [item for item in self.list(ws, region) if ws.prefix in item.name.lower() or item.id in by_tag]
        return sorted(items, key=lambda item: item.name)


def tagged_arns(ws: Workshop, region: str) -> list[str]:
    """The ARNs that carry both tags of this participant; on AWS what was deleted stays listed for a while."""
    filters = [{"Key": key, "Values": [value]} for key, value in ws.tag_map.items()]
    pages = ws.client("resourcegroupstaggingapi", region).get_paginator("get_resources").paginate(TagFilters=filters)
    return [entry["ResourceARN"] for page in pages for entry in page["ResourceTagMappingList"]]


def pages(service: str, operation: str, result: str, id_field: str, name_field: str = "", **arguments: str) -> Callable:
    """A listing that takes one field as the id and one as the name from each entry of a paginated answer."""

    def entries(ws: Workshop, region: str) -> Iterator[Item]:
        for page in ws.client(service, region).get_paginator(operation).paginate(**arguments):
            for entry in page.get(result, []):
                yield Item(entry[id_field], entry[name_field or id_field])

    return entries


def call(service: str, operation: str, argument: str) -> Callable:
    """A deletion that is one call with the id as its one argument."""

    def delete(ws: Workshop, region: str, id: str) -> None:
        getattr(ws.client(service, region), operation)(**{argument: id})

    return delete


def _subscriptions(ws: Workshop, region: str) -> Iterator[Item]:
    for page in ws.client("sns", region).get_paginator("list_subscriptions").paginate():
        for entry in page["Subscriptions"]:
            if entry["SubscriptionArn"].startswith("arn:"):  # else it waits for confirmation or is deleted
                yield Item(entry["SubscriptionArn"], f"{entry['TopicArn']} to {entry['Endpoint'].rsplit(':', 1)[-1]}")


def _streams(ws: Workshop, region: str) -> Iterator[Item]:
    client, last = ws.client("firehose", region), {}
    while True:
        answer = client.list_delivery_streams(Limit=100, **last)
        yield from (Item(name, name) for name in answer["DeliveryStreamNames"])
        if not answer["HasMoreDeliveryStreams"]:
            return
        last = {"ExclusiveStartDeliveryStreamName": answer["DeliveryStreamNames"][-1]}


def _training_log_streams(ws: Workshop, region: str) -> Iterator[Item]:
    arguments = {"logGroupName": TRAINING_LOGS, "logStreamNamePrefix": ws.prefix}
    try:
        yield from pages("logs", "describe_log_streams", "logStreams", "logStreamName", **arguments)(ws, region)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFoundException":
            raise


def _deregister(ws: Workshop, region: str, id: str) -> None:
    dimension = "sagemaker:variant:DesiredInstanceCount"
    client = ws.client("application-autoscaling", region)
    client.deregister_scalable_target(ServiceNamespace="sagemaker", ResourceId=id, ScalableDimension=dimension)


def _delete_alarm(ws: Workshop, region: str, id: str) -> None:
    ws.client("cloudwatch", region).delete_alarms(AlarmNames=[id])


def _delete_dashboard(ws: Workshop, region: str, id: str) -> None:
    ws.client("cloudwatch", region).delete_dashboards(DashboardNames=[id])


def _delete_rule(ws: Workshop, region: str, id: str) -> None:
    events = ws.client("events", region)
    targets = [target["Id"] for target in events.list_targets_by_rule(Rule=id)["Targets"]]
    if targets:
        events.remove_targets(Rule=id, Ids=targets)
    events.delete_rule(Name=id)


def _delete_log_stream(ws: Workshop, region: str, id: str) -> None:
    ws.client("logs", region).delete_log_stream(logGroupName=TRAINING_LOGS, logStreamName=id)


def _delete_bucket(ws: Workshop, region: str, id: str) -> None:
    buckets.empty(ws, id)
    ws.client("s3", region).delete_bucket(Bucket=id)


def _delete_role(ws: Workshop, region: str, id: str) -> None:
    iam = ws.client("iam", region)
    for policy in iam.list_role_policies(RoleName=id)["PolicyNames"]:
        iam.delete_role_policy(RoleName=id, PolicyName=policy)
    for policy in iam.list_attached_role_policies(RoleName=id)["AttachedPolicies"]:
        iam.detach_role_policy(RoleName=id, PolicyArn=policy["PolicyArn"])
    iam.delete_role(RoleName=id)


KINDS = (
    Kind(
        "scaling target",
        pages(
            "application-autoscaling",
            "describe_scalable_targets",
            "ScalableTargets",
            "ResourceId",
            ServiceNamespace="sagemaker",
        ),
        _deregister,
    ),
    Kind("alarm", pages("cloudwatch", "describe_alarms", "MetricAlarms", "AlarmName"), _delete_alarm, r":alarm:(.+)$"),
    Kind(
        "dashboard",
        pages("cloudwatch", "list_dashboards", "DashboardEntries", "DashboardName"),
        _delete_dashboard,
        r":dashboard/(.+)$",
    ),
    Kind("event rule", pages("events", "list_rules", "Rules", "Name"), _delete_rule, r":events:.*:rule/(.+)$"),
    Kind("subscription", _subscriptions, call("sns", "unsubscribe", "SubscriptionArn")),
    Kind(
        "topic",
        pages("sns", "list_topics", "Topics", "TopicArn"),
        call("sns", "delete_topic", "TopicArn"),
        r"^(arn:[^:]+:sns:[^:]*:[^:]*:[^:]+)$",
    ),
    Kind(
        "REST API",
        pages("apigateway", "get_rest_apis", "items", "id", "name"),
        call("apigateway", "delete_rest_api", "restApiId"),
        r":apigateway:.*:/restapis/([^/]+)$",
    ),
    Kind(
        "function",
        pages("lambda", "list_functions", "Functions", "FunctionName"),
        call("lambda", "delete_function", "FunctionName"),
        r":lambda:.*:function:([^:]+)$",
    ),
    Kind(
        "running training job",
        pages("sagemaker", "list_training_jobs", "TrainingJobSummaries", "TrainingJobName", StatusEquals="InProgress"),
        call("sagemaker", "stop_training_job", "TrainingJobName"),
        r":sagemaker:.*:training-job/(.+)$",
        slow=True,
    ),
    Kind(
        "endpoint",
        pages("sagemaker", "list_endpoints", "Endpoints", "EndpointName"),
        call("sagemaker", "delete_endpoint", "EndpointName"),
        r":sagemaker:.*:endpoint/(.+)$",
        slow=True,
    ),
    Kind(
        "endpoint configuration",
        pages("sagemaker", "list_endpoint_configs", "EndpointConfigs", "EndpointConfigName"),
        call("sagemaker", "delete_endpoint_config", "EndpointConfigName"),
        r":sagemaker:.*:endpoint-config/(.+)$",
    ),
    Kind(
        "model",
        pages("sagemaker", "list_models", "Models", "ModelName"),
        call("sagemaker", "delete_model", "ModelName"),
        r":sagemaker:.*:model/(.+)$",
    ),
    Kind(
        "delivery stream",
        _streams,
        call("firehose", "delete_delivery_stream", "DeliveryStreamName"),
        r":deliverystream/(.+)$",
        slow=True,
    ),
    Kind(
        "log group",
        pages("logs", "describe_log_groups", "logGroups", "logGroupName"),
        call("logs", "delete_log_group", "logGroupName"),
        r":logs:.*:log-group:([^:]+)",
    ),
    Kind("training log", _training_log_streams, _delete_log_stream),
    Kind("bucket", pages("s3", "list_buckets", "Buckets", "Name"), _delete_bucket, r":s3:::([^/]+)$", worldwide=True),
    Kind("role", pages("iam", "list_roles", "Roles", "RoleName"), _delete_role, r":iam:.*:role/(.+)$", worldwide=True),
)
