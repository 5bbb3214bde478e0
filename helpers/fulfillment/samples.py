"""Samples as tables: generate millions, load the shipped history, read messages back."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from helpers.fulfillment.columns import COLUMNS, CONTEXT_COLUMNS, FCS, REGIONS
from helpers.fulfillment.process import WORLD, Rows, Stream, blocks
from helpers.fulfillment.scenarios import Scenario

if TYPE_CHECKING:
    import pandas as pd

HISTORY = Path(__file__).resolve().parents[2] / "data" / "history.parquet"
HISTORY_SEED = 0
HISTORY_ROWS = 200_000
CHUNK_ROWS = 100_000


def generate(
    rows: int, seed: int = 0, scenario: Scenario | None = None, *, world: int = WORLD, fc: str | None = None,
    start_s: float | None = None,
) -> pd.DataFrame:  # fmt: skip
    """So many samples as a table: the 13 columns, then the context; the same for the same arguments, always.

    Parameters: number of rows; seed of the stream (0 is the shipped history); scenario, from the start of the stream
    on; world (its catalogue, people and places); one fulfillment centre, or all (None); start in seconds since 1970.
    """
    import pandas as pd

    parts = list(chunks(rows, seed, scenario, world=world, fc=fc, start_s=start_s))
    return pd.concat(parts, ignore_index=True) if len(parts) > 1 else parts[0]


def chunks(
    rows: int, seed: int = 0, scenario: Scenario | None = None, *, world: int = WORLD, fc: str | None = None,
    start_s: float | None = None, chunk_rows: int = CHUNK_ROWS,
) -> Iterator[pd.DataFrame]:  # fmt: skip
    """The same samples in tables of `chunk_rows`, in order of time; the chunk size does not change them."""
    if rows < 1 or chunk_rows < 1:
        raise ValueError(f"At least one row is needed, got rows={rows}, chunk_rows={chunk_rows}.")
    options = {} if start_s is None else {"start_s": start_s}
    stream = Stream(world=world, seed=seed, fc=None if fc is None else FCS.index(fc), **options)
    waiting: list[Rows] = []
    held, left = 0, rows
    for batch in in_order_of_time(stream, scenario):
        waiting.append(batch)
        held += len(batch["duration"])
        while left and held >= min(chunk_rows, left):
            joined = _joined(waiting)
            take = min(chunk_rows, left)
            yield table({name: values[:take] for name, values in joined.items()})
            waiting = [{name: values[take:] for name, values in joined.items()}]
            held -= take
            left -= take
        if not left:
            return


def in_order_of_time(stream: Stream, scenario: Scenario | None = None) -> Iterator[Rows]:
    """Interactions of a stream, block after block, in the order in which they begin."""
    late: Rows | None = None
    for index, found in enumerate(blocks(stream, scenario)):
        rows = found if late is None else _joined([late, found])
        order = np.argsort(rows["time_s"], kind="stable")
        end = stream.start_s + (index + 1) * stream.block_s()
        done = int(np.searchsorted(rows["time_s"], end, side="left", sorter=order))
        yield {name: values[order[:done]] for name, values in rows.items()}
        late = {name: values[order[done:]] for name, values in rows.items()}


def table(rows: Rows) -> pd.DataFrame:
    """Arrays of the process as the table that learners see."""
    import pandas as pd

    whole = {
        "item_quantity",
        "fc_avg",
        "duration",
        "bin_location",
        "bin_width",
        "bin_height",
        "bin_depth",
        "bin_clutter",
    }
    data: dict[str, object] = {name: rows[name].astype(np.int32 if name in whole else np.float32) for name in COLUMNS}
    fc = rows["fc"]
    data["event_id"] = rows["event_id"]
    data["time"] = pd.to_datetime(np.rint(rows["time_s"] * 1000.0).astype("int64"), unit="ms", utc=True)
    data["fc"] = pd.Categorical.from_codes(fc, categories=list(FCS))
    data["region"] = pd.Categorical.from_codes(fc, categories=[REGIONS[name] for name in FCS])
    for name in ("station", "sku", "pod", "visit", "associate"):
        data[name] = rows[name].astype(np.int64 if name == "visit" else np.int32)
    return pd.DataFrame(data, columns=[*COLUMNS, *CONTEXT_COLUMNS])


@lru_cache(maxsize=1)
def _history() -> pd.DataFrame:
    import pandas as pd

    if not HISTORY.is_file():
        raise FileNotFoundError(f"{HISTORY} is missing; make it: python -m helpers.fulfillment generate")
    return pd.read_parquet(HISTORY)


def load_history() -> pd.DataFrame:
    """The shipped history: 200,000 samples of 28 days at five fulfillment centres, in order of time."""
    return _history().copy()


def parse_samples(text: str | bytes) -> pd.DataFrame:
    """Samples from the text of messages, one per line, as a table of 13 columns and context; not yet validated.

    Columns of numbers that hold something else come back as text, so that SAMPLE_SCHEMA can name the bad lines.
    """
    import pandas as pd

    text = text.decode() if isinstance(text, bytes) else text
    names = [*COLUMNS, *CONTEXT_COLUMNS]
    lines = [line for line in text.splitlines() if line.strip()]
    cells = [line.split(",")[: len(names)] for line in lines]
    cells = [row + [""] * (len(names) - len(row)) for row in cells]
    frame = pd.DataFrame(cells, columns=names, dtype="object")
    for name in names:
        if name == "time":
            frame[name] = pd.to_datetime(frame[name], errors="coerce", utc=True, format="ISO8601")
        elif name not in ("fc", "region"):
            frame[name] = _numbers(frame[name])
    return frame


def _numbers(column: pd.Series) -> pd.Series:
    """As numbers where all cells are numbers or empty; else as it came."""
    import pandas as pd

    numbers = pd.to_numeric(column.where(column != "", None), errors="coerce")
    if (numbers.isna() & (column != "")).any():
        return column
    whole = bool(len(numbers)) and not numbers.isna().any() and (numbers == numbers.round()).all()
    return numbers.astype("int64") if whole else numbers.astype("float64")


def _joined(parts: list[Rows]) -> Rows:
    if len(parts) == 1:
        return parts[0]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
