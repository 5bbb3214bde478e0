"""What happens after each round of boosting: the line in the log, early stopping, checkpoints, the model so far.

Source: aws/sagemaker-xgboost-container, callback.py.
"""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from helpers.offline.services.sagemaker.algorithms import xgboost_hyperparameters
from helpers.offline.services.sagemaker.algorithms.job_directory import JobDirectory, say

CHECKPOINT_NAME = "xgboost-checkpoint"


@dataclass(frozen=True, slots=True)
class Plan:
    """`metric` is what early stopping would watch: the tuned one, else the last of eval_metric."""

    patience: int | None
    metric: str | None
    has_validation: bool
    saves_early: bool
    is_master: bool


def build(plan: Plan, job: JobDirectory, model_name: str, fold: int | None = None) -> list[Any]:
    import xgboost

    callbacks: list[Any] = [xgboost.callback.EvaluationMonitor(logger=lambda line: say(line.rstrip("\n")))]
    if job.checkpoints is not None and plan.is_master:
        callbacks.append(_checkpoint(job.checkpoints, fold))
    if plan.saves_early and plan.is_master:
        callbacks.append(_save_each_round(job.model / model_name))
    if plan.patience and plan.metric and plan.has_validation:
        callbacks.append(
            xgboost.callback.EarlyStopping(
                rounds=plan.patience,
                metric_name=plan.metric,
                data_name="validation",
                maximize=plan.metric in xgboost_hyperparameters.MAXIMIZED,
                save_best=plan.is_master,
            )
        )
    return callbacks


def _checkpoint(directory: Path, fold: int | None) -> Any:
    """Images 3.x ask for an interval of 0 rounds, by which xgboost writes a checkpoint after the first round alone."""
    import xgboost

    directory = directory if fold is None else directory / f"model-{fold}"
    directory.mkdir(parents=True, exist_ok=True)
    return xgboost.callback.TrainingCheckPoint(directory, name=CHECKPOINT_NAME, interval=0)


def _save_each_round(path: Path) -> Any:
    import xgboost

    from helpers.offline.services.sagemaker.algorithms.xgboost_job import save

    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))

    class SaveEachRound(xgboost.callback.TrainingCallback):
        def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
            save(model, path)
            return False

    return SaveEachRound()
