"""The neighbours of a row among the sampled rows, exactly, and what their labels say."""

from __future__ import annotations

import io
import json
from typing import Any

import numpy
from scipy.spatial import cKDTree


class Index:
    """`metric` is L2, INNER_PRODUCT or COSINE; `projection` is None or reduces the dimensions of rows."""

    def __init__(self, rows: Any, labels: Any, settings: dict[str, Any], projection: Any = None) -> None:
        self.settings = settings
        self.labels = numpy.asarray(labels)
        self.projection = projection
        self.rows = numpy.ascontiguousarray(rows, dtype="float64")
        self.metric: str = settings["index_metric"]
        self.tree = None
        if self.metric != "INNER_PRODUCT":
            self.tree = cKDTree(_unit(self.rows) if self.metric == "COSINE" else self.rows, leafsize=32)

    @property
    def features(self) -> int:
        return len(self.projection) if self.projection is not None else self.rows.shape[1]

    def neighbors(self, rows: Any, *, workers: int = 1) -> tuple[Any, Any]:
        """(distances, labels) of the k nearest of each row, nearest first. L2 distances are squared, as faiss's are."""
        rows = numpy.asarray(rows, dtype="float64")
        if self.projection is not None:
            rows = rows @ self.projection
        k = min(self.settings["k"], len(self.rows))
        if self.tree is None:
            products = rows @ self.rows.T
            nearest = numpy.argsort(-products, axis=1, kind="stable")[:, :k]
            return numpy.take_along_axis(products, nearest, 1), self.labels[nearest]
        asked = _unit(rows) if self.metric == "COSINE" else rows
        distances, nearest = self.tree.query(asked, k=numpy.arange(1, k + 1), workers=workers)
        squared = distances**2
        return (1 - squared / 2 if self.metric == "COSINE" else squared), self.labels[nearest]

    def predict(self, labels: Any) -> Any:
        """From the neighbours' labels: their mean, or the class that most of them have."""
        if self.settings["predictor_type"] == "regressor":
            return labels.mean(1)
        classes, numbered = numpy.unique(labels, return_inverse=True)
        numbered = numbered.reshape(labels.shape)
        votes = numpy.stack([(numbered == position).sum(1) for position in range(len(classes))], axis=1)
        return classes[votes.argmax(1)]

    def save(self) -> bytes:
        buffer = io.BytesIO()
        arrays = {"rows": self.rows.astype("float32"), "labels": self.labels.astype("float32")}
        if self.projection is not None:
            arrays["projection"] = self.projection
        numpy.savez(buffer, settings=numpy.frombuffer(json.dumps(self.settings).encode(), "uint8"), **arrays)
        return buffer.getvalue()

    @classmethod
    def load(cls, content: bytes) -> Index:
        """Raises ValueError or KeyError where it is none."""
        with numpy.load(io.BytesIO(content), allow_pickle=False) as held:
            settings = json.loads(held["settings"].tobytes())
            projection = held.get("projection")
            return cls(held["rows"], held["labels"], settings, projection)


def _unit(rows: Any) -> Any:
    return rows / numpy.maximum(numpy.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
