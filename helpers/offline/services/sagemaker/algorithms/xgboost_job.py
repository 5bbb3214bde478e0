"""A training job of the built-in XGBoost algorithm, as its container's algorithm mode runs it.

Source: aws/sagemaker-xgboost-container, algorithm_mode/train.py.
"""

from __future__ import annotations

import signal
import sys
from typing import Any

from helpers.offline.services.sagemaker.algorithms import xgboost_data, xgboost_hyperparameters, xgboost_metrics
from helpers.offline.services.sagemaker.algorithms.errors import AlgorithmError, UserError
from helpers.offline.services.sagemaker.algorithms.job_directory import JobDirectory, framework_log, say

MODEL_NAME = "xgboost-model"
# Parts of xgboost's texts that the container takes for a mistake of its user.
CUSTOMER_ERRORS = (
    "Label must be in [0,1] for logistic regression",
    "base_score must be in (0,1) for logistic loss",
    "Check failed: base_score > 0.0f && base_score < 1.0f base_score must be in (0,1) for logistic loss",
    "feature_names mismatch",
    "label and prediction size not match",
    "label must be nonnegative",
    "label must be discrete values in the range of [0, num_class)",
    "Number of columns does not match number of features in booster",
    "Must have at least 1 validation dataset for early stopping",
    "Check failed: valid: Label contains NaN",
)


def main(job: JobDirectory) -> int:
    image = job.resources.get("image_version", "3.2-0")
    framework_log("Imported framework sagemaker_xgboost_container.training")
    for name, value in job.hyperparameters.items():
        if not value.replace(".", "").isdigit():
            framework_log(f"Failed to parse hyperparameter {name} value {value} to Json.\nReturning the value itself")
    framework_log("No GPUs detected (normal if no gpus installed)")
    framework_log("Running XGBoost Sagemaker in algorithm mode")
    framework_log("Determined 0 GPU(s) available on the instance.")
    if image != "3.2-0":
        framework_log(f"Offline, image {image} is served by xgboost 3.2.0, what image 3.2-0 holds.")
    train(job)
    return 0


def train(job: JobDirectory) -> None:
    hyperparameters = xgboost_hyperparameters.validate(job.hyperparameters)
    xgboost_data.check_channels(job)
    threads = hyperparameters.setdefault("nthread", job.resources["threads"])
    weights = bool(hyperparameters.pop("csv_weights", 0))
    _import_xgboost()
    matrices = {
        name: xgboost_data.matrix(job, name, csv_weights=weights, threads=threads) for name in ("train", "validation")
    }
    framework_log("Single node training.")
    _boost(job, hyperparameters, matrices["train"], matrices["validation"])


def _import_xgboost() -> None:
    """Without scikit-learn, which xgboost would import for wrappers that nobody uses here (1 s, 100 MB)."""
    sys.modules["sklearn"] = None  # type: ignore[assignment]
    import xgboost  # noqa: F401

    del sys.modules["sklearn"]


def _boost(job: JobDirectory, given: dict[str, Any], matrix: Any, validation: Any) -> None:
    import xgboost

    rounds = given.pop("num_round")
    tuning_metric = given.pop("_tuning_objective_metric", "").rpartition(":")[2]
    listed = given.pop("eval_metric", [])
    patience = given.pop("early_stopping_rounds", None)
    saves_early = given.pop("save_model_on_termination", "false") == "true"
    for unknown in ("_kfold", "_num_cv_round", "use_dask_gpu_training", "deterministic_histogram"):
        if unknown in given and unknown == "_kfold":
            raise UserError("The offline AWS does not support the hyperparameter _kfold.")
        given.pop(unknown, None)
    native, computed = _split_metrics(list(dict.fromkeys([*listed, *filter(None, [tuning_metric])])), given)
    if native:
        given["eval_metric"] = native
    callbacks: list[Any] = [xgboost.callback.EvaluationMonitor(logger=_print_line)]
    stopping_metric = tuning_metric or (listed[-1] if listed else None)
    if patience and validation is not None and stopping_metric:
        callbacks.append(
            xgboost.callback.EarlyStopping(
                patience,
                metric_name=stopping_metric,
                data_name="validation",
                maximize=stopping_metric.partition("@")[0] in xgboost_hyperparameters.MAXIMIZED,
                save_best=True,
            )
        )
    if saves_early:
        callbacks.append(_save_each_round(job))
    watched = [(matrix, "train")] + ([(validation, "validation")] if validation is not None else [])
    framework_log(f"Train matrix has {matrix.num_row()} rows and {matrix.num_col()} columns")
    if validation is not None:
        framework_log(f"Validation matrix has {validation.num_row()} rows")
    try:
        booster = xgboost.train(
            given,
            matrix,
            num_boost_round=rounds,
            evals=watched,
            custom_metric=xgboost_metrics.custom_metric(computed) if computed else None,
            callbacks=callbacks,
            verbose_eval=False,
        )
    except Exception as error:
        if any(text in str(error) for text in CUSTOMER_ERRORS):
            raise UserError(str(error)) from None
        raise AlgorithmError(f"XGB train call failed with exception:\n {error}") from error
    _save(job, booster)


def _split_metrics(names: list[str], given: dict[str, Any]) -> tuple[list[str], list[str]]:
    """(what xgboost computes, what the container computes).

    The container computes rmse itself; where it is the objective's own metric, xgboost's is the same number.
    """
    squared = given.get("objective", "reg:squarederror") in ("reg:squarederror", "reg:linear")
    computed = [name for name in names if name in xgboost_metrics.COMPUTED and not (name == "rmse" and squared)]
    native = [name for name in names if name not in computed]
    if native == ["rmse"] and squared and computed:
        native = []  # without a metric of its own xgboost shows the objective's, which is this one
    return native, computed


def _print_line(line: str) -> None:
    say(line.rstrip("\n"))


def _save(job: JobDirectory, booster: Any) -> None:
    job.model.mkdir(parents=True, exist_ok=True)
    path = job.model / MODEL_NAME
    path.write_bytes(bytes(booster.save_raw("ubj")))


def _save_each_round(job: JobDirectory) -> Any:
    import xgboost

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))

    class SaveEachRound(xgboost.callback.TrainingCallback):
        def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
            _save(job, model)
            return False

    return SaveEachRound()
