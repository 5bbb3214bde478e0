"""A training job of Linear Learner: mini-batches, several models side by side, the best of them kept.

The mathematics follows the developer guide (ll_hyperparameters); values that it leaves "auto" without naming them are
chosen here and told in the log.
"""

from __future__ import annotations

import json
from typing import Any

import numpy

from helpers.offline.services.sagemaker.algorithms import linear_losses, linear_scores
from helpers.offline.services.sagemaker.algorithms.errors import CustomerError
from helpers.offline.services.sagemaker.algorithms.first_party import (
    Setting,
    auto_or,
    boolean,
    greet,
    info,
    integer,
    one_of,
    read,
    real,
    validate,
)
from helpers.offline.services.sagemaker.algorithms.job_directory import JobDirectory, say
from helpers.offline.services.sagemaker.algorithms.linear_optimizers import optimizer

MODEL_NAME = "model_algo-1"
PREDICTORS = ("regressor", "binary_classifier", "multiclass_classifier")
RATES = {"adam": 0.005, "sgd": 0.005, "rmsprop": 0.005}
EXPLORED = (1.0, 0.1, 4.0, 0.02)  # times the rate: what models of num_models "auto" try
DECAYS = (0.0, 1e-5, 1e-3, 1e-2)

_AUTO = auto_or(real(0))
SCHEMA: dict[str, Setting] = {
    "predictor_type": Setting(None, one_of(*PREDICTORS)),
    "feature_dim": Setting("auto", auto_or(integer(1, 10_000_000))),
    "num_classes": Setting("auto", auto_or(integer(3, 1_000_000))),
    "mini_batch_size": Setting(1000, integer(1)),
    "epochs": Setting(15, integer(1)),
    "early_stopping_patience": Setting(3, integer(1)),
    "early_stopping_tolerance": Setting(0.001, real(0)),
    "use_bias": Setting(True, boolean),
    "loss": Setting("auto", one_of("auto", *{name for names in linear_losses.OF_PREDICTOR.values() for name in names})),
    "optimizer": Setting("auto", one_of("auto", "sgd", "adam", "rmsprop")),
    "normalize_data": Setting(True, auto_or(boolean)),
    "normalize_label": Setting("auto", auto_or(boolean)),
    "unbias_data": Setting("auto", auto_or(boolean)),
    "unbias_label": Setting("auto", auto_or(boolean)),
    "num_models": Setting("auto", auto_or(integer(1))),
    "wd": Setting("auto", _AUTO),
    "l1": Setting("auto", _AUTO),
    "learning_rate": Setting("auto", _AUTO),
    "init_method": Setting("uniform", one_of("uniform", "normal")),
    "init_scale": Setting(0.07, real(0)),
    "init_sigma": Setting(0.01, real(0)),
    "init_bias": Setting(0.0, float),
    "momentum": Setting("auto", auto_or(real(0, 1))),
    "beta_1": Setting("auto", auto_or(real(0, 1))),
    "beta_2": Setting("auto", auto_or(real(0, 1))),
    "bias_lr_mult": Setting("auto", _AUTO),
    "bias_wd_mult": Setting("auto", _AUTO),
    "use_lr_scheduler": Setting(True, boolean),
    "lr_scheduler_step": Setting("auto", auto_or(integer(1))),
    "lr_scheduler_factor": Setting("auto", auto_or(real(0, 1))),
    "lr_scheduler_minimum_lr": Setting("auto", _AUTO),
    "positive_example_weight_mult": Setting(1.0, lambda text: 1.0 if text in ("auto", "balanced") else real(0)(text)),
    "binary_classifier_model_selection_criteria": Setting("accuracy", str),
    "target_recall": Setting(0.8, real(0, 1)),
    "target_precision": Setting(0.8, real(0, 1)),
    "accuracy_top_k": Setting(3, integer(1)),
    "f_beta": Setting(1.0, real(0)),
    "balance_multiclass_weights": Setting(False, boolean),
    "num_calibration_samples": Setting("auto", auto_or(integer(1))),
    "num_point_for_scaler": Setting(10000, integer(1)),
    "loss_insensitivity": Setting("auto", _AUTO),
    "quantile": Setting(0.5, real(0, 1)),
    "huber_delta": Setting("auto", _AUTO),
    "margin": Setting(1.0, real(0)),
}  # fmt: skip


def main(job: JobDirectory) -> int:
    greet(job, "Offline, Linear Learner is trained by a program of the offline AWS, with the same hyperparameters.")
    settings = validate(job.hyperparameters, SCHEMA, ("predictor_type", *_more_required(job)))
    dim = None if settings["feature_dim"] == "auto" else settings["feature_dim"]
    parts = {name: read(job, name, feature_dim=dim) for name in ("train", "validation", "test")}
    if parts["train"] is None:
        raise CustomerError("The train channel is required (caused by ValidationError)")
    _check_labels(settings, parts["train"][1])
    model = Trainer(settings, "_tuning_objective_metric" in job.hyperparameters).fit(
        parts["train"], parts["validation"]
    )
    for name in ("validation", "test"):
        if parts[name] is not None:
            _report(name, model, *parts[name], settings)
    if parts["test"] is None:
        info("Test data is not provided.")
    job.model.mkdir(parents=True, exist_ok=True)
    (job.model / MODEL_NAME).write_text(json.dumps(model))
    return 0


def _more_required(job: JobDirectory) -> tuple[str, ...]:
    is_multiclass = job.hyperparameters.get("predictor_type") == "multiclass_classifier"
    return ("num_classes",) if is_multiclass else ()


def _check_labels(settings: dict[str, Any], labels: numpy.ndarray) -> None:
    kinds = settings["predictor_type"]
    if kinds == "binary_classifier" and not numpy.isin(labels, (0, 1)).all():
        raise CustomerError("Labels of a binary_classifier must be 0 or 1.")
    if kinds == "multiclass_classifier":
        allowed = numpy.arange(settings["num_classes"])
        if not numpy.isin(labels, allowed).all():
            raise CustomerError(f"Labels must be integers from 0 to {settings['num_classes'] - 1}.")


def _report(channel: str, model: dict[str, Any], rows: numpy.ndarray, labels: numpy.ndarray, settings: Any) -> None:
    scores = linear_scores.scores(model, rows)
    metrics = linear_scores.metrics(model, scores, labels, settings)
    for name, value in metrics.items():
        info(f"#quality_metric: host=algo-1, {channel} {name} <loss>={value}")
    first = "mse" if model["predictor_type"] == "regressor" else "objective_loss"
    if first in metrics:
        info(f"#{channel}_score (algo-1) : ('{first}', {metrics[first]})")


class Trainer:
    def __init__(self, settings: dict[str, Any], is_tuned: bool) -> None:
        self.settings = settings
        self.kind: str = settings["predictor_type"]
        allowed = linear_losses.OF_PREDICTOR[self.kind]
        self.loss_name = allowed[0] if settings["loss"] == "auto" else settings["loss"]
        if self.loss_name not in allowed:
            raise CustomerError(
                f"The loss {self.loss_name} does not go with predictor_type {self.kind} offline: {allowed}"
            )
        self.optimizer = "adam" if settings["optimizer"] == "auto" else settings["optimizer"]
        self.models = settings["num_models"]
        if self.models == "auto":
            self.models = 1 if is_tuned else 32
        self.random = numpy.random.default_rng(0)
        self.classes = settings["num_classes"] if self.kind == "multiclass_classifier" else 1
        names = {"margin": "loss_insensitivity", "huber_delta": "huber_delta"}
        chosen = {key: settings[name] for key, name in names.items() if settings[name] != "auto"}
        self.loss = linear_losses.loss(
            self.loss_name,
            linear_losses.Settings(
                quantile=settings["quantile"], positive_weight=settings["positive_example_weight_mult"], **chosen
            ),
        )

    def fit(self, train: tuple[Any, Any], validation: tuple[Any, Any] | None) -> dict[str, Any]:
        """The best of the models, as plain data."""
        rows, labels = self._scaled(*train, learn=True)
        held = self._scaled(*validation, learn=False) if validation is not None else None
        weights, bias = self._start(rows.shape[1])
        rate, decay, l1 = self._explored()
        info(
            f"Training {self.models} models with {self.optimizer}: learning rates from {rate.min():g} to {rate.max():g}"
        )
        stepper, best, since = optimizer(self.optimizer, self.settings), None, 0
        size, steps = self.settings["mini_batch_size"], 0
        size = min(size, len(rows))
        for epoch in range(self.settings["epochs"]):
            order = self.random.permutation(len(rows))
            total, count = numpy.zeros(self.models), 0
            for start in range(0, len(rows) - size + 1, size):
                chosen = order[start : start + size]
                total += self._step(
                    stepper, weights, bias, rows[chosen], labels[chosen], self._rate(rate, steps), decay, l1
                )
                steps, count = steps + 1, count + 1
            means = total / max(1, count)
            seen = self._loss_of(weights, bias, *held) if held is not None else means
            seen = numpy.where(numpy.isfinite(seen), seen, numpy.inf)
            winner = int(seen.argmin())
            info(
                f"#quality_metric: host=algo-1, epoch={epoch}, train {self.loss_name}_objective <loss>={means[winner]}"
            )
            say(f"#metrics {json.dumps({'Metrics': {'epoch': epoch, 'train_loss': float(means[winner])}})}")
            if best is None or seen[winner] < best[0] * (1 - self.settings["early_stopping_tolerance"]):
                since = 0
            else:
                since += 1
            if best is None or seen[winner] < best[0]:
                best = (float(seen[winner]), winner, weights.copy(), bias.copy())
            if since >= self.settings["early_stopping_patience"]:
                info(f"Early stop condition met after epoch {epoch}.")
                break
        assert best is not None
        _, winner, weights, bias = best
        info(f"Best model: number {winner}, learning rate {rate[winner]:g}, wd {decay[winner]:g}")
        return self._plain(weights[..., winner], bias[..., winner])

    def _start(self, features: int) -> tuple[Any, Any]:
        shape = (features, self.classes, self.models)
        scale = self.settings["init_scale"]
        if self.settings["init_method"] == "uniform":
            weights = self.random.uniform(-scale, scale, shape)
        else:
            weights = self.random.normal(0, self.settings["init_sigma"], shape)
        return weights, numpy.full((self.classes, self.models), float(self.settings["init_bias"]))

    def _explored(self) -> tuple[Any, Any, Any]:
        """Learning rate, weight decay and l1 of each model: what is given holds for all, what is auto is tried out."""
        position = numpy.arange(self.models)
        base = RATES[self.optimizer]
        rate = base * numpy.take(EXPLORED, position % len(EXPLORED))
        decay = numpy.take(DECAYS, position // len(EXPLORED) % len(DECAYS))
        l1 = numpy.zeros(self.models)
        for name, array in (("learning_rate", rate), ("wd", decay), ("l1", l1)):
            if self.settings[name] != "auto":
                array[:] = self.settings[name]
        return rate, decay, l1

    def _rate(self, rate: Any, steps: int) -> Any:
        if not self.settings["use_lr_scheduler"]:
            return rate
        defaults = {"lr_scheduler_step": 100, "lr_scheduler_factor": 0.99, "lr_scheduler_minimum_lr": 1e-5}
        step, factor, least = (
            default if self.settings[name] == "auto" else self.settings[name] for name, default in defaults.items()
        )
        return numpy.maximum(rate * factor ** (steps // step), numpy.minimum(rate, least))

    def _scores(self, weights: Any, bias: Any, rows: Any) -> Any:
        features = weights.shape[0]
        scores = (rows @ weights.reshape(features, -1)).reshape(len(rows), self.classes, self.models) + bias
        return scores if self.classes > 1 else scores[:, 0]

    def _loss_of(self, weights: Any, bias: Any, rows: Any, labels: Any) -> Any:
        total = numpy.zeros(self.models)
        for start in range(0, len(rows), 20000):
            part = slice(start, start + 20000)
            total += self.loss(self._scores(weights, bias, rows[part]), labels[part])[0] * len(labels[part])
        return total / len(rows)

    def _step(
        self, stepper: Any, weights: Any, bias: Any, rows: Any, labels: Any, rate: Any, decay: Any, l1: Any
    ) -> Any:
        value, gradient = self.loss(self._scores(weights, bias, rows), labels)
        gradient = gradient.reshape(len(rows), self.classes, self.models)
        of_weights = (rows.T @ gradient.reshape(len(rows), -1)).reshape(weights.shape)
        of_weights += decay * weights + l1 * numpy.sign(weights)
        stepper.step("weights", weights, of_weights, rate)
        if self.settings["use_bias"]:
            mult = 10.0 if self.settings["bias_lr_mult"] == "auto" else self.settings["bias_lr_mult"]
            stepper.step("bias", bias, gradient.sum(0), rate * min(mult, 10.0) / 10.0)
        return value

    # --- Scaling ----------------------------------------------------------------------------------------------------

    def _scaled(self, rows: Any, labels: Any, *, learn: bool) -> tuple[Any, Any]:
        if learn:
            self._learn_scale(rows, labels)
        return (rows.astype("float64") - self.mean) / self.scale, (labels - self.label_mean) / self.label_scale

    def _learn_scale(self, rows: Any, labels: Any) -> None:
        """From the first num_point_for_scaler rows after a shuffle, as the algorithm does."""
        points = self.random.permutation(len(rows))[: self.settings["num_point_for_scaler"]]
        sample, of_labels = rows[points].astype("float64"), labels[points].astype("float64")
        self.mean, self.scale = numpy.zeros(rows.shape[1]), numpy.ones(rows.shape[1])
        if self.settings["normalize_data"] in (True, "auto"):
            self.scale = numpy.where(sample.std(0) > 0, sample.std(0), 1.0)
            self.mean = sample.mean(0)
        self.label_mean, self.label_scale = 0.0, 1.0
        wanted = self.settings["normalize_label"]
        if self.kind == "regressor" and wanted in (True, "auto"):
            self.label_scale = float(of_labels.std()) or 1.0
            self.label_mean = float(of_labels.mean())

    def _plain(self, weights: Any, bias: Any) -> dict[str, Any]:
        """In the units of the data: nothing needs scaling any more."""
        slope = weights / self.scale[:, None] * self.label_scale
        constant = bias * self.label_scale + self.label_mean - self.mean @ slope
        return {
            "predictor_type": self.kind,
            "loss": self.loss_name,
            "weights": slope.tolist(),
            "bias": constant.tolist(),
            "label_scale": self.label_scale,
        }
