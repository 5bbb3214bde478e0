"""Requests to Linear Learner and k-NN endpoints into rows, and their answers: JSON, JSON Lines, RecordIO; CSV in."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy

from helpers.offline.services.sagemaker.serving import recordio_messages
from helpers.offline.services.sagemaker.serving.container import Reply, refusal

JSON, LINES = "application/json", "application/jsonlines"


def rows_of(body: bytes, content_type: str | None, features: int) -> numpy.ndarray | Reply:
    """A reply is a refusal."""
    kind = (content_type or "").partition(";")[0].strip().lower()
    try:
        match kind:
            case "text/csv":
                labels = _label_size(content_type or "")
                cells = [[float(cell) for cell in line.split(",")[labels:]] for line in _lines(body)]
            case "application/json":
                cells = [_features(entry, features) for entry in json.loads(body)["instances"]]
            case "application/jsonlines":
                cells = [_features(json.loads(line), features) for line in _lines(body)]
            case recordio_messages.CONTENT_TYPE:
                found = recordio_messages.rows_of(body)
                if found.shape[1] != features:
                    return _wrong_width(found.shape[1], features)
                cells = found if isinstance(found, numpy.ndarray) else found.toarray()
            case _:
                return refusal(415, f"No iterator has been registered for ContentType {content_type}")
        rows = numpy.array(cells, dtype="float64")
        if rows.ndim != 2 or not numpy.isfinite(rows).all():
            raise ValueError("rows of different lengths, or missing values")
    except _WrongWidth as error:
        return _wrong_width(error.columns, features)
    except (ValueError, KeyError, TypeError, IndexError, OverflowError) as error:
        return refusal(400, "unable to evaluate payload provided", f"Customer Error: {error}")
    return rows if rows.shape[1] == features else _wrong_width(rows.shape[1], features)


class _WrongWidth(Exception):
    """A sparse row says that it has another number of columns than the model."""

    def __init__(self, columns: int) -> None:
        self.columns = columns


def _wrong_width(columns: int, features: int) -> Reply:
    return refusal(
        400,
        "unable to evaluate payload provided",
        f"Customer Error: The feature dimension of the input: {columns} does not match the feature dimension "
        f"of the model: {features}. Please fix the input and try again.",
    )


def _lines(body: bytes) -> list[str]:
    return body.decode().strip().split("\n")


def _label_size(content_type: str) -> int:
    """How many columns come before the features: 0, unless the content type says otherwise. Raises ValueError."""
    found = re.search(r";\s*label_size=([^;]*)", content_type.lower())
    return int(found[1]) if found else 0


def _features(entry: dict[str, Any], features: int) -> list[float]:
    if "features" in entry:
        return entry["features"]
    held = entry["data"]["features"]
    if "keys" in held:
        if held["shape"][0] != features:
            raise _WrongWidth(held["shape"][0])
        row = [0.0] * features
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
    if kind == recordio_messages.CONTENT_TYPE:
        return Reply(200, kind, recordio_messages.answer(predictions))
    return refusal(406, f"Accept type {accept} is not supported: {JSON}, {LINES}, {recordio_messages.CONTENT_TYPE}")
