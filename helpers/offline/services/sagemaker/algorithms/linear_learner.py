"""A training job of Linear Learner."""

from __future__ import annotations

import json
from typing import Any

import numpy

from helpers.offline.services.sagemaker.algorithms import linear_scores
from helpers.offline.services.sagemaker.algorithms.errors import CustomerError
from helpers.offline.services.sagemaker.algorithms.first_party import greet, info, read
from helpers.offline.services.sagemaker.algorithms.job_directory import JobDirectory
from helpers.offline.services.sagemaker.algorithms.linear_settings import SCHEMA, settings_of
from helpers.offline.services.sagemaker.algorithms.linear_trainer import Trainer

MODEL_NAME = "model_algo-1"
CHANNELS = ("train", "validation", "test")


def main(job: JobDirectory) -> int:
    note = "Offline, Linear Learner is trained by a program of the offline AWS, with the same hyperparameters."
    greet(job, SCHEMA, note)
    settings = settings_of(job.hyperparameters)
    extra = sorted(set(job.channels) - set(CHANNELS))
    if extra:
        raise CustomerError(
            f"Additional properties are not allowed ({extra} were unexpected) (caused by ValidationError)"
        )
    dim = None if settings["feature_dim"] == "auto" else settings["feature_dim"]
    parts = {name: read(job, name, feature_dim=dim) for name in CHANNELS}
    if parts["train"] is None:
        raise CustomerError("The train channel is required (caused by ValidationError)")
    for name, part in parts.items():
        if part is not None:
            _check(name, settings, part, parts["train"][0].shape[1])
    model = Trainer(settings).fit(parts["train"], parts["validation"])
    for name in ("validation", "test"):
        if parts[name] is not None:
            _report(name, model, *parts[name], settings)
    if parts["test"] is None:
        info("Test data is not provided.")
    job.model.mkdir(parents=True, exist_ok=True)
    (job.model / MODEL_NAME).write_text(json.dumps(model))
    return 0


def _check(channel: str, settings: dict[str, Any], part: tuple[Any, Any], features: int) -> None:
    rows, labels = part
    if rows.shape[1] != features:
        raise CustomerError(
            f"The feature dimension of channel '{channel}' is {rows.shape[1]}, that of channel 'train' is {features}."
        )
    match settings["predictor_type"]:
        case "binary_classifier" if not numpy.isin(labels, (0, 1)).all():
            raise CustomerError(f"Labels of a binary_classifier must be 0 or 1; channel '{channel}' holds others.")
        case "multiclass_classifier":
            if not numpy.isin(labels, numpy.arange(settings["num_classes"])).all():
                raise CustomerError(
                    f"Labels must be integers from 0 to {settings['num_classes'] - 1}; '{channel}' holds others."
                )


def _report(channel: str, model: dict[str, Any], rows: Any, labels: Any, settings: dict[str, Any]) -> None:
    metrics = linear_scores.metrics(model, rows, labels, settings)
    for name, value in metrics.items():
        kind = "loss" if name in linear_scores.LOSSES else "score"
        info(f"#quality_metric: host=algo-1, {channel} {name} <{kind}>={value}")
    first = "mse" if "mse" in metrics else "objective_loss"
    info(f"#{channel}_score (algo-1) : ('{first}', {metrics[first]})")
