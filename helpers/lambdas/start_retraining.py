"""Called by the alarm: starts one training job on the newest samples, unless one is running or has just run."""

import json
import os
from datetime import UTC, datetime

import boto3
from botocore.exceptions import ClientError

COLUMNS = 13  # the duration and the 12 features; what follows them in a sample is context
s3 = boto3.client("s3")
sagemaker = boto3.client("sagemaker")


def handler(event: dict, context: object) -> dict:
    state = event["alarmData"]["state"]
    if state["value"] != "ALARM":
        return skip(f"the alarm is {state['value']}")
    if recent := recent_job():
        return skip(f"{recent} is running or has just run")
    rows = newest_rows(int(os.environ["NEWEST_SAMPLES"]))
    cut = len(rows) * 4 // 5
    if cut < int(os.environ["FEWEST_SAMPLES"]):
        return skip(f"there are only {len(rows)} samples")
    job = os.environ["JOB_PREFIX"] + digits(state["timestamp"])  # one alarm, one name: delivered twice, it starts once
    train, holdout = put(job, "train", rows[:cut]), put(job, "holdout", rows[cut:])
    try:
        sagemaker.create_training_job(**request(job, train, holdout))
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceInUse":
            raise
        return skip(f"{job} was already started")
    return say({"decision": "retrain", "job": job, "train": cut, "holdout": len(rows) - cut})


def recent_job() -> str | None:
    """The newest retraining job, if it still runs, or began since this function was deployed and in the cool-down."""
    found = sagemaker.list_training_jobs(
        NameContains=os.environ["JOB_PREFIX"], SortBy="CreationTime", SortOrder="Descending", MaxResults=1
    )["TrainingJobSummaries"]
    if not found:
        return None
    began = found[0]["CreationTime"]
    busy = found[0]["TrainingJobStatus"] in ("InProgress", "Stopping")
    cooling = (datetime.now(UTC) - began).total_seconds() < float(os.environ["COOLDOWN_S"])
    ours = began.timestamp() >= float(os.environ["DEPLOYED_AT"])
    return found[0]["TrainingJobName"] if busy or (cooling and ours) else None


def newest_rows(wanted: int) -> list[str]:
    """The newest samples, oldest first, each as a line for the training job: target first, no context."""
    bucket, rows = os.environ["SAMPLES_BUCKET"], []
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=os.environ["SAMPLES_PREFIX"])
    objects = [entry for page in pages for entry in page.get("Contents", [])]
    for entry in sorted(objects, key=lambda entry: (entry["LastModified"], entry["Key"]), reverse=True):
        lines = s3.get_object(Bucket=bucket, Key=entry["Key"])["Body"].read().decode().splitlines()
        rows = [row for row in map(training_row, lines) if row] + rows
        if len(rows) >= wanted:
            break
    return rows[-wanted:]


def training_row(line: str) -> str | None:
    """The first 13 cells of a sample, or None if it is no sample (a stray test message, for instance)."""
    cells = line.split(",")[:COLUMNS]
    try:
        numbers = [float(cell) for cell in cells if cell]
    except ValueError:
        return None
    return ",".join(cells) if len(cells) == COLUMNS and cells[0] and numbers[0] > 0 else None


def put(job: str, name: str, rows: list[str]) -> str:
    """Writes rows to the models bucket; returns the prefix that a channel reads."""
    bucket, prefix = os.environ["MODELS_BUCKET"], f"retraining/{job}/{name}/"
    s3.put_object(Bucket=bucket, Key=f"{prefix}samples.csv", Body="\n".join(rows).encode() + b"\n")
    return f"s3://{bucket}/{prefix}"


def request(job: str, train: str, holdout: str) -> dict:
    return {
        "TrainingJobName": job,
        "AlgorithmSpecification": {"TrainingImage": os.environ["IMAGE_URI"], "TrainingInputMode": "File"},
        "RoleArn": os.environ["ROLE_ARN"],
        "HyperParameters": json.loads(os.environ["HYPERPARAMETERS"]),
        "InputDataConfig": [channel("train", train), channel("validation", holdout)],
        "OutputDataConfig": {"S3OutputPath": f"s3://{os.environ['MODELS_BUCKET']}/retraining"},
        "ResourceConfig": {"InstanceType": os.environ["INSTANCE_TYPE"], "InstanceCount": 1, "VolumeSizeInGB": 10},
        "StoppingCondition": {"MaxRuntimeInSeconds": 1800},
        "Tags": json.loads(os.environ["TAGS"]),
    }


def channel(name: str, uri: str) -> dict:
    source = {"S3DataType": "S3Prefix", "S3Uri": uri, "S3DataDistributionType": "FullyReplicated"}
    return {"ChannelName": name, "ContentType": "text/csv", "DataSource": {"S3DataSource": source}}


def digits(timestamp: str) -> str:
    return "".join(character for character in timestamp[:19] if character.isdigit())


def skip(why: str) -> dict:
    return say({"decision": "no retraining", "why": why})


def say(decision: dict) -> dict:
    print(json.dumps(decision))  # goes to the function's log
    return decision
