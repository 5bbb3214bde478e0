"""Answers GET liveinference?features=<12 values> with the duration that the live endpoint predicts."""

import json
import os

import boto3
from botocore.exceptions import ClientError

FEATURES = 12
runtime = boto3.client("sagemaker-runtime")


def handler(event: dict, context: object) -> dict:
    features = (event.get("queryStringParameters") or {}).get("features", "")
    if problem := problem_of(features):
        return answer(400, {"message": problem})
    try:
        response = runtime.invoke_endpoint(
            EndpointName=os.environ["ENDPOINT_NAME"], ContentType="text/csv", Body=features.encode()
        )
    except ClientError as error:
        print(error)
        return answer(502, {"message": "The model does not answer at the moment; the function's log says why."})
    prediction_ms = prediction_of(response["Body"].read().decode())
    return answer(200, {"prediction_ms": prediction_ms, "model": response["InvokedProductionVariant"]})


def problem_of(features: str) -> str | None:
    """A sentence on what is wrong with the request, or None."""
    if not features.strip():
        return f"Give the {FEATURES} features as one query parameter: ?features=9650,220,..."
    cells = features.split(",")
    if len(cells) != FEATURES:
        return f"The model needs {FEATURES} features separated by commas, got {len(cells)}."
    for position, cell in enumerate(cells, start=1):
        if cell.strip() and not is_number(cell):  # an empty cell is a missing value
            return f"Feature {position} is not a number: {cell[:20]!r}."
    return None


def is_number(cell: str) -> bool:
    try:
        return abs(float(cell)) < float("inf")
    except ValueError:
        return False


def prediction_of(body: str) -> float:
    """The three algorithms answer in two formats: XGBoost a bare number, Linear Learner and k-NN JSON."""
    if body.lstrip().startswith("{"):
        first = json.loads(body)["predictions"][0]
        return float(first.get("score", first.get("predicted_label")))
    return float(body)


def answer(status: int, content: dict) -> dict:
    headers = {"Content-Type": "application/json"}
    return {"statusCode": status, "headers": headers, "body": json.dumps(content)}
