"""k-NN's /invocations."""

from __future__ import annotations

import zipfile
from typing import Any

from helpers.offline.services.sagemaker.algorithms.neighbors_index import Index
from helpers.offline.services.sagemaker.serving.container import LoadError, Reply
from helpers.offline.services.sagemaker.serving.first_party_requests import answer, rows_of


class NeighborsContainer:
    """Raises LoadError where the files are no model of the offline k-NN."""

    def __init__(self, files: dict[str, bytes]) -> None:
        try:
            self.index = Index.load(files["model_algo-1"])
        except (KeyError, ValueError, OSError, zipfile.BadZipFile) as error:
            raise LoadError(
                "model_algo-1 is not a k-NN model trained offline (one trained on AWS holds a faiss index): "
                f"{type(error).__name__}"
            ) from None

    def invoke(self, body: bytes, content_type: str | None, accept: str | None) -> Reply:
        rows = rows_of(body, content_type, self.index.features)
        if isinstance(rows, Reply):
            return rows
        distances, labels = self.index.neighbors(rows)
        predictions: list[dict[str, Any]] = [{"predicted_label": float(value)} for value in self.index.predict(labels)]
        if "verbose=true" in (accept or "").replace(" ", "").lower():
            for entry, of_row, found in zip(predictions, distances, labels, strict=True):
                entry |= {"distances": of_row.tolist(), "labels": found.tolist()}
        return answer(predictions, accept)
