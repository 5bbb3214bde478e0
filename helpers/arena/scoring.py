"""What one answer costs, what a window of answers is worth, and who is ahead of whom."""

import json
import math
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum

ABSURD_MS = 600_000.0  # ten minutes: no interaction at a station takes that long
LATENCIES_KEPT = 300


class Outcome(IntEnum):
    """How a participant's API met one question. The numbers are what the store holds: never renumber."""

    OK = 0
    LATE = 1
    UNREACHABLE = 2
    STATUS = 3
    NOT_A_NUMBER = 4
    OUT_OF_RANGE = 5
    TOO_LONG = 6
    REDIRECT = 7
    BUSY = 8
    FORBIDDEN = 9


REASONS = {
    Outcome.OK: "answers",
    Outcome.LATE: "too slow",
    Outcome.UNREACHABLE: "no answer",
    Outcome.STATUS: "HTTP error",
    Outcome.NOT_A_NUMBER: "not a number",
    Outcome.OUT_OF_RANGE: "out of range",
    Outcome.TOO_LONG: "too long",
    Outcome.REDIRECT: "redirects",
    Outcome.BUSY: "overloaded",
    Outcome.FORBIDDEN: "not allowed",
}


def read_prediction(body: bytes) -> tuple[Outcome, float | None]:
    """The prediction in ms that an answer's body holds: `{"prediction_ms": 9876.5}` or a plain number.

    Returns the outcome and, when it is OK, the number. Booleans, NaN and infinities are not numbers here.
    """
    try:
        value = json.loads(body)
        if isinstance(value, dict):
            value = value.get("prediction_ms")
        if isinstance(value, str):
            value = float(value)
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            return Outcome.NOT_A_NUMBER, None
        value = float(value)
    except (ValueError, RecursionError, OverflowError):
        return Outcome.NOT_A_NUMBER, None
    if not 0.0 <= value <= ABSURD_MS:
        return Outcome.OUT_OF_RANGE, None
    return Outcome.OK, value


def error_ms(
    outcome: Outcome, prediction_ms: float | None, duration_ms: float, fc_avg_ms: float, penalty_ms: float
) -> float:
    """Signed error of one answer, in ms; without a usable answer, that of the FC average moved away by the penalty."""
    if outcome == Outcome.OK and prediction_ms is not None:
        return prediction_ms - duration_ms
    fallback = fc_avg_ms - duration_ms
    return math.copysign(abs(fallback) + penalty_ms, fallback)


def rmse(squared_errors: Iterable[float], count: int) -> float | None:
    """Root of the mean of `count` squared errors; None when there are none."""
    return math.sqrt(math.fsum(squared_errors) / count) if count else None


def quantile(values: Sequence[float], share: float) -> float | None:
    """The nearest-rank quantile of `values` (any order), e.g. share 0.95; None when there are none."""
    if not values:
        return None
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, math.ceil(share * len(ordered)) - 1))]


@dataclass(slots=True)
class Tally:
    """One entry's running score: the sliding window, and the whole round."""

    window: int
    recent: deque[float] = field(init=False)
    latencies: deque[float] = field(default_factory=lambda: deque(maxlen=LATENCIES_KEPT))
    total: float = 0.0
    count: int = 0
    answered: int = 0
    _rmse: float | None = field(default=None, init=False)  # of the window, until the next interaction
    _ordered: list[float] | None = field(default=None, init=False)  # the latencies, likewise

    def __post_init__(self) -> None:
        self.recent = deque(maxlen=self.window)

    def add(self, error: float, answered: bool, latency_ms: float | None) -> None:
        """Count one scored interaction: `error` in ms, and whether it was answered as it should be."""
        self._rmse = None
        self.recent.append(error * error)
        self.total += error * error
        self.count += 1
        self.answered += answered
        if latency_ms is not None:
            self._ordered = None
            self.latencies.append(latency_ms)

    @property
    def window_rmse(self) -> float | None:
        """Error in ms over the sliding window; None before the first interaction."""
        if self._rmse is None:
            self._rmse = rmse(self.recent, len(self.recent))
        return self._rmse

    def latency_ms(self, share: float) -> float | None:
        """The quantile of the last latencies, e.g. share 0.95; None when there are none."""
        if self._ordered is None:
            self._ordered = sorted(self.latencies)
        return quantile(self._ordered, share)

    @property
    def round_rmse(self) -> float | None:
        """Error in ms over the whole round; None before the first interaction."""
        return math.sqrt(self.total / self.count) if self.count else None

    @property
    def availability(self) -> float | None:
        """Share of questions that were answered as they should be, from 0 to 1; None before the first."""
        return self.answered / self.count if self.count else None


def ranking(scores: Iterable[tuple[int, float | None, int]], minimum: int) -> list[tuple[int, int | None]]:
    """Order entries: `scores` holds (entry id, error in ms, scored events); ids grow with time of entry.

    Returns (entry id, rank) in board order. Equal errors go to the earlier entry; an entry with fewer than `minimum`
    scored events comes after the ranked ones and has no rank.
    """
    scores = list(scores)
    ranked = sorted((error, entry) for entry, error, count in scores if error is not None and count >= minimum)
    waiting = sorted(entry for entry, error, count in scores if error is None or count < minimum)
    return [(entry, place) for place, (_, entry) in enumerate(ranked, 1)] + [(entry, None) for entry in waiting]
