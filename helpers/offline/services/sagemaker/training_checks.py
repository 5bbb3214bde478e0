"""What CreateTrainingJob looks at before it accepts a job.

Sources of AWS's words, where they are AWS's: issues of aws/amazon-sagemaker-examples (#869, #1740),
aws/sagemaker-python-sdk (#2063, #4939), aws-samples/mlops-amazon-sagemaker (#9) and awslabs/mlspace.
"""

from __future__ import annotations

import re
from typing import Any

from helpers.offline.kernel import AwsError, Kernel
from helpers.offline.services.sagemaker import channels, images, roles
from helpers.offline.services.sagemaker.store import invalid

MOST_HOSTS = 8  # of one job: each is a process on this machine
LONGEST_S, LARGEST_VOLUME_GB = 432_000, 1024  # AWS's default quotas
DEFAULT_RUNTIME_S = 86_400
UNSUPPORTED = ("ServerlessJobConfig", "ModelPackageConfig", "MlflowConfig")
ASK_FOR_MORE = (
    "Please use AWS Service Quotas to request an increase for this quota. If AWS Service Quotas is not available, "
    "contact AWS support to request an increase for this quota."
)
_REGISTRY = re.compile(r"\d+\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.(?P<suffix>[a-z.]+)/.+")


def check(kernel: Kernel, region: str, request: dict[str, Any]) -> images.Image:
    """The algorithm of a job that can be made. Raises AwsError."""
    image = image_of(region, request.get("AlgorithmSpecification", {}))
    _refuse_unsupported(image, request)
    _check_times(request)
    _check_resources(image, request.get("ResourceConfig") or {})
    roles.check_trust(kernel, request["RoleArn"])
    channels.check(kernel, region, request["RoleArn"], request.get("InputDataConfig", []))
    return image


def image_of(region: str, specification: dict[str, Any]) -> images.Image:
    """Raises AwsError where the image is not this region's, or not one that is run here."""
    if "AlgorithmName" in specification:
        raise unsupported("trains with AlgorithmSpecification.TrainingImage, not with AlgorithmName")
    uri = specification.get("TrainingImage", "")
    if ".dkr.ecr." not in uri:
        raise invalid(
            "Invalid training image. Please provide a valid Amazon Elastic Container Registry path of the Docker image "
            "to run."
        )
    registry = _REGISTRY.fullmatch(uri)
    if registry is not None and registry["region"] != region:
        raise invalid(
            f"Invalid DNS suffix '{registry['suffix']}' for region '{registry['region']}' in training image. Please "
            f"provide the valid <region>.<dns-suffix>: '{region}.amazonaws.com'"
        )
    image = images.built_in(uri)
    if image is None:
        raise AwsError("NotImplemented", images.why_not(uri), 501)
    if specification.get("MetricDefinitions"):
        raise invalid(
            "You can't override the metric definitions for Amazon SageMaker algorithms. Please retry the request "
            "without specifying metric definitions."
        )
    return image


def unsupported(what: str) -> AwsError:
    return AwsError("NotImplemented", f"The offline AWS {what}.", 501)


def _refuse_unsupported(image: images.Image, request: dict[str, Any]) -> None:
    if asked := [name for name in UNSUPPORTED if request.get(name)]:
        raise unsupported(f"does not support {', '.join(asked)}")
    modes = {request["AlgorithmSpecification"].get("TrainingInputMode")}
    modes |= {channel.get("InputMode") for channel in request.get("InputDataConfig", [])}
    if "Pipe" in modes and image.algorithm != "xgboost":
        raise unsupported("does not support Pipe mode; use File")
    if {"sagemaker_program", "sagemaker_submit_directory"} & set(request.get("HyperParameters", {})):
        raise unsupported("does not support script mode")
    if request["OutputDataConfig"].get("CompressionType") == "NONE":
        raise unsupported("does not support OutputDataConfig.CompressionType NONE")


def _check_times(request: dict[str, Any]) -> None:
    stopping = request.get("StoppingCondition", {})
    longest_s, wait_s = stopping.get("MaxRuntimeInSeconds", DEFAULT_RUNTIME_S), stopping.get("MaxWaitTimeInSeconds")
    if request.get("EnableManagedSpotTraining"):
        if wait_s is None or wait_s < longest_s:
            raise invalid(
                "Invalid MaxWaitTimeInSeconds. It must be present and be greater than or equal to MaxRuntimeInSeconds"
            )
    elif wait_s is not None:
        raise invalid(
            "Invalid MaxWaitTimeInSeconds. It is only supported when EnableManagedSpotTraining is set to true"
        )
    if longest_s > LONGEST_S:
        raise _beyond("Longest run time for a training job", longest_s, LONGEST_S, "Seconds")


def _check_resources(image: images.Image, resources: dict[str, Any]) -> None:
    for name in ("InstanceGroups", "InstancePreferences", "TrainingPlanArn"):
        if resources.get(name):
            raise unsupported(f"does not support ResourceConfig.{name}")
    if "InstanceType" not in resources or "InstanceCount" not in resources:
        raise invalid("ResourceConfig needs InstanceType and InstanceCount.")
    kind, count = resources["InstanceType"], resources["InstanceCount"]
    if count < 1:
        raise invalid(
            f"1 validation error detected: Value '{count}' at 'resourceConfig.instanceCount' failed to satisfy "
            "constraint: Member must have value greater than or equal to 1"
        )
    if count > 1 and image.algorithm != "xgboost":
        raise unsupported(
            f"does not support InstanceCount {count} for {image.algorithm}; it trains on one host. XGBoost trains on "
            "several"
        )
    if count > MOST_HOSTS:
        raise AwsError(
            "ResourceLimitExceeded",
            f"The account-level service limit '{kind} for training job usage' is {MOST_HOSTS} Instances, with current "
            f"utilization of 0 Instances and a request delta of {count} Instances. {ASK_FOR_MORE}",
        )
    volume_gb = resources.get("VolumeSizeInGB", 0)
    if volume_gb > LARGEST_VOLUME_GB:
        raise _beyond("Size of EBS volume for a training job instance", volume_gb, LARGEST_VOLUME_GB, "GBs")


def _beyond(quota: str, asked: int, most: int, unit: str) -> AwsError:
    return AwsError(
        "ResourceLimitExceeded",
        f"The request delta of {asked} {unit} for '{quota}' is greater than the account-level service-limit of {most} "
        f"{unit}. {ASK_FOR_MORE}",
    )
