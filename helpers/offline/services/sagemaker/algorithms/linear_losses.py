"""Linear Learner's losses: value and gradient with respect to the score, for many models at once.

Scores have shape (rows, models); for softmax (rows, classes, models). Labels have shape (rows,).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy

Pair = tuple[numpy.ndarray, numpy.ndarray]  # mean loss of each model; gradient, already divided by the rows


@dataclass(frozen=True, slots=True)
class Settings:
    """`positive_weight`: one for all models, or one each; `class_weights`: shape (classes,)."""

    insensitivity: float = 0.01
    quantile: float = 0.5
    huber_delta: float = 1.0
    margin: float = 1.0
    positive_weight: Any = 1.0
    class_weights: Any = None


def loss(name: str, settings: Settings) -> Callable[[Any, Any], Pair]:
    return lambda scores, labels: _LOSSES[name](scores, labels, settings)


def _squared(scores: Any, labels: Any, settings: Settings) -> Pair:
    error = scores - labels[:, None]
    return (error**2).mean(0), 2 * error / len(labels)


def _absolute(scores: Any, labels: Any, settings: Settings) -> Pair:
    error = scores - labels[:, None]
    return numpy.abs(error).mean(0), numpy.sign(error) / len(labels)


def _insensitive_squared(scores: Any, labels: Any, settings: Settings) -> Pair:
    error = scores - labels[:, None]
    beyond = numpy.sign(error) * numpy.maximum(numpy.abs(error) - settings.insensitivity, 0)
    return (beyond**2).mean(0), 2 * beyond / len(labels)


def _insensitive_absolute(scores: Any, labels: Any, settings: Settings) -> Pair:
    error = scores - labels[:, None]
    outside = numpy.abs(error) > settings.insensitivity
    return (outside * (numpy.abs(error) - settings.insensitivity)).mean(0), outside * numpy.sign(error) / len(labels)


def _quantile(scores: Any, labels: Any, settings: Settings) -> Pair:
    error = labels[:, None] - scores
    slope = numpy.where(error >= 0, settings.quantile, settings.quantile - 1)
    return (slope * error).mean(0), -slope / len(labels)


def _huber(scores: Any, labels: Any, settings: Settings) -> Pair:
    error, delta = scores - labels[:, None], settings.huber_delta
    size = numpy.abs(error)
    value = numpy.where(size <= delta, error**2 / 2, delta * (size - delta / 2))
    return value.mean(0), numpy.clip(error, -delta, delta) / len(labels)


def _logistic(scores: Any, labels: Any, settings: Settings) -> Pair:
    sign = numpy.where(labels > 0, 1.0, -1.0)[:, None]
    weight = numpy.where((labels > 0)[:, None], settings.positive_weight, 1.0)
    margin = sign * scores
    value = numpy.logaddexp(0, -margin)
    return (weight * value).mean(0), -weight * sign * numpy.exp(-numpy.logaddexp(0, margin)) / len(labels)


def _hinge(scores: Any, labels: Any, settings: Settings) -> Pair:
    sign = numpy.where(labels > 0, 1.0, -1.0)[:, None]
    weight = numpy.where((labels > 0)[:, None], settings.positive_weight, 1.0)
    lacking = numpy.maximum(settings.margin - sign * scores, 0)
    return (weight * lacking).mean(0), -weight * sign * (lacking > 0) / len(labels)


def _softmax(scores: Any, labels: Any, settings: Settings) -> Pair:
    shifted = scores - scores.max(1, keepdims=True)
    exponent = numpy.exp(shifted)
    probability = exponent / exponent.sum(1, keepdims=True)
    rows, classes = numpy.arange(len(labels)), labels.astype(int)
    weight = 1.0 if settings.class_weights is None else settings.class_weights[classes][:, None]
    value = (-numpy.log(numpy.maximum(probability[rows, classes], 1e-12)) * weight).mean(0)
    gradient = probability
    gradient[rows, classes] -= 1
    if settings.class_weights is not None:
        gradient *= weight[:, :, None]
    return value, gradient / len(labels)


_LOSSES: dict[str, Callable[[Any, Any, Settings], Pair]] = {
    "squared_loss": _squared,
    "absolute_loss": _absolute,
    "eps_insensitive_squared_loss": _insensitive_squared,
    "eps_insensitive_absolute_loss": _insensitive_absolute,
    "quantile_loss": _quantile,
    "huber_loss": _huber,
    "logistic": _logistic,
    "hinge_loss": _hinge,
    "softmax_loss": _softmax,
}
OF_PREDICTOR = {
    "regressor": (
        *("squared_loss", "absolute_loss", "eps_insensitive_squared_loss", "eps_insensitive_absolute_loss"),
        *("quantile_loss", "huber_loss"),
    ),
    "binary_classifier": ("logistic", "hinge_loss"),
    "multiclass_classifier": ("softmax_loss",),
}
