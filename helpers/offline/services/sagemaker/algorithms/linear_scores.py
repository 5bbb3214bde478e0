"""A Linear Learner model at work: scores and labels of rows, and the metrics that compare them with the truth."""

from __future__ import annotations

from typing import Any

import numpy

from helpers.offline.services.sagemaker.algorithms import linear_losses

LOSSES = ("mse", "rmse", "absolute_loss", "objective_loss")


def raw_scores(model: dict[str, Any], rows: Any) -> Any:
    """Shape (rows, classes); one column where there are no classes."""
    return rows @ numpy.asarray(model["weights"]) + numpy.asarray(model["bias"])


def scores(model: dict[str, Any], rows: Any) -> Any:
    """Regression: the value. Binary: the probability of 1, with hinge_loss the raw score. Multiclass: probabilities."""
    return _shown(model, raw_scores(model, rows))


def predicted_labels(model: dict[str, Any], found: Any) -> Any:
    """The classes that scores (as `scores` gives them) stand for: a binary model's threshold decides."""
    if model["predictor_type"] == "multiclass_classifier":
        return found.argmax(1)
    return (found > _shown(model, numpy.array([[model.get("threshold", 0.0)]]))[0]).astype(int)


def _shown(model: dict[str, Any], raw: Any) -> Any:
    match model["predictor_type"]:
        case "regressor":
            return raw[:, 0]
        case "binary_classifier" if model.get("loss") == "hinge_loss":
            return raw[:, 0]
        case "binary_classifier":
            return numpy.exp(-numpy.logaddexp(0, -raw[:, 0]))
    exponent = numpy.exp(raw - raw.max(1, keepdims=True))
    return exponent / exponent.sum(1, keepdims=True)


def metrics(model: dict[str, Any], rows: Any, labels: Any, settings: dict[str, Any]) -> dict[str, float]:
    """The metrics of the developer guide's "Tune a linear learner model"."""
    labels = labels.astype("float64")
    raw = raw_scores(model, rows)
    found = _shown(model, raw)
    match model["predictor_type"]:
        case "regressor":
            values = _of_regression(found, labels)
        case "binary_classifier":
            values = _of_binary(found, predicted_labels(model, found), labels, settings)
        case _:
            values = _of_classes(found, labels, settings)
    values = {"objective_loss": _objective(model, raw, labels, settings), **values}
    return {name: float(value) for name, value in values.items()}


def _objective(model: dict[str, Any], raw: Any, labels: Any, settings: dict[str, Any]) -> float:
    """Of labels as they were trained with: in their standard deviations where they were normalized."""
    chosen = linear_losses.Settings(
        insensitivity=settings["loss_insensitivity"],
        quantile=settings["quantile"],
        huber_delta=settings["huber_delta"],
        margin=settings["margin"],
    )
    scale = model["label_scale"]
    shaped = raw[:, :, None] if raw.shape[1] > 1 else raw
    return float(linear_losses.loss(model["loss"], chosen)(shaped / scale, labels / scale)[0][0])


def _of_regression(found: Any, labels: Any) -> dict[str, Any]:
    error = found - labels
    mse = (error**2).mean()
    return {"mse": mse, "rmse": mse**0.5, "absolute_loss": numpy.abs(error).mean()}


def _of_binary(found: Any, predicted: Any, labels: Any, settings: dict[str, Any]) -> dict[str, Any]:
    predicted, positive = predicted > 0, labels > 0
    true_positive = (predicted & positive).sum()
    precision = true_positive / max(1, predicted.sum())
    recall = true_positive / max(1, positive.sum())
    return {
        "binary_classification_accuracy": (predicted == positive).mean(),
        "binary_f_beta": _f_beta(precision, recall, settings["f_beta"]),
        "precision": precision,
        "recall": recall,
        "roc_auc_score": _area(found, positive),
    }


def _f_beta(precision: Any, recall: Any, beta: float) -> Any:
    return (1 + beta**2) * precision * recall / numpy.maximum(1e-12, beta**2 * precision + recall)


def _area(found: Any, positive: Any) -> float:
    """Under the ROC curve: the share of pairs that are in the right order."""
    from scipy.stats import rankdata

    count = positive.sum()
    if count in (0, len(positive)):
        return float("nan")
    ranks = rankdata(found)[positive].sum()
    return (ranks - count * (count + 1) / 2) / (count * (len(positive) - count))


def _of_classes(found: Any, labels: Any, settings: dict[str, Any]) -> dict[str, Any]:
    truth, predicted = labels.astype(int), found.argmax(1)
    ranked = numpy.argsort(-found, axis=1, kind="stable")
    places = (ranked == truth[:, None]).argmax(1)  # of the right class, 0 is the first
    counts = numpy.zeros((found.shape[1], found.shape[1]))
    numpy.add.at(counts, (truth, predicted), 1)
    right = numpy.diag(counts)
    precision, recall = right / numpy.maximum(counts.sum(0), 1), right / numpy.maximum(counts.sum(1), 1)
    return {
        "multiclass_accuracy": (predicted == truth).mean(),
        "multiclass_top_k_accuracy": (places < settings["accuracy_top_k"]).mean(),
        "dcg": (1 / numpy.log2(places + 2)).mean(),
        "macro_recall": recall.mean(),
        "macro_precision": precision.mean(),
        "macro_f_beta": _f_beta(precision, recall, settings["f_beta"]).mean(),
    }
