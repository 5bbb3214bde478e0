"""Resources that hold a number: topics, queues, rules, roles, alarms, functions, APIs, endpoints."""

from __future__ import annotations

import json
import urllib.request
from typing import Any

from benchmarks.chaos.slots import GONE, Slot, Torn, absent_is_gone
from benchmarks.chaos.world import zipped


def messaging(world: Any) -> list[Slot]:
    sns, sqs, firehose, events = (world.client(name) for name in ("sns", "sqs", "firehose", "events"))
    topic, queue, stream = world.slot_topic, world.slot_queue, world.slot_stream

    def create_topic(number: int) -> None:
        sns.create_topic(Name=f"made-{number}")

    made = Slot("topic by name", create_topic, lambda: _newest(sns))

    def _newest(client: Any) -> int:
        pages = client.get_paginator("list_topics").paginate()
        names = [one["TopicArn"].rpartition(":")[2] for page in pages for one in page["Topics"]]
        numbers = [int(name.partition("-")[2]) for name in names if name.startswith("made-")]
        return max(numbers, default=GONE)

    def stream_hints(number: int) -> None:
        held = firehose.describe_delivery_stream(DeliveryStreamName=stream)["DeliveryStreamDescription"]
        firehose.update_destination(
            DeliveryStreamName=stream,
            CurrentDeliveryStreamVersionId=held["VersionId"],
            DestinationId=held["Destinations"][0]["DestinationId"],
            ExtendedS3DestinationUpdate={"Prefix": f"slot-{number}/"},
        )

    def stream_prefix() -> int:
        held = firehose.describe_delivery_stream(DeliveryStreamName=stream)["DeliveryStreamDescription"]
        prefix = held["Destinations"][0]["ExtendedS3DestinationDescription"].get("Prefix", "")
        return int(prefix.strip("/").rpartition("-")[2]) if "-" in prefix else GONE

    def put_rule(number: int) -> None:
        events.put_rule(Name="slot", EventPattern=json.dumps({"source": [f"s-{number}"]}))

    def rule() -> int:
        return int(json.loads(events.describe_rule(Name="slot")["EventPattern"])["source"][0][2:])

    return [
        made,
        Slot(
            "attribute of a topic",
            lambda n: sns.set_topic_attributes(TopicArn=topic, AttributeName="DisplayName", AttributeValue=str(n)),
            lambda: int(sns.get_topic_attributes(TopicArn=topic)["Attributes"].get("DisplayName") or GONE),
        ),
        Slot(
            "tags of a topic by the tagging service",
            lambda n: world.client("resourcegroupstaggingapi").tag_resources(
                ResourceARNList=[topic], Tags={"n": str(n)}
            ),
            lambda: int(
                {one["Key"]: one["Value"] for one in sns.list_tags_for_resource(ResourceArn=topic)["Tags"]}.get(
                    "n", GONE
                )
            ),
        ),
        Slot(
            "tags of a queue",
            lambda n: sqs.tag_queue(QueueUrl=queue, Tags={"n": str(n)}),
            lambda: int(sqs.list_queue_tags(QueueUrl=queue).get("Tags", {}).get("n", GONE)),
        ),
        Slot("destination of a stream", stream_hints, stream_prefix),
        Slot("rule", put_rule, absent_is_gone(rule)),
        Slot(
            "attribute of a queue",
            lambda n: sqs.set_queue_attributes(QueueUrl=queue, Attributes={"VisibilityTimeout": str(n % 40_000)}),
            lambda: int(
                sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"]["VisibilityTimeout"]
            ),
            acknowledged=30,
        ),
        Slot(
            "attribute of a subscription",
            lambda n: sns.set_subscription_attributes(
                SubscriptionArn=world.slot_subscription,
                AttributeName="FilterPolicy",
                AttributeValue=json.dumps({"n": [str(n)]}),
            ),
            lambda: filtered(sns.get_subscription_attributes(SubscriptionArn=world.slot_subscription)["Attributes"]),
        ),
    ]


def filtered(attributes: dict[str, str]) -> int:
    policy = json.loads(attributes.get("FilterPolicy") or "{}")
    return int(policy["n"][0]) if policy else GONE


def control(world: Any) -> list[Slot]:
    iam, cloudwatch, logs = (world.client(name) for name in ("iam", "cloudwatch", "logs"))
    lambda_, scaling = world.client("lambda"), world.client("application-autoscaling")

    def role_policy(number: int) -> None:
        statement = {"Sid": f"n{number}", "Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        iam.put_role_policy(RoleName=world.role_name, PolicyName="slot", PolicyDocument=document)

    def policy() -> int:
        document = iam.get_role_policy(RoleName=world.role_name, PolicyName="slot")["PolicyDocument"]
        return int(document["Statement"][0]["Sid"][1:])

    def tag_role(number: int) -> None:
        iam.tag_role(RoleName=world.role_name, Tags=[{"Key": "n", "Value": str(number)}])

    def role_tag() -> int:
        tags = iam.list_role_tags(RoleName=world.role_name)["Tags"]
        return int(tags[0]["Value"]) if tags else GONE

    def managed(number: int) -> None:
        """A policy of its own, taken from the role again with the next one."""
        statement = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        arn = iam.create_policy(PolicyName=f"managed-{number}", PolicyDocument=document)["Policy"]["Arn"]
        iam.attach_role_policy(RoleName=world.slot_role, PolicyArn=arn)
        attached = iam.list_attached_role_policies(RoleName=world.slot_role)["AttachedPolicies"]
        for one in attached:
            if one["PolicyArn"] != arn:
                iam.detach_role_policy(RoleName=world.slot_role, PolicyArn=one["PolicyArn"])
                iam.delete_policy(PolicyArn=one["PolicyArn"])

    def newest_managed() -> int:
        attached = iam.list_attached_role_policies(RoleName=world.slot_role)["AttachedPolicies"]
        return max((int(one["PolicyName"].partition("-")[2]) for one in attached), default=GONE)

    def dashboard(number: int) -> None:
        widget = {"type": "text", "width": 6, "height": 6, "properties": {"markdown": str(number)}}
        cloudwatch.put_dashboard(DashboardName="slot", DashboardBody=json.dumps({"widgets": [widget]}))

    def shown() -> int:
        body = json.loads(cloudwatch.get_dashboard(DashboardName="slot")["DashboardBody"])
        return int(body["widgets"][0]["properties"]["markdown"])

    def code(number: int) -> None:
        lambda_.update_function_code(
            FunctionName=world.slot_function,
            ZipFile=zipped("keep.py", f"def handler(event, context):\n    return {number}\n"),
        )

    def returned() -> int:
        found = json.load(lambda_.invoke(FunctionName=world.slot_function)["Payload"])
        if not isinstance(found, int):
            raise Torn(f"the function answers {found}")
        return found

    def alarm(number: int) -> None:
        cloudwatch.put_metric_alarm(
            AlarmName="slot",
            Namespace="Chaos",
            MetricName="Value",
            Statistic="Average",
            Period=60,
            EvaluationPeriods=1,
            Threshold=number,
            ComparisonOperator="GreaterThanThreshold",
        )

    def threshold() -> int:
        found = cloudwatch.describe_alarms(AlarmNames=["slot"])["MetricAlarms"]
        return int(found[0]["Threshold"]) if found else GONE

    def variable() -> int:
        held = lambda_.get_function_configuration(FunctionName=world.function)
        return int(held.get("Environment", {}).get("Variables", {}).get("NUMBER", GONE))

    def log_group(number: int) -> None:
        logs.tag_log_group(logGroupName=world.log_group, tags={"n": str(number)})

    place = {
        "ServiceNamespace": "sagemaker",
        "ResourceId": f"endpoint/{world.scaled_endpoint}/variant/one",
        "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
    }

    def target(number: int) -> None:
        scaling.register_scalable_target(**place, MinCapacity=1, MaxCapacity=1 + number)
        scaling.put_scaling_policy(
            **place,
            PolicyName="slot",
            PolicyType="TargetTrackingScaling",
            TargetTrackingScalingPolicyConfiguration={
                "TargetValue": float(number + 1),
                "PredefinedMetricSpecification": {
                    "PredefinedMetricType": "SageMakerVariantInvocationsPerInstance",
                },
            },
        )

    def target_value() -> int:
        """Of the policy, if both of its alarms are there and say the same."""
        found = scaling.describe_scaling_policies(ServiceNamespace="sagemaker")["ScalingPolicies"]
        if not found:
            return GONE
        value = found[0]["TargetTrackingScalingPolicyConfiguration"]["TargetValue"]
        names = [one["AlarmName"] for one in found[0]["Alarms"]]
        alarms = cloudwatch.describe_alarms(AlarmNames=names)["MetricAlarms"]
        high = [one["Threshold"] for one in alarms if "High" in one["AlarmName"]]
        if len(alarms) != 2 or high != [value]:
            raise Torn(f"policy for {value}, alarms {[(one['AlarmName'], one['Threshold']) for one in alarms]}")
        return int(value) - 1

    return [
        Slot("policy of a role", role_policy, absent_is_gone(policy)),
        Slot("alarm", alarm, threshold),
        Slot(
            "variable of a function",
            lambda n: lambda_.update_function_configuration(
                FunctionName=world.function, Environment={"Variables": world.function_variables | {"NUMBER": str(n)}}
            ),
            variable,
        ),
        Slot(
            "tags of a log group",
            log_group,
            lambda: int(logs.list_tags_log_group(logGroupName=world.log_group)["tags"].get("n", GONE)),
        ),
        Slot("scaling policy with its alarms", target, target_value),
        Slot("tags of a role", tag_role, role_tag),
        Slot("policies attached to a role", managed, newest_managed),
        Slot("dashboard", dashboard, absent_is_gone(shown)),
        Slot("code of a function", code, returned),
    ]


def interfaces(world: Any) -> list[Slot]:
    api = world.client("apigateway")

    def deploy(number: int) -> None:
        api.put_integration_response(
            restApiId=world.api,
            resourceId=world.api_root,
            httpMethod="GET",
            statusCode="200",
            responseTemplates={"application/json": json.dumps({"n": number})},
        )
        api.create_deployment(restApiId=world.api, stageName="live")

    def deployed() -> int:
        url = f"{world.url}/restapis/{world.api}/live/_user_request_/"
        try:
            with urllib.request.urlopen(url, timeout=30) as answer:
                return int(json.load(answer)["n"])
        except urllib.error.HTTPError as error:
            if error.code in (403, 404):
                return GONE
            raise

    def stage_variable(number: int) -> None:
        change = {"op": "replace", "path": "/variables/n", "value": str(number)}
        api.update_stage(restApiId=world.api, stageName="fixed", patchOperations=[change])

    def variable() -> int:
        return int(api.get_stage(restApiId=world.api, stageName="fixed").get("variables", {}).get("n", GONE))

    return [
        Slot("deployed API", deploy, deployed),
        Slot("variable of a stage", stage_variable, variable),
    ]


def models(world: Any) -> list[Slot]:
    sagemaker = world.client("sagemaker")

    def config(number: int) -> None:
        world.make_endpoint_config(f"config-{number}")

    def newest_config() -> int:
        newest = {"SortBy": "CreationTime", "SortOrder": "Descending", "MaxResults": 5}
        found = sagemaker.list_endpoint_configs(NameContains="config-", **newest)["EndpointConfigs"]
        return max((int(one["EndpointConfigName"].partition("-")[2]) for one in found), default=GONE)

    def update(number: int) -> None:
        """The endpoint with a configuration of its own; acknowledged when it is accepted, as on AWS."""
        world.make_endpoint_config(f"serves-{number}")
        world.settled(world.endpoint)
        sagemaker.update_endpoint(EndpointName=world.endpoint, EndpointConfigName=f"serves-{number}")

    def serves() -> int:
        found = world.settled(world.endpoint)
        if found["EndpointStatus"] != "InService":
            raise Torn(f"{world.endpoint} is {found['EndpointStatus']}: {found.get('FailureReason')}")
        name = found["EndpointConfigName"]
        return int(name.partition("-")[2]) if name.startswith("serves-") else GONE

    return [Slot("endpoint configuration", config, newest_config), Slot("endpoint", update, serves)]


def tags_of_model(world: Any) -> list[Slot]:
    sagemaker, arn = world.client("sagemaker"), "arn:aws:sagemaker:us-east-1:123456789012:model/model"

    def tag(number: int) -> None:
        sagemaker.add_tags(ResourceArn=arn, Tags=[{"Key": "n", "Value": str(number)}])

    def tagged() -> int:
        tags = sagemaker.list_tags(ResourceArn=arn)["Tags"]
        return int(tags[0]["Value"]) if tags else GONE

    return [Slot("tags of a model", tag, tagged)]
