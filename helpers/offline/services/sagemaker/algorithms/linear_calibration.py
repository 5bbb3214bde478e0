"""The threshold above which a binary classifier says 1, and how good it is there by the criterion of the job."""

from __future__ import annotations

from typing import Any

import numpy


def calibrate(scores: Any, labels: Any, settings: dict[str, Any]) -> tuple[float, float]:
    """(threshold, value): the threshold at which binary_classifier_model_selection_criteria is highest.

    Every cut between two scores is looked at. Where no cut reaches the target, the one that comes nearest to it counts.
    `scores` and `labels` have shape (rows,); labels are 0 or 1.
    """
    order = numpy.argsort(-scores, kind="stable")
    ranked, positive = scores[order], labels[order] > 0
    is_cut = numpy.append(numpy.diff(ranked) != 0, True)  # equal scores are on the same side
    said = numpy.flatnonzero(is_cut) + 1.0  # how many rows are called 1
    right = numpy.cumsum(positive)[is_cut]
    count, total = max(1, int(positive.sum())), len(labels)
    precision, recall = right / said, right / count
    accuracy = (right + (total - said) - (positive.sum() - right)) / total
    match settings["binary_classifier_model_selection_criteria"]:
        case "f_beta":
            beta = settings["f_beta"] ** 2
            value = (1 + beta) * precision * recall / numpy.maximum(beta * precision + recall, 1e-12)
        case "precision_at_target_recall":
            value = _at_target(precision, recall, settings["target_recall"])
        case "recall_at_target_precision":
            value = _at_target(recall, precision, settings["target_precision"])
        case _:
            value = accuracy
    best = int(value.argmax())
    cut = int(said[best])
    below = ranked[cut] if cut < total else ranked[-1] - 1.0
    return float((ranked[cut - 1] + below) / 2), float(value[best])


def _at_target(wanted: Any, held: Any, target: float) -> Any:
    """What is wanted, where the other keeps its target; what misses that counts below, by how much it does."""
    return numpy.where(held >= target, wanted, held - target - 1e-9)
