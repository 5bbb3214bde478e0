"""Answers as live_inference does, for models that need gaps filled and features scaled before they are asked."""

import json
import os

import boto3

runtime = boto3.client("sagemaker-runtime")
prepare = json.loads(os.environ["PREPARE"])  # per feature: [value for a gap, mean, standard deviation]


def handler(event: dict, context: object) -> dict:
    cells = ((event.get("queryStringParameters") or {}).get("features", "")).split(",")
    try:
        body = ",".join(prepared(cell, values) for cell, values in zip(cells, prepare, strict=True))
    except ValueError:
        return answer(400, {"message": f"The model needs {len(prepare)} numbers separated by commas."})
    response = runtime.invoke_endpoint(
        EndpointName=os.environ["ENDPOINT_NAME"], ContentType="text/csv", Body=body.encode()
    )
    first = json.loads(response["Body"].read())["predictions"][0]
    prediction_ms = max(0.0, float(first.get("score", first.get("predicted_label"))))
    return answer(200, {"prediction_ms": prediction_ms, "model": response["InvokedProductionVariant"]})


def prepared(cell: str, values: list) -> str:
    gap, mean, deviation = values
    number = float(cell) if cell.strip() else gap
    return f"{(number - mean) / deviation:.6f}"


def answer(status: int, content: dict) -> dict:
    return {"statusCode": status, "headers": {"Content-Type": "application/json"}, "body": json.dumps(content)}
