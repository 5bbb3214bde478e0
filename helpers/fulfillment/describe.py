"""Figures of a table of samples, and what is wrong with it: what the data card says, from the data and the truth."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from helpers.fulfillment import samples, truth
from helpers.fulfillment.columns import COLUMNS, CONTEXT_COLUMNS, UNITS
from helpers.fulfillment.scenarios import SCENARIOS

if TYPE_CHECKING:
    import pandas as pd

HEADINGS = ("column", "unit", "lowest", "5 %", "median", "mean", "95 %", "highest", "levels", "missing")
WRONG_HEADINGS = ("column", "what is wrong", "rows", "first row", "value there")
_WHOLE = ("event_id", "station", "sku", "pod", "visit", "associate")
SCENARIO_HEADINGS = ("scenario", "mean duration", "noise floor", "retraining helps", "reason")


def checked(frame: pd.DataFrame) -> tuple[pd.DataFrame | None, list[tuple[str, ...]]]:
    """The rows that are samples (None if the columns are others), and what is wrong with the rest, in words."""
    from pandera.errors import SchemaErrors

    from helpers.fulfillment.schema import SAMPLE_SCHEMA

    with_context = set(CONTEXT_COLUMNS).intersection(frame.columns)
    schema = SAMPLE_SCHEMA if with_context else SAMPLE_SCHEMA.select_columns(list(COLUMNS))
    frame, wrong = _numeric(frame)
    try:
        return schema.validate(frame, lazy=True), wrong
    except SchemaErrors as errors:
        cases = errors.failure_cases
    if cases["index"].isna().any():
        structure = cases[cases["index"].isna()]
        wrong += [
            (str(case["failure_case"]), _column_words(case["check"]), "", "", "") for _, case in structure.iterrows()
        ]
        return None, list(dict.fromkeys(wrong))
    for (column, check), some in cases.groupby(["column", "check"], sort=False):
        first = some.loc[some["index"].astype(int).idxmin()]
        rows = some["index"].nunique()
        wrong.append(
            (str(column), _words(check), f"{rows:,}", f"{int(first['index']) + 1:,}", str(first["failure_case"]))
        )
    good = frame.drop(index=cases["index"].astype(int).unique())
    return (schema.validate(good, lazy=True) if len(good) else None), wrong


def _numeric(frame: pd.DataFrame) -> tuple[pd.DataFrame, list[tuple[str, ...]]]:
    """The rows in which all that should be a number is one, as numbers; what is wrong with the others."""
    import pandas as pd

    wrong, bad = [], pd.Series(False, index=frame.index)
    for name in [name for name in frame if name in UNITS or name in _WHOLE]:
        numbers = pd.to_numeric(frame[name], errors="coerce")
        text = numbers.isna() & frame[name].notna()
        if text.any():
            first = int(text.idxmax())
            row = (name, "is not a number", f"{text.sum():,}", f"{first + 1:,}", str(frame[name][first]))
            wrong.append(row)
            bad |= text
        frame = frame.assign(**{name: numbers})
    return frame[~bad], wrong


def _column_words(check: str) -> str:
    if check.startswith("column_in_dataframe"):
        return "this column is not there"
    if check.startswith("column_in_schema"):
        return "a sample has no such column"
    return "this column is not in its place" if "order" in check else check


def _words(check: str) -> str:
    if found := re.fullmatch(r"in_range\((.+), (.+)\)", check):
        return f"is not from {float(found[1]):,.0f} to {float(found[2]):,.0f}"
    if found := re.fullmatch(r"greater_than_or_equal_to\((.+)\)", check):
        return f"is below {found[1]}"
    if check.startswith("isin("):
        return "is not one of " + check.removeprefix("isin(").strip("()[]").replace("'", "")
    if check.startswith(("coerce_dtype", "dtype")):
        return "is not a number" if "int" in check or "float" in check else "is not of its type"
    return {"not_nullable": "is missing", "field_uniqueness": "occurs more than once"}.get(check, check)


def columns(frame: pd.DataFrame) -> Iterator[tuple[str, ...]]:
    """One row of text per column of the 13."""
    for name in COLUMNS:
        values = frame[name].dropna().to_numpy(dtype=float)
        numbers = [""] * 6
        if len(values):
            low, five, half, most, high = np.quantile(values, [0, 0.05, 0.5, 0.95, 1])
            numbers = [f"{value:,.0f}" for value in (low, five, half, values.mean(), most, high)]
        yield name, UNITS[name], *numbers, f"{len(np.unique(values)):,}", f"{100 * frame[name].isna().mean():.1f} %"


def facts(frame: pd.DataFrame) -> Iterator[tuple[str, str]]:
    """What can be said of the whole; of groups and time only where the context columns are there."""
    duration = frame["duration"].to_numpy(dtype=float)
    yield "samples", f"{len(frame):,}"
    if "time" in frame:
        yield "from, to", f"{frame['time'].min():%Y-%m-%d %H:%M} to {frame['time'].max():%Y-%m-%d %H:%M} UTC"
    yield "standard deviation of the duration", f"{duration.std():,.0f} ms"
    try:
        error = duration - truth.expected_duration(frame)
    except ValueError as reason:
        yield "noise floor", f"not known: {reason}"
    else:
        yield "noise floor (RMSE of the truth)", f"{np.sqrt(np.mean(error**2)):,.0f} ms"
        yield "mean of duration minus truth", f"{error.mean():+,.0f} ms (truth: {(duration - error).mean():,.0f} ms)"
    if "visit" not in frame:
        return
    same = frame.groupby(["visit", "sku", "bin_location", "bin_width"], observed=True)["duration"].size()
    yield "visits, samples per visit", f"{frame['visit'].nunique():,}, {len(frame) / frame['visit'].nunique():.2f}"
    yield "samples on the same bin and item in a visit", f"{len(frame) / len(same):.2f}"
    counted = ", ".join(f"{name} {frame[name].nunique():,}" for name in ("sku", "pod", "associate"))
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
