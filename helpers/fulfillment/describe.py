"""Figures of a table of samples: what the data card says, computed from the data and from the truth."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from helpers.fulfillment import samples, truth
from helpers.fulfillment.columns import COLUMNS, CONTEXT_COLUMNS, UNITS
from helpers.fulfillment.scenarios import SCENARIOS

if TYPE_CHECKING:
    import pandas as pd

HEADINGS = ("column", "unit", "lowest", "5 %", "median", "mean", "95 %", "highest", "levels", "missing")


def columns(frame: pd.DataFrame) -> Iterator[tuple[str, ...]]:
    """One row of text per column of the 13."""
    for name in COLUMNS:
        values = frame[name].dropna().to_numpy(dtype=float)
        low, five, half, most, high = np.quantile(values, [0, 0.05, 0.5, 0.95, 1])
        numbers = [f"{value:,.0f}" for value in (low, five, half, values.mean(), most, high)]
        yield name, UNITS[name], *numbers, f"{len(np.unique(values)):,}", f"{100 * frame[name].isna().mean():.1f} %"


def facts(frame: pd.DataFrame) -> Iterator[tuple[str, str]]:
    """What can be said of the whole."""
    duration = frame["duration"].to_numpy(dtype=float)
    error = duration - truth.expected_duration(frame)
    same = frame.groupby(["visit", "sku", "bin_location", "bin_width"], observed=True)["duration"].size()
    yield "samples", f"{len(frame):,}"
    yield "from, to", f"{frame['time'].min():%Y-%m-%d %H:%M} to {frame['time'].max():%Y-%m-%d %H:%M} UTC"
    yield "standard deviation of the duration", f"{duration.std():,.0f} ms"
    yield "noise floor (RMSE of the truth)", f"{np.sqrt(np.mean(error**2)):,.0f} ms"
    yield "mean of duration minus truth", f"{error.mean():+,.0f} ms (truth's mean: {(duration - error).mean():,.0f} ms)"
    yield "visits, samples per visit", f"{frame['visit'].nunique():,}, {len(frame) / frame['visit'].nunique():.2f}"
    yield "samples on the same bin and item in a visit", f"{len(frame) / len(same):.2f}"
    counted = ", ".join(
        f"{name} {frame[name].nunique():,}" for name in CONTEXT_COLUMNS if name in ("sku", "pod", "associate")
    )
    yield "numbers that occur", counted


def scenarios(rows: int) -> Iterator[tuple[str, ...]]:
    """One row of text for ordinary times, then one per scenario, fully arrived."""
    for name, scenario in {"(ordinary)": None, **SCENARIOS}.items():
        arrived = scenario.sudden() if scenario else None
        frame = samples.generate(rows, 1, arrived)
        floor = truth.noise_floor(frame, arrived)
        helps = "" if scenario is None else "yes" if scenario.retraining_helps else "no"
        reason = scenario.reason if scenario else ""
        yield name, f"{frame['duration'].mean():,.0f} ms", f"{floor:,.0f} ms", helps, reason
