"""When a tuning job ends a training job before its time: the median rule, and Hyperband's successive halving.

Both look at series of the objective metric, one value an epoch, in which smaller is better.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Protocol

FEWEST_BEFORE = 3  # jobs that must have ended before the median says anything
ETA = 3  # of three jobs that reach a rung one goes on


class Rule(Protocol):
    def is_hopeless(self, name: str, series: Sequence[float], before: Mapping[str, Sequence[float]]) -> bool:
        """`series` of a running job; `before`: those of the jobs that have ended."""
        ...


class Never:
    def is_hopeless(self, name: str, series: Sequence[float], before: Mapping[str, Sequence[float]]) -> bool:
        return False


class MedianRule:
    """Worse now than the median of what the earlier jobs had on average up to the same epoch.

    Source: the developer guide, "Stop training jobs early".
    """

    def is_hopeless(self, name: str, series: Sequence[float], before: Mapping[str, Sequence[float]]) -> bool:
        if not series:
            return False
        epoch = len(series)
        averages = [sum(other[:epoch]) / len(other[:epoch]) for other in before.values() if other]
        return len(averages) >= FEWEST_BEFORE and series[-1] > median(averages)


class Halving:
    """At each rung (MinResource epochs, three times as many, …) only the best third of those that came so far goes on.

    This is Hyperband's bracket of the most aggressive halving, run asynchronously (Li and others, "A system for
    massively parallel hyperparameter tuning", 2020). A job that reaches `most` epochs is stopped, as on AWS.
    """

    def __init__(self, least: int = 1, most: int | None = None) -> None:
        self.most = most
        self.rungs: dict[int, dict[str, float]] = {}  # epochs -> job -> its value there
        self.least = least

    def is_hopeless(self, name: str, series: Sequence[float], before: Mapping[str, Sequence[float]]) -> bool:
        if self.most is not None and len(series) >= self.most:
            return True
        epochs = self.least
        while epochs <= len(series):
            rung = self.rungs.setdefault(epochs, {})
            if name not in rung:
                rung[name] = series[epochs - 1]
                if sorted(rung.values()).index(rung[name]) >= max(1, len(rung) // ETA):
                    return True
            epochs *= ETA
        return False
