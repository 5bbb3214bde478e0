"""Selectable inference of the XGBoost container: what SAGEMAKER_INFERENCE_OUTPUT asks for, in the accepted format.

Everything is made of the model's prediction alone: a raw score is the margin only where the objective predicts margins.
Source: aws/sagemaker-xgboost-container, algorithm_mode/serve_utils.py.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

import numpy

from helpers.offline.services.sagemaker.serving import recordio_messages

_REGRESSION = ("predicted_score",)
_SCORES = ("predicted_label", "labels", "raw_score", "raw_scores")
_PROBABILITIES = ("predicted_label", "labels", "probability", "probabilities", "raw_score", "raw_scores")
KEYS = {  # objective -> what can be selected, in the order of the answer
    "reg:squarederror": _REGRESSION,
    "reg:logistic": _REGRESSION,
    "reg:gamma": _REGRESSION,
    "reg:tweedie": _REGRESSION,
    "binary:logistic": _PROBABILITIES,
    "binary:logitraw": _SCORES,
    "binary:hinge": _SCORES,
    "multi:softmax": _SCORES,
    "multi:softprob": _PROBABILITIES,
}


def keys_of(environment: dict[str, str]) -> list[str] | None:
    """What the container's environment selects; None where it selects nothing."""
    wanted = environment.get("SAGEMAKER_INFERENCE_OUTPUT")
    return None if wanted is None else wanted.replace(" ", "").lower().split(",")


def select(predicted: numpy.ndarray, wanted: Sequence[str], objective: str, classes: int) -> list[dict[str, Any]]:
    """One dictionary for each row; a key that the objective does not have is NaN. Raises ValueError."""
    if objective not in KEYS:
        raise ValueError(f"Objective `{objective}` unsupported for selectable inference predictions.")
    known = [key for key in KEYS[objective] if key in wanted]
    unknown = [key for key in dict.fromkeys(wanted) if key not in known]
    items = []
    for row in predicted:
        values = _values(row, objective, classes)
        items.append({key: values[key] for key in known} | dict.fromkeys(unknown, math.nan))
    return items


def encode(items: list[dict[str, Any]], wanted: Sequence[str], accept: str) -> bytes:
    """Raises RuntimeError for a format that there is not."""
    match accept:
        case "application/json":
            return json.dumps({"predictions": items}).encode()
        case "application/jsonlines":
            return "".join(f"{json.dumps(item)}\n" for item in items).encode()
        case recordio_messages.CONTENT_TYPE:
            return recordio_messages.answer(items)
        case "text/csv":
            return "\n".join(",".join(_cell(item[key]) for key in wanted) for item in items).encode()
    raise RuntimeError(f"Cannot encode selected predictions into accept type '{accept}'.")


def _values(row: Any, objective: str, classes: int) -> dict[str, Any]:
    if objective == "multi:softprob":
        best, probabilities = int(row.argmax()), row.tolist()
        return {
            "predicted_label": best,
            "labels": list(range(classes)),
            "probability": probabilities[best],
            "probabilities": probabilities,
            "raw_score": probabilities[best],
            "raw_scores": probabilities,
        }
    value = row.item()
    pair = [1.0 - value, value]
    labels = list(range(classes)) if objective == "multi:softmax" else [0, 1]
    label = {"binary:logistic": int(value > 0.5), "binary:logitraw": int(value > 0)}.get(objective, value)
    return {
        "predicted_score": value,
        "predicted_label": label,
        "labels": labels,
        "probability": value,
        "probabilities": pair,
        "raw_score": value,
        "raw_scores": pair,
    }


def _cell(value: Any) -> str:
    return f'"{value}"' if isinstance(value, list) else str(value)
