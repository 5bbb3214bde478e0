"""Requests to Linear Learner and k-NN endpoints: CSV, JSON and JSON Lines into rows; answers into JSON."""

from __future__ import annotations

import json
from typing import Any

import numpy

from helpers.offline.services.sagemaker.serving.container import Reply, refusal

JSON, LINES = "application/json", "application/jsonlines"


def rows_of(body: bytes, content_type: str | None, features: int) -> numpy.ndarray | Reply:
    """A reply is a refusal."""
    kind = (content_type or "").partition(";")[0].strip().lower()
    try:
        match kind:
            case "text/csv":
                cells = [[float(cell) for cell in line.split(",")] for line in body.decode().strip().split("\n")]
            case "application/json":
                cells = [_features(entry) for entry in json.loads(body)["instances"]]
            case "application/jsonlines":
                cells = [_features(json.loads(line)) for line in body.decode().strip().split("\n")]
            case "application/x-recordio-protobuf":
                return refusal(415, "The offline AWS does not serve RecordIO; use text/csv or application/json.")
            case _:
                return refusal(415, f"No iterator has been registered for ContentType {content_type}")
        rows = numpy.array(cells, dtype="float64")
        if rows.ndim != 2 or not numpy.isfinite(rows).all():
            raise ValueError("rows of different lengths, or missing values")
    except (ValueError, KeyError, TypeError) as error:
        return refusal(400, "unable to evaluate payload provided", f"Customer Error: {error}")
    if rows.shape[1] != features:
        return refusal(
            400,
            "unable to evaluate payload provided",
            f"Customer Error: The feature dimension of the input: {rows.shape[1]} does not match the feature dimension "
            f"of the model: {features}. Please fix the input and try again.",
        )
    return rows


def _features(entry: dict[str, Any]) -> list[float]:
    if "features" in entry:
        return entry["features"]
    held = entry["data"]["features"]
    if "keys" in held:
        row = [0.0] * held["shape"][0]
        for key, value in zip(held["keys"], held["values"], strict=True):
            row[key] = value
        return row
    return held["values"]


def answer(predictions: list[dict[str, Any]], accept: str | None) -> Reply:
    kind = (accept or JSON).partition(";")[0].strip().lower()
    if kind in ("", "*/*", JSON):
        return Reply(200, JSON, json.dumps({"predictions": predictions}).encode())
    if kind == LINES:
        return Reply(200, LINES, "".join(json.dumps(entry) + "\n" for entry in predictions).encode())
    if kind == "application/x-recordio-protobuf":
        return refusal(406, "The offline AWS does not answer in RecordIO; use application/json.")
    return refusal(406, f"Accept type {accept} is not supported: {JSON}, {LINES}")
