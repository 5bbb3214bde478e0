"""Called when a retraining job is completed: puts its model live only if it beats the live one on held-out samples."""

import json
import os

import boto3
from botocore.exceptions import ClientError

BATCH = 2000  # rows a request: far below the 6 MB that an endpoint takes
s3 = boto3.client("s3")
sagemaker = boto3.client("sagemaker")
runtime = boto3.client("sagemaker-runtime")


def handler(event: dict, context: object) -> dict:
    job = sagemaker.describe_training_job(TrainingJobName=event["detail"]["TrainingJobName"])
    name, endpoint = job["TrainingJobName"], os.environ["ENDPOINT_NAME"]
    live = sagemaker.describe_endpoint(EndpointName=endpoint)
    if live["EndpointConfigName"] == name:
        return say({"decision": "nothing to do", "job": name, "why": f"{name} is live already"})
    new_ms, live_ms = error_of_new(job), error_of_live(endpoint, *holdout(job))
    measured = {"job": name, "new_rmse_ms": round(new_ms), "live_rmse_ms": round(live_ms)}
    if not is_better(new_ms, live_ms):
        return say({"decision": "keep the live model", **measured})
    version = next_version(live["EndpointConfigName"])
    create_model_and_configuration(job, version)
    sagemaker.update_endpoint(EndpointName=endpoint, EndpointConfigName=name)
    return say({"decision": "promote the new model", "version": version, **measured})


def is_better(new_ms: float, live_ms: float) -> bool:
    """Better by enough: a gain within the noise is no reason to touch what works."""
    return new_ms < live_ms * (1 - float(os.environ["SMALLEST_GAIN"]))


def error_of_new(job: dict) -> float:
    """RMSE (ms) on the held-out samples, measured by the training job itself: they are its validation channel."""
    return next(metric["Value"] for metric in job["FinalMetricDataList"] if metric["MetricName"] == "validation:rmse")


def holdout(job: dict) -> tuple[list[float], list[str]]:
    """Durations and features of the samples that the training job has not learned from."""
    channels = {channel["ChannelName"]: channel["DataSource"]["S3DataSource"] for channel in job["InputDataConfig"]}
    bucket, _, prefix = channels["validation"]["S3Uri"].removeprefix("s3://").partition("/")
    text = s3.get_object(Bucket=bucket, Key=f"{prefix}samples.csv")["Body"].read().decode()
    pairs = [line.split(",", 1) for line in text.splitlines()]
    return [float(duration) for duration, _ in pairs], [features for _, features in pairs]


def error_of_live(endpoint: str, durations: list[float], rows: list[str]) -> float:
    """RMSE (ms) of the live model on the same samples."""
    predictions: list[float] = []
    for start in range(0, len(rows), BATCH):
        body = "\n".join(rows[start : start + BATCH]).encode()
        answer = runtime.invoke_endpoint(EndpointName=endpoint, ContentType="text/csv", Body=body)
        predictions += map(float, answer["Body"].read().decode().split())
    squares = [(predicted - actual) ** 2 for predicted, actual in zip(predictions, durations, strict=True)]
    return (sum(squares) / len(squares)) ** 0.5


def next_version(live_config: str) -> str:
    """v1 -> v2: the name of the variant tells the version, and each answer of the endpoint tells the variant."""
    variants = sagemaker.describe_endpoint_config(EndpointConfigName=live_config)["ProductionVariants"]
    return f"v{int(variants[0]['VariantName'].removeprefix('v')) + 1}"


def create_model_and_configuration(job: dict, version: str) -> None:
    """A model and an endpoint configuration that carry the job's name: made once, however often this runs."""
    name, tags = job["TrainingJobName"], json.loads(os.environ["TAGS"])
    container = {
        "Image": job["AlgorithmSpecification"]["TrainingImage"],
        "ModelDataUrl": job["ModelArtifacts"]["S3ModelArtifacts"],
    }
    variant = {
        "VariantName": version,
        "ModelName": name,
        "InitialInstanceCount": 1,
        "InstanceType": os.environ["INSTANCE_TYPE"],
    }
    unless_it_exists(
        sagemaker.create_model,
        ModelName=name, PrimaryContainer=container, ExecutionRoleArn=os.environ["ROLE_ARN"], Tags=tags,
    )  # fmt: skip
    unless_it_exists(sagemaker.create_endpoint_config, EndpointConfigName=name, ProductionVariants=[variant], Tags=tags)


def unless_it_exists(create: object, **request: object) -> None:
    try:
        create(**request)
    except ClientError as error:
        if "already existing" not in str(error):
            raise


def say(decision: dict) -> dict:
    print(json.dumps(decision))  # goes to the function's log
    return decision
