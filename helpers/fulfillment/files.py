"""Samples to files, chunk by chunk, whole or not at all: Parquet with context, CSV for the built-in algorithms."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from helpers.fulfillment.columns import COLUMNS

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa


def write(
    path: Path, parts: Iterable[pd.DataFrame], *, header: bool = False, context: bool = False,
    on_progress: Callable[[int], None] = lambda rows: None,
) -> int:  # fmt: skip
    """Write all parts to `path`; the ending says how. Returns the size in bytes.

    The file appears under its name when it is complete; an interrupted writing leaves nothing.
    """
    name = path.name.lower()
    if not name.endswith((".parquet", ".csv", ".csv.gz")):
        raise ValueError(f"The file's name must end with .parquet, .csv or .csv.gz, got {path.name!r}.")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"The folder {path.parent} does not exist; make it first.")
    unfinished = path.with_name(f".{path.name}.unfinished")
    try:
        if name.endswith(".parquet"):
            _parquet(unfinished, parts, on_progress)
        else:
            _csv(unfinished, parts, header, context, on_progress, compressed=name.endswith(".gz"))
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
    return path.stat().st_size


def checksum(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _parquet(path: Path, parts: Iterable[pd.DataFrame], on_progress: Callable[[int], None]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    writer = None
    try:
        for part in parts:
            table = pa.Table.from_pandas(part, preserve_index=False)
            if writer is None:
                writer = pq.ParquetWriter(path, table.schema, compression="zstd", compression_level=9)
            writer.write_table(table)
            on_progress(len(part))
    finally:
        if writer is not None:
            writer.close()


def _csv(
    path: Path, parts: Iterable[pd.DataFrame], header: bool, context: bool, on_progress: Callable[[int], None], *,
    compressed: bool,
) -> None:  # fmt: skip
    from pyarrow import csv

    opener = (lambda: gzip.GzipFile(path, "wb", compresslevel=6, mtime=0)) if compressed else (lambda: path.open("wb"))
    with opener() as file:
        for number, part in enumerate(parts):
            columns = part if context else part[list(COLUMNS)]
            options = csv.WriteOptions(include_header=False, quoting_style="none")
            if header and number == 0:
                file.write((",".join(columns.columns) + "\n").encode())
            csv.write_csv(_as_text(columns), file, options)
            on_progress(len(part))


def _as_text(frame: pd.DataFrame) -> pa.Table:
    """Whole numbers without a point (85, not 85.0), missing values as nothing, times as lines.py writes them."""
    import pandas as pd
    import pyarrow as pa

    columns = {}
    for name, values in frame.items():
        if isinstance(values.dtype, pd.DatetimeTZDtype):
            columns[name] = pa.array(values.dt.strftime("%Y-%m-%dT%H:%M:%S.%f").str[:-3] + "Z")
        elif values.dtype.kind == "f":
            columns[name] = pa.array(values, from_pandas=True).cast(pa.int32())
        else:
            columns[name] = pa.array(values)
    return pa.table(columns)
