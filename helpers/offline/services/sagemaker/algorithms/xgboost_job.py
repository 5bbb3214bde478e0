"""A training job of the built-in XGBoost algorithm, as its container's algorithm mode runs it.

Source: aws/sagemaker-xgboost-container, algorithm_mode/train.py.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from helpers.offline.services.sagemaker.algorithms import (
    xgboost_callbacks,
    xgboost_data,
    xgboost_hyperparameters,
    xgboost_metrics,
)
from helpers.offline.services.sagemaker.algorithms.errors import AlgorithmError, UserError
from helpers.offline.services.sagemaker.algorithms.job_directory import JobDirectory, framework_log

MODEL_NAME = "xgboost-model"
# Parts of xgboost's texts that the container takes for a mistake of its user.
CUSTOMER_ERRORS = (
    "label must be in [0,1] for logistic regression",
    "label must be in [0, num_class)",
    "label must be discrete values in the range of [0, num_class)",
    "Target is multiclass but average='binary'",
    "feature_names mismatch",
    "Check failed: preds.size() == info.labels_.size()",
    "Check failed: !auc_error AUC: the dataset only contains pos or neg samples",
    "Check failed: base_score > 0.0f && base_score < 1.0f base_score must be in (0,1) for logistic loss",
    "label must be nonnegative",
    "Parameter reg_lambda should be greater equal to 0",
)


@dataclass(slots=True)
class Matrices:
    """`both` is read where cross validation needs it; `validation` is None without data."""

    train: Any
    validation: Any
    both: Any


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
    """Raises UserError or AlgorithmError."""
    given = xgboost_hyperparameters.validate(job.hyperparameters)
    xgboost_data.check_channels(job)
    if given.pop("use_dask_gpu_training", "false") == "true":
        raise UserError(
            "Some configurations unsuitable for Dask GPU training were found: the instance type has no GPU, and the "
            "offline AWS has none at all."
        )
    if given.get("objective") == "reg:linear" and not job.resources.get("image_version", "3").startswith("3"):
        given["objective"] = "reg:squarederror"  # the same; xgboost 3 cannot cut a model of the old name to its best
    if "updater" in given:
        given["updater"] = ",".join(given["updater"])
    threads = given.setdefault("nthread", job.resources["threads"])
    weights = bool(given.pop("csv_weights", 0))
    if "validation" in job.channels:
        xgboost_data.warn_of_duplicates(job)
    import_xgboost()

    def read(*channels: str) -> Any:
        return xgboost_data.matrix(job, channels, csv_weights=weights, threads=threads)

    matrices = Matrices(read("train"), read("validation"), None)
    if "_kfold" in given:
        matrices.both = read("train", "validation") if matrices.validation is not None else matrices.train
    if len(job.resources["hosts"]) > 1:
        from helpers.offline.services.sagemaker.algorithms import xgboost_cluster

        xgboost_cluster.run(job, matrices, lambda is_master: boost(job, given, matrices, is_master))
        return
    if matrices.train is None:
        raise xgboost_data.no_data("train")
    if "validation" in job.channels and matrices.validation is None:
        raise xgboost_data.no_data("validation")
    framework_log("Single node training.")
    boost(job, given, matrices, True)


def import_xgboost() -> None:
    """Without scikit-learn, which xgboost would import for wrappers that nobody uses here (1 s, 100 MB)."""
    if "xgboost" in sys.modules:
        return
    sys.modules["sklearn"] = None  # type: ignore[assignment]
    import xgboost  # noqa: F401

    del sys.modules["sklearn"]


def boost(job: JobDirectory, given: dict[str, Any], matrices: Matrices, is_master: bool) -> None:
    """Trains on this host's matrices, together with the other hosts where there are any; the master saves.

    Raises UserError or AlgorithmError.
    """
    given = dict(given)
    rounds = given.pop("num_round")
    tuned = given.pop("_tuning_objective_metric", None)
    listed: list[str] = given.pop("eval_metric", [])
    plan = xgboost_callbacks.Plan(
        patience=given.pop("early_stopping_rounds", None),
        metric=tuned.rpartition(":")[2] if tuned else (listed[-1] if listed else None),
        has_validation=matrices.validation is not None,
        saves_early=given.pop("save_model_on_termination", "false") == "true",
        is_master=is_master,
    )
    if tuned:
        framework_log(f"Setting up HPO optimized metric to be : {plan.metric}")
    native, computed = _split_metrics(_union([plan.metric] if tuned else [], listed), given)
    given |= {"eval_metric": native} if native else {}
    options = {"num_boost_round": rounds, "custom_metric": xgboost_metrics.custom_metric(computed)}
    folds, repeats = given.pop("_kfold", None), given.pop("_num_cv_round", 1)
    framework_log(f"Train matrix has {matrices.train.num_row()} rows and {matrices.train.num_col()} columns")
    if matrices.validation is not None:
        framework_log(f"Validation matrix has {matrices.validation.num_row()} rows")
    try:
        if folds is None:
            boosters = [_train(job, given, matrices, plan, options)]
            names = [MODEL_NAME]
        else:
            from helpers.offline.services.sagemaker.algorithms import xgboost_cross_validation

            boosters = xgboost_cross_validation.run(job, given, matrices, plan, options, folds, repeats)
            names = [f"{MODEL_NAME}-{number}" for number in range(len(boosters))]
    except Exception as error:
        if any(text in str(error) for text in CUSTOMER_ERRORS):
            raise UserError(str(error)) from None
        raise AlgorithmError(f"XGB train call failed with exception:\n {error}") from error
    if is_master:
        for name, booster in zip(names, boosters, strict=True):
            save(booster, job.model / name)


def _train(job: JobDirectory, given: dict[str, Any], matrices: Matrices, plan: Any, options: dict[str, Any]) -> Any:
    import xgboost

    watched = [(matrices.train, "train")]
    if matrices.validation is not None:
        watched.append((matrices.validation, "validation"))
    callbacks = xgboost_callbacks.build(plan, job, MODEL_NAME)
    return xgboost.train(given, matrices.train, evals=watched, callbacks=callbacks, verbose_eval=False, **options)


def _union(tuned: list[str], listed: list[str]) -> list[str]:
    """As the container has it: sorted where both are given, so that all hosts have the same order."""
    return sorted({*tuned, *listed}) if tuned and listed else list(dict.fromkeys(tuned or listed))


def _split_metrics(names: list[str], given: dict[str, Any]) -> tuple[list[str], list[str]]:
    """(what xgboost computes, what the container computes).

    The container computes rmse itself; where it is the objective's own metric, xgboost's is the same number.
    """
    objective = given.get("objective", "multi:softmax" if "num_class" in given else "reg:squarederror")
    squared = objective in ("reg:squarederror", "reg:linear")
    computed = [name for name in names if name in xgboost_metrics.COMPUTED and not (name == "rmse" and squared)]
    native = [name for name in names if name not in computed]
    if native == ["rmse"] and squared and computed:
        native = []  # without a metric of its own xgboost shows the objective's, which is this one
    return native, computed


def save(booster: Any, path: Path) -> None:
    """In UBJSON, whatever the name; whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.parent.with_name(f"{path.name}.unfinished")
    unfinished.write_bytes(bytes(booster.save_raw("ubj")))
    unfinished.replace(path)
