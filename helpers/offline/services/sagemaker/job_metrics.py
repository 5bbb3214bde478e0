"""The metrics of a training job: the definitions that SageMaker injects, and what they find in the log."""

from __future__ import annotations

import logging
import re
import struct
from typing import Any

from helpers.offline.kernel import AwsError, Kernel
from helpers.offline.services.sagemaker.algorithms.xgboost_hyperparameters import METRICS as XGBOOST
from helpers.offline.services.sagemaker.images import Image
from helpers.offline.services.sagemaker.records import TrainingJob

NAMESPACE = "/aws/sagemaker/TrainingJobs"
log = logging.getLogger("offline.sagemaker")
_NUMBER = r"([-+]?[0-9]*\.?[0-9]+(?:[eE][-+]?[0-9]+)?)"
_LINEAR = (
    *("absolute_loss", "mse", "objective_loss", "binary_classification_accuracy", "binary_f_beta", "precision"),
    *("recall", "roc_auc_score", "dcg", "macro_recall", "macro_precision", "macro_f_beta", "multiclass_accuracy"),
    *("multiclass_top_k_accuracy", "rmse"),
)


def injected(image: Image) -> list[dict[str, str]]:
    """The MetricDefinitions of a built-in algorithm, as DescribeTrainingJob shows them."""
    match image.algorithm:
        case "xgboost":
            found = {
                f"{data}:{name}": rf".*\[[0-9]+\].*#011{data}-{name}:{_NUMBER}.*"
                for name in XGBOOST
                for data in ("train", "validation")
            }
        case "linear-learner":
            found = {
                f"{data}:{name}": rf"#quality_metric: host=\S+, {data} {name} <\S+>={_NUMBER}"
                for name in _LINEAR
                for data in ("validation", "test")
            }
            found["validation:objective_loss"] = (
                rf"#quality_metric: host=\S+, (?:epoch=\S+, )?validation \S*objective\S* <loss>={_NUMBER}"
            )
            found["train:objective_loss"] = rf"#quality_metric: host=\S+, epoch=\S+, train \S+ <loss>={_NUMBER}"
        case _:
            found = {
                f"test:{name}": rf"#quality_metric: host=\S+, test {name} <\S+>={_NUMBER}"
                for name in ("accuracy", "mse")
            }
    return [{"Name": name, "Regex": regex} for name, regex in found.items()]


class Extraction:
    """Reads metrics from log lines, written as CloudWatch shows them (a tab is #011)."""

    def __init__(self, definitions: list[dict[str, str]]) -> None:
        self.patterns = {entry["Name"]: re.compile(entry["Regex"]) for entry in definitions}
        self.seen: dict[str, list[tuple[float, float]]] = {}  # name -> [(value, time)]
        self._hints = {name: _hint(pattern.pattern) for name, pattern in self.patterns.items()}

    def read(self, line: str, now: float) -> None:
        for name, pattern in self.patterns.items():
            if self._hints[name] not in line:
                continue
            match = pattern.search(line)
            if match:
                try:
                    value = float(match[1])
                except (ValueError, IndexError):
                    continue
                self.seen.setdefault(name, []).append((as_float32(value), now))


def _hint(pattern: str) -> str:
    """A piece of text that every match holds, so that most lines need no regular expression."""
    pieces = re.findall(r"[A-Za-z0-9_#:-]{4,}(?![*+?{\]])", re.sub(r"\\.|\[[^\]]*\]|\([^)]*\)", " ", pattern))
    return max(pieces, key=len) if pieces and "|" not in pattern else ""


def as_float32(value: float) -> float:
    """SageMaker keeps metrics in 32 bits."""
    return struct.unpack("f", struct.pack("f", value))[0]


def final(seen: dict[str, tuple[float, float]]) -> list[dict[str, Any]]:
    return [{"MetricName": name, "Value": value, "Timestamp": float(int(when))} for name, (value, when) in seen.items()]


def put(kernel: Kernel, job: TrainingJob, seen: dict[str, list[tuple[float, float]]]) -> None:
    """CloudWatch's metrics of the job, by the second: of several values in one, the last."""
    try:
        for name, values in seen.items():
            for second, value in {int(when): value for value, when in values}.items():
                kernel.ports.metrics.put(
                    kernel.account_id,
                    job.region,
                    NAMESPACE,
                    name,
                    {"TrainingJobName": job.name},
                    value,
                    timestamp=float(second),
                )
    except AwsError as error:
        log.info("no metric is put: %s", error.message)
