"""The metrics that the XGBoost container computes itself, beside those of xgboost.

Images 3.0-5 and 3.2-0 hand these functions probabilities where they expect margins, so that the classification
metrics of binary:logistic are wrong on AWS. They are wrong here too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy

_CLASSES: dict[str, tuple[str, dict[str, Any]]] = {
    "accuracy": ("accuracy_score", {}),
    "balanced_accuracy": ("balanced_accuracy_score", {}),
    "f1": ("f1_score", {"average": "macro"}),
    "f1_binary": ("f1_score", {"average": "binary"}),
    "f1_macro": ("f1_score", {"average": "macro"}),
    "precision": ("precision_score", {}),
    "precision_macro": ("precision_score", {"average": "macro"}),
    "precision_micro": ("precision_score", {"average": "micro"}),
    "recall": ("recall_score", {}),
    "recall_macro": ("recall_score", {"average": "macro"}),
    "recall_micro": ("recall_score", {"average": "micro"}),
}


def _mse(labels: numpy.ndarray, predicted: numpy.ndarray) -> float:
    return float(numpy.mean((labels - predicted) ** 2))


_NUMBERS: dict[str, Callable[[numpy.ndarray, numpy.ndarray], float]] = {
    "mse": _mse,
    "rmse": lambda labels, predicted: _mse(labels, predicted) ** 0.5,
    "mae": lambda labels, predicted: float(numpy.mean(numpy.abs(labels - predicted))),
    "r2": lambda labels, predicted: 1 - _mse(labels, predicted) / float(numpy.var(labels)),
}
COMPUTED = {*_CLASSES, *_NUMBERS}


def custom_metric(names: Sequence[str]) -> Callable[[numpy.ndarray, Any], list[tuple[str, float]]] | None:
    """xgboost.train's custom_metric for these names; None without any."""
    if not names:
        return None

    def evaluate(predicted: numpy.ndarray, matrix: Any) -> list[tuple[str, float]]:
        labels = matrix.get_label()
        return [(name, compute(name, labels, predicted)) for name in names]

    return evaluate


def compute(name: str, labels: numpy.ndarray, predicted: numpy.ndarray) -> float:
    if name in _NUMBERS:
        return _NUMBERS[name](labels.astype("float64"), predicted.astype("float64"))
    import sklearn.metrics

    function, options = _CLASSES[name]
    classes = predicted.argmax(axis=-1) if predicted.ndim > 1 else (predicted > 0).astype(int)
    return float(getattr(sklearn.metrics, function)(labels, classes, **options))
