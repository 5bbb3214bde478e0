"""What lab 2 leaves: training data in the models bucket, an XGBoost model trained on it, and the live endpoint."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import numpy as np
import pandas as pd
from botocore.exceptions import ClientError

from helpers.resources import buckets, roles, sample_collection
from helpers.workshop import Workshop

ENDPOINT = "LiveInferenceEndpoint"
JOB = "xgboost"
INSTANCE = "ml.m5.large"
XGBOOST_VERSION = "3.2-0"
PARTS = {"train": 0.8, "validation": 0.1, "test": 0.1}  # of the visits
HISTORY_ROWS = 60_000  # of the shipped history, its newest: enough for the lab, and quick
XGBOOST = {  # the lab's answer; SageMaker takes hyperparameters as text
    "num_round": "200",
    "early_stopping_rounds": "10",
    "max_depth": "6",
    "eta": "0.1",
    "objective": "reg:squarederror",
    "eval_metric": "rmse",
    "subsample": "0.8",
    "seed": "1",
}
Answer = TypeVar("Answer")
LONGEST_WAIT_S = 1800  # an endpoint takes 5 to 10 minutes on AWS, a training job 3 to 5


def build(ws: Workshop) -> list[str]:
    """Make what is missing of what lab 2 leaves. Returns what was made, in words."""
    if endpoint_status(ws) == "InService":
        return []
    roles.ensure(ws, "sagemaker")
    buckets.ensure(ws, "models")
    parts = split_by_visit(learning_table(ws))
    for name in ("train", "validation"):
        upload(ws, parts[name], name)
    job = start_training(ws, ws.name(f"{JOB}-{time.strftime('%Y%m%d%H%M%S')}"))
    deploy(ws, wait_for_training(ws, job), version="v1")
    return ["training data", "an XGBoost model", "the live endpoint"]


def learning_table(ws: Workshop, history_rows: int = HISTORY_ROWS) -> pd.DataFrame:
    """The newest rows of the shipped history and, after them, the samples that lab 1 collected."""
    from helpers.fulfillment import load_history

    history, collected = load_history(), sample_collection.read_samples(ws)
    return pd.concat([history.tail(history_rows), collected], ignore_index=True)


def split_by_visit(table: pd.DataFrame, seed: int = 2) -> dict[str, pd.DataFrame]:
    """Train, validation and test: 80, 10 and 10 % of the pod visits, each visit whole in one part."""
    visits = table["visit"].unique()
    part_of_visit = np.random.default_rng(seed).choice(list(PARTS), size=len(visits), p=list(PARTS.values()))
    part = table["visit"].map(pd.Series(part_of_visit, index=visits))
    return {name: table[part == name] for name in PARTS}


def upload(ws: Workshop, frame: pd.DataFrame, name: str) -> str:
    """Write the 13 columns as CSV without a header, target first, to the models bucket; the S3 prefix to train from."""
    from helpers.fulfillment import COLUMNS

    prefix = f"training/{name}/"
    body = frame[list(COLUMNS)].to_csv(index=False, header=False).encode()
    ws.client("s3").put_object(Bucket=ws.bucket("models"), Key=f"{prefix}{name}.csv", Body=body)
    return f"s3://{ws.bucket('models')}/{prefix}"


def image(ws: Workshop, algorithm: str = "xgboost", version: str = XGBOOST_VERSION) -> str:
    """The address of a built-in algorithm's image in the workshop's region."""
    from sagemaker.core import image_uris

    return image_uris.retrieve(algorithm, ws.region, version=version)


def live_image(ws: Workshop) -> str:
    """The image of the live model, if that is an XGBoost model, else XGBoost's: what a retrained model needs."""
    client = ws.client("sagemaker")
    configuration = client.describe_endpoint(EndpointName=ws.name(ENDPOINT))["EndpointConfigName"]
    variant = client.describe_endpoint_config(EndpointConfigName=configuration)["ProductionVariants"][0]
    found = client.describe_model(ModelName=variant["ModelName"])["PrimaryContainer"]["Image"]
    return found if "xgboost" in found else image(ws)


def channel(name: str, uri: str) -> dict:
    """An input of a training job: all CSV files under one S3 prefix."""
    source = {"S3DataType": "S3Prefix", "S3Uri": uri, "S3DataDistributionType": "FullyReplicated"}
    return {"ChannelName": name, "ContentType": "text/csv", "DataSource": {"S3DataSource": source}}


def start_training(ws: Workshop, job: str, hyperparameters: dict[str, str] | None = None) -> str:
    """Start an XGBoost job on the uploaded train and validation parts; its name."""
    folder = f"s3://{ws.bucket('models')}/training"
    ws.client("sagemaker").create_training_job(
        TrainingJobName=job,
        AlgorithmSpecification={"TrainingImage": image(ws), "TrainingInputMode": "File"},
        RoleArn=ws.role_arn("sagemaker"),
        HyperParameters=hyperparameters or XGBOOST,
        InputDataConfig=[channel(name, f"{folder}/{name}/") for name in ("train", "validation")],
        OutputDataConfig={"S3OutputPath": f"s3://{ws.bucket('models')}/jobs"},
        ResourceConfig={"InstanceType": INSTANCE, "InstanceCount": 1, "VolumeSizeInGB": 10},
        StoppingCondition={"MaxRuntimeInSeconds": LONGEST_WAIT_S},
        Tags=ws.tags,
    )
    return job


def wait_for_training(ws: Workshop, job: str) -> dict:
    """Wait until the job has ended; its description. Raises RuntimeError with the job's own reason if it failed."""
    description = _poll(
        ws,
        lambda: ws.client("sagemaker").describe_training_job(TrainingJobName=job),
        lambda answer: answer["TrainingJobStatus"] not in ("InProgress", "Stopping"),
    )
    if description["TrainingJobStatus"] != "Completed":
        raise RuntimeError(
            f"Training job {job} is {description['TrainingJobStatus']}: {description.get('FailureReason')}"
        )
    return description


def deploy(ws: Workshop, job: dict, version: str) -> None:
    """Make a completed job's model live: create the endpoint, or update it if it is there; wait until it serves.

    `version` ("v1", "v2", …) names the production variant, so that every answer of the endpoint tells the version.
    """
    client, name = ws.client("sagemaker"), job["TrainingJobName"]
    container = {
        "Image": job["AlgorithmSpecification"]["TrainingImage"],
        "ModelDataUrl": job["ModelArtifacts"]["S3ModelArtifacts"],
    }
    variant = {"VariantName": version, "ModelName": name, "InitialInstanceCount": 1, "InstanceType": INSTANCE}
    with unless_it_exists():
        client.create_model(
            ModelName=name, PrimaryContainer=container, ExecutionRoleArn=ws.role_arn("sagemaker"), Tags=ws.tags
        )
    with unless_it_exists():
        client.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant], Tags=ws.tags)
    if endpoint_status(ws) is None:
        client.create_endpoint(EndpointName=ws.name(ENDPOINT), EndpointConfigName=name, Tags=ws.tags)
    else:
        client.update_endpoint(EndpointName=ws.name(ENDPOINT), EndpointConfigName=name)
    wait_for_endpoint(ws)


def endpoint_status(ws: Workshop, endpoint: str = ENDPOINT) -> str | None:
    """InService, Creating, Updating, Failed, …; None if there is no such endpoint."""
    try:
        return ws.client("sagemaker").describe_endpoint(EndpointName=ws.name(endpoint))["EndpointStatus"]
    except ClientError as error:
        if "Could not find endpoint" in str(error):
            return None
        raise


def wait_for_endpoint(ws: Workshop) -> None:
    """Wait until the endpoint serves. Raises RuntimeError if it failed."""
    status = _poll(ws, lambda: endpoint_status(ws), lambda status: status not in ("Creating", "Updating"))
    if status != "InService":
        raise RuntimeError(f"Endpoint {ws.name(ENDPOINT)} is {status}; its log group is /aws/sagemaker/Endpoints.")


@contextmanager
def unless_it_exists() -> Iterator[None]:
    """Let SageMaker's refusal of a second model or configuration of the same name pass."""
    try:
        yield
    except ClientError as error:
        if "already existing" not in str(error):
            raise


def _poll(ws: Workshop, look: Callable[[], Answer], done: Callable[[Answer], bool]) -> Answer:
    deadline = time.monotonic() + LONGEST_WAIT_S
    while not done(answer := look()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"SageMaker is still at work after {LONGEST_WAIT_S} s.")
        time.sleep(0.2 if ws.offline else 10)
    return answer
