"""A Linear Learner model at work: scores of rows, and the metrics that compare them with labels."""

from __future__ import annotations

from typing import Any

import numpy


def scores(model: dict[str, Any], rows: Any) -> Any:
    """Regression: the value. Binary: the probability of 1. Multiclass: the probabilities, one column a class."""
    raw = rows @ numpy.asarray(model["weights"]) + numpy.asarray(model["bias"])
    match model["predictor_type"]:
        case "regressor":
            return raw[:, 0]
        case "binary_classifier":
            return numpy.exp(-numpy.logaddexp(0, -raw[:, 0]))
    exponent = numpy.exp(raw - raw.max(1, keepdims=True))
    return exponent / exponent.sum(1, keepdims=True)


def metrics(model: dict[str, Any], found: Any, labels: Any, settings: dict[str, Any]) -> dict[str, float]:
    labels = labels.astype("float64")
    match model["predictor_type"]:
        case "regressor":
            values = _of_regression(found, labels, model)
        case "binary_classifier":
            values = _of_binary(found, labels, settings)
        case _:
            values = _of_classes(found, labels, settings)
    return {name: float(value) for name, value in values.items()}


def _of_regression(found: Any, labels: Any, model: dict[str, Any]) -> dict[str, Any]:
    error = found - labels
    mse = (error**2).mean()
    absolute = numpy.abs(error).mean()
    objective = {"squared_loss": mse, "absolute_loss": absolute}.get(model["loss"], mse)
    return {"mse": mse, "rmse": mse**0.5, "absolute_loss": absolute, "objective_loss": objective}


def _of_binary(found: Any, labels: Any, settings: dict[str, Any]) -> dict[str, Any]:
    predicted = found > 0.5
    positive = labels > 0
    true_positive = (predicted & positive).sum()
    precision = true_positive / max(1, predicted.sum())
    recall = true_positive / max(1, positive.sum())
    beta = settings["f_beta"] ** 2
    f_beta = (1 + beta) * precision * recall / max(1e-12, beta * precision + recall)
    likely = numpy.clip(numpy.where(positive, found, 1 - found), 1e-12, 1)
    return {
        "objective_loss": -numpy.log(likely).mean(),
        "binary_classification_accuracy": (predicted == positive).mean(),
        "binary_f_beta": f_beta,
        "precision": precision,
        "recall": recall,
        "roc_auc_score": _area(found, positive),
    }


def _area(found: Any, positive: Any) -> float:
    from scipy.stats import rankdata

    count = positive.sum()
    if count in (0, len(positive)):
        return float("nan")
    ranks = rankdata(found)[positive].sum()
    return (ranks - count * (count + 1) / 2) / (count * (len(positive) - count))


def _of_classes(found: Any, labels: Any, settings: dict[str, Any]) -> dict[str, Any]:
    truth = labels.astype(int)
    likely = numpy.clip(found[numpy.arange(len(truth)), truth], 1e-12, 1)
    ranked = numpy.argsort(-found, axis=1)[:, : settings["accuracy_top_k"]]
    return {
        "objective_loss": -numpy.log(likely).mean(),
        "multiclass_accuracy": (found.argmax(1) == truth).mean(),
        "multiclass_top_k_accuracy": (ranked == truth[:, None]).any(1).mean(),
    }
