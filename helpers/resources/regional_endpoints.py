"""The live model in a second region: its artifact copied there, a model, an endpoint configuration, an endpoint."""

import time
from dataclasses import dataclass

from botocore.exceptions import ClientError

from helpers.resources import buckets, roles
from helpers.resources.model_training import ENDPOINT, INSTANCE, LONGEST_WAIT_S, unless_it_exists
from helpers.workshop import Workshop

VARIANT = "v1"
SERVICE_TIME_MS = 100  # offline; on AWS an instance is as quick as it is
SERVICE_TIME_TAG = "offline-service-time-ms"
BUSY = ("Creating", "Updating", "RollingBack", "SystemUpdating")
IMAGES = {"sagemaker-xgboost": "xgboost", "linear-learner": "linear-learner", "knn": "knn"}


@dataclass(frozen=True, slots=True)
class LiveModel:
    """What the live endpoint of the home region serves: the model's name, the S3 address of its artifact, its image."""

    name: str
    artifact: str
    image: str


def deploy(ws: Workshop, region: str, *, service_time_ms: float = SERVICE_TIME_MS) -> str:
    """Serve the live model in `region` too, at an endpoint of the same name; wait until it serves; its name.

    Parameters
    ----------
    region : any region but the home region, for instance "eu-west-1"
    service_time_ms : how long an instance works on one request offline, told by a tag that AWS ignores

    Raises
    ------
    ValueError : the region is the home region
    RuntimeError : the endpoint failed; the message holds SageMaker's reason
    """
    if region == ws.region:
        raise ValueError(f"The live endpoint is in {region} already: name another region.")
    live = live_model(ws)
    roles.ensure(ws, "sagemaker")
    container = {"Image": image_in(live.image, region), "ModelDataUrl": copy_artifact(ws, live.artifact, region)}
    client, role = ws.client("sagemaker", region), ws.role_arn("sagemaker")
    with unless_it_exists():
        client.create_model(ModelName=live.name, PrimaryContainer=container, ExecutionRoleArn=role, Tags=ws.tags)
    with unless_it_exists():
        client.create_endpoint_config(
            EndpointConfigName=live.name,
            ProductionVariants=[
                {
                    "VariantName": VARIANT,
                    "ModelName": live.name,
                    "InitialInstanceCount": 1,
                    "InstanceType": INSTANCE,
                    "RoutingConfig": {"RoutingStrategy": "LEAST_OUTSTANDING_REQUESTS"},
                }
            ],
            Tags=ws.tags,
        )
    found, wanted = describe(ws, region), {"EndpointName": ws.name(ENDPOINT), "EndpointConfigName": live.name}
    if found is None:
        tags = [*ws.tags, {"Key": SERVICE_TIME_TAG, "Value": f"{service_time_ms:g}"}]
        client.create_endpoint(**wanted, Tags=tags)
    elif found["EndpointConfigName"] != live.name:
        client.update_endpoint(**wanted)
    wait_until_it_serves(ws, region)
    return ws.name(ENDPOINT)


def live_model(ws: Workshop) -> LiveModel:
    """What the home region's live endpoint serves. Raises RuntimeError where there is no such endpoint."""
    client, found = ws.client("sagemaker"), describe(ws, ws.region)
    if found is None:
        raise RuntimeError(f"There is no endpoint {ws.name(ENDPOINT)} in {ws.region}: lab 2 makes it.")
    config = client.describe_endpoint_config(EndpointConfigName=found["EndpointConfigName"])
    model = client.describe_model(ModelName=config["ProductionVariants"][0]["ModelName"])
    container = model["PrimaryContainer"]
    return LiveModel(model["ModelName"], container["ModelDataUrl"], container["Image"])


def bucket_in(ws: Workshop, region: str) -> str:
    """Your bucket for models in a region: SageMaker reads a model only from a bucket of its own region."""
    return ws.bucket("models" if region == ws.region else f"models-{region}")


def copy_artifact(ws: Workshop, artifact: str, region: str) -> str:
    """Copy a model.tar.gz to your bucket in `region`, from S3 to S3, not by way of this computer; its new address."""
    bucket, _, key = artifact.removeprefix("s3://").partition("/")
    copy = bucket_in(ws, region)
    buckets.create(ws, copy, region)
    ws.client("s3", region).copy_object(Bucket=copy, Key=key, CopySource={"Bucket": bucket, "Key": key})
    return f"s3://{copy}/{key}"


def image_in(image: str, region: str) -> str:
    """The same built-in algorithm's image in `region`: each region has a registry of its own."""
    from sagemaker.core import image_uris

    repository, _, tag = image.rpartition("/")[2].partition(":")
    return image_uris.retrieve(IMAGES[repository], region, version=tag)


def scalable_target(ws: Workshop) -> dict[str, str]:
    """How Application Auto Scaling names the variant's instance count, in every call about it."""
    return {
        "ServiceNamespace": "sagemaker",
        "ResourceId": f"endpoint/{ws.name(ENDPOINT)}/variant/{VARIANT}",
        "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
    }


def instances(ws: Workshop, region: str) -> int:
    """How many instances serve in a region now; 0 without an endpoint."""
    found = describe(ws, region)
    return sum(variant["CurrentInstanceCount"] for variant in found.get("ProductionVariants", [])) if found else 0


def remove(ws: Workshop, region: str) -> None:
    """Delete the endpoint in a region, if it is there, and wait until it is gone: who asks there must ask elsewhere."""
    if describe(ws, region) is None:
        return
    ws.client("sagemaker", region).delete_endpoint(EndpointName=ws.name(ENDPOINT))
    deadline = time.monotonic() + LONGEST_WAIT_S
    while describe(ws, region) is not None and time.monotonic() < deadline:
        time.sleep(0.1 if ws.offline else 5)


def describe(ws: Workshop, region: str) -> dict | None:
    """DescribeEndpoint's answer; None if there is no such endpoint."""
    try:
        return ws.client("sagemaker", region).describe_endpoint(EndpointName=ws.name(ENDPOINT))
    except ClientError as error:
        if "Could not find endpoint" in str(error):
            return None
        raise


def wait_until_it_serves(ws: Workshop, region: str) -> None:
    """Wait for InService. Raises RuntimeError with SageMaker's reason, or TimeoutError."""
    deadline = time.monotonic() + LONGEST_WAIT_S
    while (found := describe(ws, region) or {}).get("EndpointStatus") in BUSY:
        if time.monotonic() > deadline:
            raise TimeoutError(f"The endpoint in {region} is still {found['EndpointStatus']} after {LONGEST_WAIT_S} s.")
        time.sleep(0.1 if ws.offline else 10)
    if found.get("EndpointStatus") != "InService":
        raise RuntimeError(f"The endpoint in {region} is {found.get('EndpointStatus')}: {found.get('FailureReason')}")
