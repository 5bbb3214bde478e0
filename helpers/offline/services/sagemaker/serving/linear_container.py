"""Linear Learner's /invocations."""

from __future__ import annotations

import json
from typing import Any

import numpy

from helpers.offline.services.sagemaker.algorithms import linear_scores
from helpers.offline.services.sagemaker.serving.container import LoadError, Reply
from helpers.offline.services.sagemaker.serving.first_party_requests import answer, rows_of


class LinearContainer:
    """Raises LoadError where the files are no model of the offline Linear Learner."""

    def __init__(self, files: dict[str, bytes]) -> None:
        try:
            self.model: dict[str, Any] = json.loads(files["model_algo-1"])
            self.model["weights"] = numpy.asarray(self.model["weights"])
            self.features = len(self.model["weights"])
        except (KeyError, ValueError) as error:
            raise LoadError(
                "model_algo-1 is not a Linear Learner model trained offline (one trained on AWS holds an MXNet model): "
                f"{type(error).__name__}"
            ) from None

    def invoke(self, body: bytes, content_type: str | None, accept: str | None) -> Reply:
        rows = rows_of(body, content_type, self.features)
        if isinstance(rows, Reply):
            return rows
        scores = linear_scores.scores(self.model, rows)
        match self.model["predictor_type"]:
            case "regressor":
                predictions: list[dict[str, Any]] = [{"score": float(score)} for score in scores]
            case "binary_classifier":
                labels = linear_scores.predicted_labels(self.model, scores)
                predictions = [
                    {"score": float(score), "predicted_label": int(label)}
                    for score, label in zip(scores, labels, strict=True)
                ]
            case _:
                predictions = [{"score": row.tolist(), "predicted_label": int(row.argmax())} for row in scores]
        return answer(predictions, accept)
