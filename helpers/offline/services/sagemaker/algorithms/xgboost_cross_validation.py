"""XGBoost with _kfold: a model for each fold, all of them kept, and what they predict for the rows they did not see.

As in the container, the printed metrics of a fold are those on the whole train and validation channels, and a job
without a validation channel, or without an objective and num_class, fails.

Source: aws/sagemaker-xgboost-container, algorithm_mode/train.py and prediction_utils.py.
"""

from __future__ import annotations

from typing import Any

import numpy

from helpers.offline.services.sagemaker.algorithms import xgboost_callbacks
from helpers.offline.services.sagemaker.algorithms.job_directory import JobDirectory, framework_log, say

PREDICTIONS = "predictions.csv"


def run(
    job: JobDirectory,
    given: dict[str, Any],
    matrices: Any,
    plan: xgboost_callbacks.Plan,
    options: dict[str, Any],
    folds: int,
    repeats: int,
) -> list[Any]:
    """The boosters of all folds, in order. Writes predictions.csv: label, mean prediction (and the class)."""
    import xgboost
    from sklearn.model_selection import RepeatedKFold, RepeatedStratifiedKFold

    both = matrices.both
    framework_log(f"Run {repeats}-round of {folds}-fold cross validation with {both.num_row()} rows")
    labels = both.get_label()
    classifies = bool(given.get("num_class") or given.get("objective").startswith("binary:"))
    splitter = (RepeatedStratifiedKFold if classifies else RepeatedKFold)(n_splits=folds, n_repeats=repeats)
    watched = [(matrices.train, "train")]
    if matrices.validation is not None:
        watched.append((matrices.validation, "validation"))
    boosters: list[Any] = []
    results: list[dict[str, Any]] = []
    predicted: list[list[Any]] = [[] for _ in labels]
    for learned, held in splitter.split(numpy.zeros(len(labels)), labels if classifies else None):
        framework_log(f"Train cross validation fold {len(boosters) % folds + 1}")
        name = f"xgboost-model-{len(boosters)}"
        history: dict[str, Any] = {}
        booster = xgboost.train(
            given,
            both.slice(learned),
            evals=watched,
            evals_result=history,
            callbacks=xgboost_callbacks.build(plan, job, name, len(boosters)),
            verbose_eval=False,
            **options,
        )
        boosters.append(booster)
        results.append(history)
        for row, prediction in zip(held, booster.predict(both.slice(held)), strict=True):
            predicted[row].append(prediction)
        if len(boosters) % folds == 0:
            framework_log(f"The metrics of round {len(boosters) // folds} cross validation")
            say(_means(options["num_boost_round"], results[-folds:]))
    _write(job, labels, predicted, classifies)
    if repeats > 1:
        framework_log(f"The overall metrics of {repeats}-round cross validation")
        say(_means(options["num_boost_round"], results))
    return boosters


def _means(rounds: int, results: list[dict[str, Any]]) -> str:
    line = f"[{rounds}]"
    for name in results[0]["train"]:
        for data in ("train", "validation"):
            line += f"\t{data}-{name}:{numpy.mean([result[data][name][-1] for result in results]):.5f}"
    return line


def _write(job: JobDirectory, labels: Any, predicted: list[list[Any]], classifies: bool) -> None:
    """Of classes: label, mean probability of what was predicted, the class predicted most often."""
    values = numpy.array(predicted)  # (rows, repeats) or (rows, repeats, classes)
    if not classifies:
        columns = [labels, values.mean(1)]
    else:
        classes = values.argmax(-1) if values.ndim > 2 else (values > 0.5).astype(int)
        likely = values.max(-1) if values.ndim > 2 else values
        columns = [labels, likely.mean(1), [numpy.bincount(row).argmax() for row in classes]]
    job.output_data.mkdir(parents=True, exist_ok=True)
    framework_log("Storing predictions on validation set(s) in /opt/ml/output/data/predictions.csv")
    numpy.savetxt(job.output_data / PREDICTIONS, numpy.column_stack(columns), delimiter=",", fmt="%f")
