"""The seeded stream of interactions that everybody in a round is asked about."""

import math
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import quote

import numpy as np
import pandas as pd

from helpers.arena.rounds import RoundError, Settings

Source = Callable[[int, int, str], pd.DataFrame]
WARM_UP_SEED_SHIFT = 1_000_003  # the warm-up asks about other interactions than the round
CONDITIONS_SEED_SHIFT = 2_000_003
_KEPT_SECONDS = 60  # of interactions made ready: about those that can be open at once


class Interaction(NamedTuple):
    """One interaction: asked when it is due, scored when it has ended. Times in seconds of the round's clock."""

    number: int
    due: float
    end: float
    duration_ms: float
    fc_avg_ms: float
    features: str  # the 12 values as CSV, a missing one empty
    query: str  # the same, ready for a URL


def from_fulfillment(rows: int, seed: int, scenario: str) -> pd.DataFrame:
    """Interactions of the simulated world (`helpers.fulfillment`), under a named scenario or ordinary days."""
    from helpers import fulfillment

    if not scenario:
        return fulfillment.generate(rows, seed)
    try:
        return fulfillment.generate(rows, seed, scenario=getattr(fulfillment, scenario))
    except AttributeError:
        raise RoundError(f"helpers.fulfillment has no scenario {scenario!r}.") from None


def _number(value: float) -> str:
    if math.isnan(value):
        return ""
    return str(int(value)) if value == int(value) else repr(round(value, 6))


def read_frame(frame: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Durations in ms, FC averages in ms, and the CSV of the twelve features of each row (`duration` comes first)."""
    names = list(frame.columns)
    start = names.index("duration")
    features = frame[names[start + 1 : start + 13]].to_numpy(dtype=float, na_value=np.nan)
    averages = frame["fc_avg"].to_numpy(dtype=float, na_value=np.nan)
    averages = np.where(np.isnan(averages), np.nanmean(averages), averages)
    lines = [",".join(map(_number, row)) for row in features.tolist()]
    return frame["duration"].to_numpy(dtype=float), averages, lines


@dataclass(slots=True)
class _Block:
    durations: np.ndarray
    averages: np.ndarray
    features: list[str]


class Stream:
    """All interactions of one round, and the order in which they end.

    From interaction `change_from` on (None: never) the conditions are those of the settings' scenario.
    """

    def __init__(self, settings: Settings, source: Source = from_fulfillment, change_from: int | None = None) -> None:
        self.settings = settings
        self.change_from: int | None = None
        count = settings.interactions
        self._before = _Block(*read_frame(source(count, settings.seed, "")))
        self._after: _Block | None = None
        if settings.scenario:
            self._after = _Block(*read_frame(source(count, settings.seed + CONDITIONS_SEED_SHIFT, settings.scenario)))
        self.due = np.arange(count) / settings.rate
        self._made: OrderedDict[int, Interaction] = OrderedDict()
        self._kept = 64 + int(settings.rate * _KEPT_SECONDS)
        self._order()
        if change_from is not None:
            self.change(change_from)

    def __len__(self) -> int:
        return len(self.due)

    def _order(self) -> None:
        durations, averages = self._before.durations.copy(), self._before.averages.copy()
        if self.change_from is not None and self._after is not None:
            durations[self.change_from :] = self._after.durations[self.change_from :]
            averages[self.change_from :] = self._after.averages[self.change_from :]
        self.durations: list[float] = durations.tolist()  # ms, by number
        self.averages: list[float] = averages.tolist()  # of the FC, ms, by number
        self.end = self.due + durations / 1000.0 / self.settings.speed
        order = np.lexsort((np.arange(len(self.end)), self.end))
        self.ending: list[int] = order[self.end[order] <= self.settings.seconds].tolist()
        self.ends: list[float] = self.end[self.ending].tolist()

    def change(self, number: int) -> None:
        """Let the conditions change from interaction `number` on. Raises RoundError without a scenario to change to."""
        if self._after is None:
            raise RoundError("This round has no scenario to change to: name one when the round is made.")
        self.change_from = number
        self._made.clear()
        self._order()

    def interaction(self, number: int) -> Interaction:
        """One of them by its number, made when it is first asked for."""
        made = self._made.get(number)
        if made is None:
            made = self._made[number] = self._make(number)
            if len(self._made) > self._kept:
                self._made.popitem(last=False)
        return made

    def _make(self, number: int) -> Interaction:
        changed = self.change_from is not None and number >= self.change_from
        block = self._after if changed and self._after is not None else self._before
        features = block.features[number]
        return Interaction(
            number,
            number / self.settings.rate,
            float(self.end[number]),
            self.durations[number],
            self.averages[number],
            features,
            "features=" + quote(features, safe=","),
        )


def examples(source: Source, count: int, seed: int) -> list[str]:
    """URL queries of interactions that no round scores: for the check at entry and for the warm-up."""
    return ["features=" + quote(line, safe=",") for line in read_frame(source(count, seed + WARM_UP_SEED_SHIFT, ""))[2]]
