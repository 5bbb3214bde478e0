"""Linear Learner's training: mini-batches, several models side by side, the best of them kept.

The mathematics follows the developer guide ("How linear learner works" and its hyperparameters).
"""

from __future__ import annotations

import json
from typing import Any

import numpy

from helpers.offline.services.sagemaker.algorithms import linear_losses
from helpers.offline.services.sagemaker.algorithms.first_party import info
from helpers.offline.services.sagemaker.algorithms.job_directory import say
from helpers.offline.services.sagemaker.algorithms.linear_calibration import calibrate
from helpers.offline.services.sagemaker.algorithms.linear_optimizers import optimizer
from helpers.offline.services.sagemaker.algorithms.linear_scaling import Scaler

RATES = {"adam": 0.005, "sgd": 0.005, "rmsprop": 0.005}
EXPLORED = (1.0, 0.1, 4.0, 0.02)  # times the rate: what models of num_models "auto" try
DECAYS = (0.0, 1e-5, 1e-3, 1e-2)

Table = tuple[Any, Any]  # features (rows, columns), labels (rows,)


class Trainer:
    """`settings` as linear_settings.settings_of has them."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self.settings = settings
        self.models: int = settings["num_models"]
        self.is_binary = settings["predictor_type"] == "binary_classifier"
        self.classes = settings["num_classes"] if settings["predictor_type"] == "multiclass_classifier" else 1
        self.random = numpy.random.default_rng(0)
        self.steps = 0

    def fit(self, train: Table, validation: Table | None) -> dict[str, Any]:
        """The best of the models, as plain data in the units of the data.

        Raises RuntimeError where the loss of no model is a number.
        """
        scaler = Scaler(*train, self.settings, self.random)
        rows, labels = scaler.scaled(*train)
        held = scaler.scaled(*validation) if validation is not None else None
        weights, bias = self._start(rows.shape[1])
        rate, decay, l1 = self._explored()
        self._tell(rate, decay)
        self.loss = linear_losses.loss(self.settings["loss"], self._loss_settings(labels))
        stepper, best, since = optimizer(self.settings), None, 0
        for epoch in range(self.settings["epochs"]):
            means = self._epoch(stepper, weights, bias, rows, labels, rate, decay, l1)
            losses = self._loss_of(weights, bias, *held) if held is not None else means
            seen = self._judged(losses, weights, bias, held)
            winner = int(numpy.lexsort((losses, seen))[0])
            self._report(epoch, means[winner], losses[winner] if held is not None else None)
            if not numpy.isfinite(seen[winner]):
                if best is None:
                    raise RuntimeError("The loss of no model is a finite number. Try a smaller learning_rate.")
                break
            least = abs(best[0]) * self.settings["early_stopping_tolerance"] if best is not None else 0.0
            since = 0 if best is None or best[0] - seen[winner] > least else since + 1
            if best is None or seen[winner] < best[0]:
                best = (float(seen[winner]), winner, weights[..., winner].copy(), bias[..., winner].copy())
            if since >= self.settings["early_stopping_patience"]:
                info(f"Early stop condition met after epoch {epoch}.")
                break
        assert best is not None
        _, winner, weights, bias = best
        info(f"Best model: number {winner}, learning rate {rate[winner]:g}, wd {decay[winner]:g}, l1 {l1[winner]:g}")
        model = self._plain(*scaler.unscaled(weights, bias), scaler.label_scale)
        if self.is_binary:
            model["threshold"] = self._threshold(weights, bias, *(held if held is not None else (rows, labels)))
        return model

    # --- The models -------------------------------------------------------------------------------------------------

    def _start(self, features: int) -> tuple[Any, Any]:
        shape = (features, self.classes, self.models)
        scale = self.settings["init_scale"]
        if self.settings["init_method"] == "uniform":
            weights = self.random.uniform(-scale, scale, shape)
        else:
            weights = self.random.normal(0, self.settings["init_sigma"], shape)
        start = float(self.settings["init_bias"]) if self.settings["use_bias"] else 0.0
        return weights, numpy.full((self.classes, self.models), start)

    def _explored(self) -> tuple[Any, Any, Any]:
        """Learning rate, weight decay and l1 of each model: what is given holds for all, what is auto is tried out."""
        position = numpy.arange(self.models)
        base = RATES[self.settings["optimizer"]]
        rate = base * numpy.take(EXPLORED, position % len(EXPLORED))
        decay = numpy.take(DECAYS, position // len(EXPLORED) % len(DECAYS))
        l1 = numpy.zeros(self.models)
        for name, array in (("learning_rate", rate), ("wd", decay), ("l1", l1)):
            if self.settings[name] != "auto":
                array[:] = self.settings[name]
        return rate, decay, l1

    def _tell(self, rate: Any, decay: Any) -> None:
        info(
            f"Training {self.models} models with {self.settings['optimizer']}: learning rates from {rate.min():g} to "
            f"{rate.max():g}, wd from {decay.min():g} to {decay.max():g}"
        )
        info(f"Hyperparameters in use: {json.dumps(self.settings)}")

    def _loss_settings(self, labels: Any) -> linear_losses.Settings:
        return linear_losses.Settings(
            insensitivity=self.settings["loss_insensitivity"],
            quantile=self.settings["quantile"],
            huber_delta=self.settings["huber_delta"],
            margin=self.settings["margin"],
            positive_weight=self._positive_weights(labels) if self.is_binary else 1.0,
            class_weights=self._class_weights(labels) if self.settings["balance_multiclass_weights"] else None,
        )

    def _positive_weights(self, labels: Any) -> Any:
        """Of each model. `balanced`: both classes weigh the same in sum; `auto`: models try from 1 to that."""
        given = self.settings["positive_example_weight_mult"]
        if isinstance(given, float):
            return numpy.full(self.models, given)
        balanced = (labels <= 0).sum() / max(1, (labels > 0).sum())
        if given == "balanced":
            return numpy.full(self.models, balanced)
        return balanced ** (numpy.arange(self.models) % 3 / 2)

    def _class_weights(self, labels: Any) -> Any:
        """Each class weighs the same in sum, and all rows together what they would without weights."""
        if self.classes == 1:
            return None
        counts = numpy.bincount(labels.astype(int), minlength=self.classes)
        return len(labels) / numpy.maximum(counts, 1) / (counts > 0).sum()

    # --- Epochs -----------------------------------------------------------------------------------------------------

    def _epoch(
        self, stepper: Any, weights: Any, bias: Any, rows: Any, labels: Any, rate: Any, decay: Any, l1: Any
    ) -> Any:
        """The mean loss of each model over the epoch. Rows that do not fill a mini-batch wait for the next epoch."""
        order = self.random.permutation(len(rows))
        size = min(self.settings["mini_batch_size"], len(rows))
        total, count = numpy.zeros(self.models), 0
        for start in range(0, len(rows) - size + 1, size):
            chosen = order[start : start + size]
            now = self._rate(rate)
            total += self._step(stepper, weights, bias, rows[chosen], labels[chosen], now, decay, l1)
            self.steps, count = self.steps + 1, count + 1
        return total / max(1, count)

    def _rate(self, rate: Any) -> Any:
        if not self.settings["use_lr_scheduler"]:
            return rate
        factor = self.settings["lr_scheduler_factor"] ** (self.steps // self.settings["lr_scheduler_step"])
        return numpy.maximum(rate * factor, numpy.minimum(rate, self.settings["lr_scheduler_minimum_lr"]))

    def _step(
        self, stepper: Any, weights: Any, bias: Any, rows: Any, labels: Any, rate: Any, decay: Any, l1: Any
    ) -> Any:
        value, gradient = self.loss(self._scores(weights, bias, rows), labels)
        gradient = gradient.reshape(len(rows), self.classes, self.models)
        of_weights = (rows.T @ gradient.reshape(len(rows), -1)).reshape(weights.shape)
        of_weights += decay * weights + l1 * numpy.sign(weights)
        stepper.step("weights", weights, of_weights, rate)
        if self.settings["use_bias"]:
            of_bias = gradient.sum(0) + decay * self.settings["bias_wd_mult"] * bias
            stepper.step("bias", bias, of_bias, rate * self.settings["bias_lr_mult"])
        return value

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

    # --- Judging ----------------------------------------------------------------------------------------------------

    def _judged(self, losses: Any, weights: Any, bias: Any, held: Table | None) -> Any:
        """What decides about the best model and about early stopping, smaller is better: the criterion of a binary
        classifier on the validation data, else the loss."""
        criterion = self.settings["binary_classifier_model_selection_criteria"]
        judged = losses
        if self.is_binary and criterion != "loss_function" and held is not None:
            rows, labels = self._calibration_sample(*held)
            scores = self._scores(weights, bias, rows)
            judged = numpy.array(
                [-calibrate(scores[:, model], labels, self.settings)[1] for model in range(self.models)]
            )
        return numpy.where(numpy.isfinite(losses), judged, numpy.inf)

    def _calibration_sample(self, rows: Any, labels: Any) -> Table:
        count = self.settings["num_calibration_samples"]
        return rows[:count], labels[:count]

    def _threshold(self, weights: Any, bias: Any, rows: Any, labels: Any) -> float:
        """On the raw score."""
        rows, labels = self._calibration_sample(rows, labels)
        if self.settings["binary_classifier_model_selection_criteria"] == "loss_function" or len(set(labels)) < 2:
            return 0.0
        return calibrate(rows @ weights[:, 0] + bias[0], labels, self.settings)[0]

    def _report(self, epoch: int, train: float, validation: float | None) -> None:
        name = self.settings["loss"]
        info(f"#quality_metric: host=algo-1, epoch={epoch}, train {name}_objective <loss>={train}")
        if validation is not None:
            info(f"#quality_metric: host=algo-1, epoch={epoch}, validation {name}_objective <loss>={validation}")
        say(f"#metrics {json.dumps({'Metrics': {'epoch': epoch, 'train_loss': float(train)}})}")

    def _plain(self, weights: Any, bias: Any, label_scale: float) -> dict[str, Any]:
        return {
            "predictor_type": self.settings["predictor_type"],
            "loss": self.settings["loss"],
            "weights": weights.tolist(),
            "bias": bias.tolist(),
            "label_scale": label_scale,
        }
