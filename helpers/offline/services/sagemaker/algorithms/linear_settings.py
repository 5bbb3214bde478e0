"""Linear Learner's hyperparameters: types, ranges and defaults.

Source: the developer guide, "Linear learner hyperparameters". What it leaves "auto" without naming a value is chosen
in AUTO and told in the job's log.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from helpers.offline.services.sagemaker.algorithms import linear_losses
from helpers.offline.services.sagemaker.algorithms.errors import CustomerError
from helpers.offline.services.sagemaker.algorithms.first_party import (
    Setting,
    auto_or,
    boolean,
    integer,
    one_of,
    real,
    validate,
)

PREDICTORS = ("regressor", "binary_classifier", "multiclass_classifier")
CRITERIA = ("accuracy", "f_beta", "precision_at_target_recall", "recall_at_target_precision", "loss_function")
_AUTO = auto_or(real(0))
_AUTO_SHARE = auto_or(real(0, 1))


def _weight(text: str) -> str | float:
    return text if text in ("auto", "balanced") else real(0)(text)


SCHEMA: dict[str, Setting] = {
    "predictor_type": Setting(None, one_of(*PREDICTORS)),
    "feature_dim": Setting("auto", auto_or(integer(1))),
    "num_classes": Setting(None, integer(3, 1_000_000)),
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
    "momentum": Setting("auto", _AUTO_SHARE),
    "beta_1": Setting("auto", _AUTO_SHARE),
    "beta_2": Setting("auto", _AUTO_SHARE),
    "bias_lr_mult": Setting("auto", _AUTO),
    "bias_wd_mult": Setting("auto", _AUTO),
    "use_lr_scheduler": Setting(True, boolean),
    "lr_scheduler_step": Setting("auto", auto_or(integer(1))),
    "lr_scheduler_factor": Setting("auto", _AUTO_SHARE),
    "lr_scheduler_minimum_lr": Setting("auto", _AUTO),
    "positive_example_weight_mult": Setting(1.0, _weight),
    "binary_classifier_model_selection_criteria": Setting("accuracy", one_of(*CRITERIA)),
    "target_recall": Setting(0.8, real(0, 1)),
    "target_precision": Setting(0.8, real(0, 1)),
    "accuracy_top_k": Setting(3, integer(1)),
    "f_beta": Setting(1.0, real(0)),
    "balance_multiclass_weights": Setting(False, boolean),
    "num_calibration_samples": Setting("auto", auto_or(integer(1))),
    "num_point_for_scaler": Setting(10000, integer(1)),
    "loss_insensitivity": Setting(0.01, real(0)),
    "quantile": Setting(0.5, real(0, 1)),
    "huber_delta": Setting(1.0, real(0)),
    "margin": Setting(1.0, real(0)),
}
# What "auto" means here where the guide names no value. num_models is 1 under a tuning job.
AUTO: dict[str, Any] = {
    "optimizer": "adam",
    "num_models": 32,
    "momentum": 0.9,
    "beta_1": 0.9,
    "beta_2": 0.999,
    "bias_lr_mult": 1.0,
    "bias_wd_mult": 0.0,
    "lr_scheduler_step": 100,
    "lr_scheduler_factor": 0.99,
    "lr_scheduler_minimum_lr": 1e-5,
    "num_calibration_samples": 10000,
    "normalize_data": True,
}


def settings_of(given: Mapping[str, str]) -> dict[str, Any]:
    """All hyperparameters with their values, "auto" only where the trainer tries several. Raises CustomerError."""
    is_multiclass = given.get("predictor_type") == "multiclass_classifier"
    settings = validate(given, SCHEMA, ("predictor_type", "num_classes") if is_multiclass else ("predictor_type",))
    settings |= {name: value for name, value in AUTO.items() if settings[name] == "auto"}
    if "_tuning_objective_metric" in given:
        settings["num_models"] = 1
    allowed = linear_losses.OF_PREDICTOR[settings["predictor_type"]]
    if settings["loss"] == "auto":
        settings["loss"] = allowed[0]
    if settings["loss"] not in allowed:
        raise CustomerError(
            f"'{settings['loss']}' is not valid under any of the given schemas (caused by ValidationError): the losses "
            f"of a {settings['predictor_type']} are {', '.join(allowed)}"
        )
    is_regression = settings["predictor_type"] == "regressor"
    for name, wanted in (
        ("unbias_data", settings["use_bias"]),
        ("unbias_label", settings["use_bias"]),
        ("normalize_label", True),
    ):
        if settings[name] == "auto":
            settings[name] = wanted
    settings["unbias_data"] &= settings["use_bias"]
    settings["unbias_label"] &= settings["use_bias"] and is_regression
    settings["normalize_label"] &= is_regression
    return settings
