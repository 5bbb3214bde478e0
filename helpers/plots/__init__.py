"""The course's figures: each displays a picture with its alternative text and prints one sentence of what is in it."""

from helpers.plots.live import error_story, race
from helpers.plots.models import (
    comparison,
    importance,
    learning_curves,
    live_against_test,
    predicted_against_actual,
    score_against_truth,
)
from helpers.plots.samples import durations, features, pod
from helpers.plots.scaling import scaling

__all__ = [
    "comparison",
    "durations",
    "error_story",
    "features",
    "importance",
    "learning_curves",
    "live_against_test",
    "pod",
    "predicted_against_actual",
    "race",
    "scaling",
    "score_against_truth",
]
