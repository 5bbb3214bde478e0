"""The endless work of one fulfillment centre, one interaction after the other, with scenarios switched on the way.

Needs numpy and the standard library alone.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator

import numpy as np

from helpers.fulfillment import work
from helpers.fulfillment.columns import COLUMNS, CONTEXT_COLUMNS, FCS, REGIONS
from helpers.fulfillment.parameters import NORMAL
from helpers.fulfillment.process import LIVE_START_S, WORLD, Rows, Stream, block, fc_averages
from helpers.fulfillment.scenarios import Scenario

Sample = dict[str, object]
VISITS_PER_BLOCK = 64
VISIT_MAX_S = 240.0  # stations take turns so that a visit has this long before its station is due again


class Interactions:
    """An iterator of samples with plain Python values (`time` in seconds since 1970), in the order in which they begin.

    Parameters: fulfillment centre; interactions per warehouse second; seed of the stream; scenario; world.
    The same arguments and the same switches after the same number of interactions give the same samples.
    """

    def __init__(
        self, fc: str, per_s: float, seed: int, scenario: Scenario | None = None, *, world: int = WORLD,
        start_s: float = LIVE_START_S,
    ) -> None:  # fmt: skip
        if fc not in FCS:
            raise ValueError(f"There is no fulfillment centre {fc!r}; there are {', '.join(FCS)}.")
        visits_per_s = per_s / work.tasks_mean(NORMAL)
        self.fc = fc
        self.stream = Stream(
            world, seed, FCS.index(fc), start_s, visits_per_s, VISITS_PER_BLOCK,
            stations=max(1, math.ceil(visits_per_s * VISIT_MAX_S)), live=True,
        )  # fmt: skip
        self._averages = fc_averages(world)
        self._lock = threading.Lock()
        self._next_block = 0
        self._late: Rows | None = None
        self._ready: Iterator[Sample] = iter(())
        self._scenario = scenario
        self._since_s = start_s

    def __iter__(self) -> Interactions:
        return self

    def __next__(self) -> Sample:
        with self._lock:
            while True:
                sample = next(self._ready, None)
                if sample is not None:
                    return sample
                self._ready = iter(self._next_samples())

    def switch(self, scenario: Scenario | None) -> None:
        """The next interaction is the first of this scenario (None = back to normal)."""
        with self._lock:
            self._scenario = scenario
            self._since_s = self.stream.start_s + self._next_block * self.stream.block_s()
            self._ready, self._late = iter(()), None

    def _next_samples(self) -> list[Sample]:
        middle = self.stream.start_s + (self._next_block + 0.5) * self.stream.block_s()
        parameters = self._scenario.parameters_at(middle - self._since_s, NORMAL) if self._scenario else NORMAL
        rows = block(self.stream, self._next_block, parameters, self._averages)
        self._next_block += 1
        if self._late is not None:
            rows = {name: np.concatenate([self._late[name], values]) for name, values in rows.items()}
        order = np.argsort(rows["time_s"], kind="stable")
        end = self.stream.start_s + self._next_block * self.stream.block_s()
        done = int(np.searchsorted(rows["time_s"], end, side="left", sorter=order))
        self._late = {name: values[order[done:]] for name, values in rows.items()}
        return _samples({name: values[order[:done]] for name, values in rows.items()})


def _samples(rows: Rows) -> list[Sample]:
    """Rows of one fulfillment centre as dictionaries in the order of the columns."""
    n = len(rows["duration"])
    if not n:
        return []
    fc = FCS[int(rows["fc"][0])]
    given = {"time": rows["time_s"].tolist(), "fc": [fc] * n, "region": [REGIONS[fc]] * n}
    names = (*COLUMNS, *CONTEXT_COLUMNS)
    columns = [given[name] if name in given else rows[name].tolist() for name in names]
    return [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]
