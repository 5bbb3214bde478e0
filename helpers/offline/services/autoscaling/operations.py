"""Application Auto Scaling's operations."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from helpers.offline.kernel import AwsError, Call, Kernel
from helpers.offline.services.autoscaling import alarms
from helpers.offline.services.autoscaling.pages import paged
from helpers.offline.services.autoscaling.records import DIMENSION, NAMESPACE, Policy, Target
from helpers.offline.services.autoscaling.scaling import Scaling

METRIC = "SageMakerVariantInvocationsPerInstance"
BURSTABLE = ("ml.t2.", "ml.t3.")  # https://docs.aws.amazon.com/sagemaker/latest/dg/endpoint-auto-scaling.html


class Operations:
    def __init__(self, kernel: Kernel, scaling: Scaling) -> None:
        self.kernel = kernel
        self.scaling = scaling

    def table(self) -> dict[str, Callable[[Call, dict[str, Any]], dict[str, Any] | None]]:
        return {
            "RegisterScalableTarget": self.register,
            "DescribeScalableTargets": self.describe_targets,
            "DeregisterScalableTarget": self.deregister,
            "PutScalingPolicy": self.put_policy,
            "DescribeScalingPolicies": self.describe_policies,
            "DeleteScalingPolicy": self.delete_policy,
            "DescribeScalingActivities": self.describe_activities,
            "TagResource": self.tag,
            "UntagResource": self.untag,
            "ListTagsForResource": self.list_tags,
        }

    def register(self, call: Call, request: dict[str, Any]) -> dict[str, Any]:
        _supported(request)
        resource = request["ResourceId"]
        parts = resource.split("/")
        if len(parts) != 4 or parts[0] != "endpoint" or parts[2] != "variant":
            raise AwsError("ValidationException", f"Unsupported resource ID: {resource}")
        instances = self.kernel.ports.endpoints.instances(call.region, parts[1], parts[3])
        if instances is None:
            raise AwsError("ValidationException", f"Variant {parts[3]} of endpoint {parts[1]} does not exist.")
        kind = self.kernel.ports.endpoints.instance_type(call.region, parts[1], parts[3])
        if kind.startswith(BURSTABLE):
            raise AwsError(
                "ValidationException",
                f"You cannot register a variant with {kind} instance type as a scalable target. This is because the "
                "burstable performance of these instances can lead to unpredictable behavior with Auto Scaling.",
            )
        with self.scaling.lock:
            target = self.scaling.targets.get((call.region, resource))
            least = request.get("MinCapacity", target.least if target else None)
            most = request.get("MaxCapacity", target.most if target else None)
            if least is None or most is None:
                raise AwsError("ValidationException", "A new scalable target needs MinCapacity and MaxCapacity.")
            if least < 1 or least > most:
                raise AwsError("ValidationException", "Minimum capacity must be from 1 to the maximum capacity.")
            if target is None:
                target = self._new_target(call, resource, least, most)
                self.scaling.targets[call.region, resource] = target
            target.least, target.most = least, most
            target.suspended = request.get("SuspendedState", target.suspended)
            target.tags |= request.get("Tags", {})
        self.scaling.into_bounds(target)
        return {"ScalableTargetARN": target.arn}

    def _new_target(self, call: Call, resource: str, least: int, most: int) -> Target:
        account = call.account_id
        arn = f"arn:aws:application-autoscaling:{call.region}:{account}:scalable-target/{uuid.uuid4().hex[:27]}"
        name = "AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint"
        path = "aws-service-role/sagemaker.application-autoscaling.amazonaws.com"
        return Target(call.region, resource, arn, least, most, f"arn:aws:iam::{account}:role/{path}/{name}")

    def describe_targets(self, call: Call, request: dict[str, Any]) -> dict[str, Any]:
        wanted = request.get("ResourceIds")
        shown = [
            {
                "ServiceNamespace": NAMESPACE,
                "ResourceId": target.resource,
                "ScalableDimension": DIMENSION,
                "MinCapacity": target.least,
                "MaxCapacity": target.most,
                "RoleARN": target.role,
                "CreationTime": target.created,
                "SuspendedState": {
                    "DynamicScalingInSuspended": False,
                    "DynamicScalingOutSuspended": False,
                    "ScheduledScalingSuspended": False,
                    **target.suspended,
                },
                "ScalableTargetARN": target.arn,
            }
            for target in self._targets(call, request)
            if wanted is None or target.resource in wanted
        ]
        return paged(request, "ScalableTargets", shown, "ScalableTargetARN")

    def deregister(self, call: Call, request: dict[str, Any]) -> None:
        target = self.scaling.targets.get((call.region, request["ResourceId"]))
        if target is None:
            raise _missing("scalable target found", request)
        self.scaling.forget(target)

    def put_policy(self, call: Call, request: dict[str, Any]) -> dict[str, Any]:
        _supported(request)
        target = self._target(call, request)
        if request.get("PolicyType", "StepScaling") != "TargetTrackingScaling":
            raise AwsError("NotImplemented", "The offline AWS supports TargetTrackingScaling only.", 501)
        config = request.get("TargetTrackingScalingPolicyConfiguration")
        if not config:
            raise AwsError("ValidationException", "TargetTrackingScalingPolicyConfiguration is required.")
        _check_metric(config)
        with self.scaling.lock:
            name = request["PolicyName"]
            policy = target.policies.get(name)
            if policy is None:
                identity = uuid.uuid4()
                arn = (
                    f"arn:aws:autoscaling:{call.region}:{call.account_id}:scalingPolicy:{identity}:resource/"
                    f"{NAMESPACE}/{target.resource}:policyName/{name}"
                )
                policy = target.policies[name] = Policy(arn, name, config)
            policy.config = config
            alarms.delete(call.account_id, target, policy)
            alarms.put(call.account_id, target, policy)
        self.kernel.mark_dirty("monitoring")
        return {"PolicyARN": policy.arn, "Alarms": policy.alarms}

    def describe_policies(self, call: Call, request: dict[str, Any]) -> dict[str, Any]:
        names = request.get("PolicyNames")
        shown = [
            {
                "PolicyARN": policy.arn,
                "PolicyName": policy.name,
                "ServiceNamespace": NAMESPACE,
                "ResourceId": target.resource,
                "ScalableDimension": DIMENSION,
                "PolicyType": "TargetTrackingScaling",
                "TargetTrackingScalingPolicyConfiguration": policy.config,
                "Alarms": policy.alarms,
                "CreationTime": policy.created,
            }
            for target in self._targets(call, request)
            for policy in target.policies.values()
            if names is None or policy.name in names
        ]
        return paged(request, "ScalingPolicies", shown, "PolicyARN")

    def delete_policy(self, call: Call, request: dict[str, Any]) -> None:
        target = self.scaling.targets.get((call.region, request["ResourceId"]))
        with self.scaling.lock:
            policy = target.policies.pop(request["PolicyName"], None) if target else None
            if target is None or policy is None:
                raise _missing("scaling policy found", request, f", policy name: {request['PolicyName']}")
            alarms.delete(call.account_id, target, policy)
        self.kernel.mark_dirty("monitoring")

    def describe_activities(self, call: Call, request: dict[str, Any]) -> dict[str, Any]:
        found = [activity for target in self._targets(call, request) for activity in target.activities]
        newest_first = sorted(found, key=lambda activity: activity["StartTime"], reverse=True)
        return paged(request, "ScalingActivities", newest_first, "ActivityId")

    def tag(self, call: Call, request: dict[str, Any]) -> None:
        self._by_arn(request).tags |= request["Tags"]

    def untag(self, call: Call, request: dict[str, Any]) -> None:
        target = self._by_arn(request)
        target.tags = {key: value for key, value in target.tags.items() if key not in request["TagKeys"]}

    def list_tags(self, call: Call, request: dict[str, Any]) -> dict[str, Any]:
        return {"Tags": self._by_arn(request).tags}

    def _targets(self, call: Call, request: dict[str, Any]) -> list[Target]:
        """Those of the region that still exist; of one resource where the request names it."""
        resource = request.get("ResourceId")
        held = [target for target in list(self.scaling.targets.values()) if target.region == call.region]
        for target in held:
            if self.kernel.ports.endpoints.instances(target.region, target.endpoint, target.variant) is None:
                self.scaling.forget(target)  # its endpoint or variant is gone
                held = [other for other in held if other is not target]
        return [target for target in held if resource in (None, target.resource)]

    def _target(self, call: Call, request: dict[str, Any]) -> Target:
        target = self.scaling.targets.get((call.region, request["ResourceId"]))
        if target is None:
            raise _missing("scalable target registered", request)
        return target

    def _by_arn(self, request: dict[str, Any]) -> Target:
        for target in list(self.scaling.targets.values()):
            if target.arn == request["ResourceARN"]:
                return target
        raise AwsError("ResourceNotFoundException", f"The resource {request['ResourceARN']} was not found.")


def _missing(what: str, request: dict[str, Any], more: str = "") -> AwsError:
    return AwsError(
        "ObjectNotFoundException",
        f"No {what} for service namespace: {request['ServiceNamespace']}, resource ID: {request['ResourceId']}, "
        f"scalable dimension: {request['ScalableDimension']}{more}",
    )


def _check_metric(config: dict[str, Any]) -> None:
    """Raises AwsError for a target-tracking configuration without one metric that the offline AWS can follow."""
    predefined, customized = config.get("PredefinedMetricSpecification"), config.get("CustomizedMetricSpecification")
    if (predefined is None) == (customized is None):
        raise AwsError(
            "ValidationException",
            "Exactly one of PredefinedMetricSpecification and CustomizedMetricSpecification must be specified.",
        )
    if predefined is not None and predefined["PredefinedMetricType"] != METRIC:
        raise AwsError("NotImplemented", f"The offline AWS tracks the predefined metric {METRIC} only.", 501)
    if customized is not None and ("Metrics" in customized or "MetricName" not in customized):
        raise AwsError("NotImplemented", "The offline AWS tracks one metric, no expressions over several.", 501)


def _supported(request: dict[str, Any]) -> None:
    if request["ServiceNamespace"] != NAMESPACE or request["ScalableDimension"] != DIMENSION:
        raise AwsError(
            "NotImplemented", f"The offline AWS scales {NAMESPACE} with the dimension {DIMENSION} only.", 501
        )
