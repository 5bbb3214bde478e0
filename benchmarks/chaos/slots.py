"""Things of the offline AWS that hold a number: set by a call that is acknowledged or not, read back after a kill."""

from __future__ import annotations

import hashlib
import json
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from botocore.exceptions import ClientError

GONE = -1  # what a slot reads as where there is nothing


class Torn(Exception):
    """Something is there, and it is not what any call wrote."""


@dataclass
class Slot:
    """`write` makes the slot hold a number and returns when that is acknowledged; `read` tells what it holds."""

    name: str
    write: Callable[[int], None]
    read: Callable[[], int]
    acknowledged: int = GONE
    possible: set[int] = field(default_factory=set)  # written and never acknowledged

    def put(self, number: int) -> None:
        """Raises what the client raises; then the number is a possible one."""
        self.possible.add(number)
        self.write(number)
        self.acknowledged = number
        self.possible.clear()

    def problem(self) -> str | None:
        """After a restart, in words; None where it holds what it must. What it holds counts from now on."""
        try:
            found = self.read()
        except Torn as torn:
            return f"torn: {self.name}: {torn}"
        allowed = {self.acknowledged} | self.possible
        expected = self.acknowledged
        self.acknowledged = found
        self.possible.clear()
        if found in allowed:
            return None
        return f"lost: {self.name} holds {found}, acknowledged was {expected}"


def absent_is_gone(read: Callable[[], int]) -> Callable[[], int]:
    def reading() -> int:
        try:
            return read()
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404 or "NotFound" in code or "NoSuch" in code:
                return GONE
            raise

    return reading


def body_of(number: int, size: int) -> bytes:
    """Says its number and its own hash, so that a torn one is seen."""
    text = b"%d-" % number
    filled = (text * (size // len(text) + 1))[:size]
    return b"%d:%s:" % (number, hashlib.sha256(filled).hexdigest().encode()) + filled


def number_of(body: bytes) -> int:
    number, digest, filled = body.split(b":", 2)
    if hashlib.sha256(filled).hexdigest().encode() != digest:
        raise Torn(f"{len(body)} bytes that begin with {body[:20]!r}")
    return int(number)


def slots(world: Any) -> list[list[Slot]]:
    """By worker: each list is written by one thread. `world` is a `world.World`."""
    return [
        _objects(world),
        _multipart(world),
        _messaging(world),
        _control(world),
        _interfaces(world),
        _models(world),
    ]


# --- S3 ---------------------------------------------------------------------------------------------------------------


def _objects(world: Any) -> list[Slot]:
    s3, bucket = world.client("s3"), world.bucket

    def read(key: str) -> int:
        return number_of(s3.get_object(Bucket=bucket, Key=key)["Body"].read())

    def put_or_delete(key: str, number: int) -> None:
        s3.put_object(Bucket=bucket, Key=key, Body=body_of(number, 2_000))

    def tag(number: int) -> None:
        tags = {"TagSet": [{"Key": "n", "Value": str(number)}]}
        s3.put_object_tagging(Bucket=bucket, Key="tagged", Tagging=tags)

    def tagged() -> int:
        tags = s3.get_object_tagging(Bucket=bucket, Key="tagged")["TagSet"]
        return int(tags[0]["Value"]) if tags else GONE

    def tag_bucket(number: int) -> None:
        s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": [{"Key": "n", "Value": str(number)}]})

    def bucket_tag() -> int:
        return int(s3.get_bucket_tagging(Bucket=bucket)["TagSet"][0]["Value"])

    def versioned(number: int) -> None:
        s3.put_object(Bucket=world.versioned_bucket, Key="one", Body=body_of(number, 100))

    def version() -> int:
        return number_of(s3.get_object(Bucket=world.versioned_bucket, Key="one")["Body"].read())

    small = [
        Slot(f"object small/{n}", partial(put_or_delete, f"small/{n}"), absent_is_gone(partial(read, f"small/{n}")))
        for n in range(6)
    ]
    large = Slot(
        "large object",
        lambda number: s3.put_object(Bucket=bucket, Key="large", Body=body_of(number, 3_000_000)),
        absent_is_gone(partial(read, "large")),
    )

    def come_and_go(number: int) -> None:
        if number % 2:
            s3.delete_object(Bucket=bucket, Key="comes-and-goes")
        else:
            s3.put_object(Bucket=bucket, Key="comes-and-goes", Body=body_of(number, 500))

    def is_there() -> int:
        return absent_is_gone(partial(read, "comes-and-goes"))()

    return [
        *small,
        large,
        GoingSlot("object that comes and goes", come_and_go, is_there),
        Slot("tags of an object", tag, absent_is_gone(tagged)),
        Slot("tags of a bucket", tag_bucket, absent_is_gone(bucket_tag)),
        Slot("object of a versioned bucket", versioned, absent_is_gone(version)),
    ]


class GoingSlot(Slot):
    """An odd number takes the thing away."""

    def put(self, number: int) -> None:
        self.possible.add(GONE if number % 2 else number)
        self.write(number)
        self.acknowledged = GONE if number % 2 else number
        self.possible.clear()


def _multipart(world: Any) -> list[Slot]:
    s3, bucket = world.client("s3"), world.bucket

    def write(number: int) -> None:
        whole = body_of(number, 5_500_000)
        place = {"Bucket": bucket, "Key": "multipart"}
        upload = s3.create_multipart_upload(**place)["UploadId"]
        parts = []
        for position, piece in enumerate((whole[:5_242_880], whole[5_242_880:]), 1):
            etag = s3.upload_part(**place, UploadId=upload, PartNumber=position, Body=piece)["ETag"]
            parts.append({"PartNumber": position, "ETag": etag})
        s3.complete_multipart_upload(**place, UploadId=upload, MultipartUpload={"Parts": parts})

    def read() -> int:
        return number_of(s3.get_object(Bucket=bucket, Key="multipart")["Body"].read())

    def begin(number: int) -> None:
        """A multipart upload that stays open, with one part: its number in the part's size."""
        if not world.open_upload:
            world.open_upload = s3.create_multipart_upload(Bucket=bucket, Key="open")["UploadId"]
        body = b"x" * (1 + number % 50_000)
        s3.upload_part(Bucket=bucket, Key="open", UploadId=world.open_upload, PartNumber=1, Body=body)

    def part() -> int:
        if not world.open_upload:
            return GONE
        parts = s3.list_parts(Bucket=bucket, Key="open", UploadId=world.open_upload).get("Parts", [])
        return parts[0]["Size"] - 1 if parts else GONE

    return [Slot("multipart object", write, absent_is_gone(read)), ModuloSlot("part of an open upload", begin, part)]


class ModuloSlot(Slot):
    """Keeps the number modulo 50,000."""

    def put(self, number: int) -> None:
        super().put(number % 50_000)


# --- Resources --------------------------------------------------------------------------------------------------------


def _messaging(world: Any) -> list[Slot]:
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
    ]


def _control(world: Any) -> list[Slot]:
    iam, cloudwatch, logs = (world.client(name) for name in ("iam", "cloudwatch", "logs"))
    lambda_, scaling = world.client("lambda"), world.client("application-autoscaling")

    def role_policy(number: int) -> None:
        statement = {"Sid": f"n{number}", "Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        iam.put_role_policy(RoleName=world.role_name, PolicyName="slot", PolicyDocument=document)

    def policy() -> int:
        document = iam.get_role_policy(RoleName=world.role_name, PolicyName="slot")["PolicyDocument"]
        return int(document["Statement"][0]["Sid"][1:])

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
    ]


def _interfaces(world: Any) -> list[Slot]:
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

    return [Slot("deployed API", deploy, deployed)]


def _models(world: Any) -> list[Slot]:
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
