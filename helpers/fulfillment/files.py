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
    opener = (lambda: gzip.GzipFile(path, "wb", compresslevel=6, mtime=0)) if compressed else (lambda: path.open("wb"))
    with opener() as file:
        for number, part in enumerate(parts):
            columns = part if context else part[list(COLUMNS)]
            for name in columns.columns[columns.isna().any()]:
                columns = columns.assign(**{name: columns[name].astype("Int32")})  # 85, not 85.0; empty when missing
            for name in columns.select_dtypes("float32"):
                columns = columns.assign(**{name: columns[name].astype("int32")})
            text = columns.to_csv(index=False, header=header and number == 0, date_format="%Y-%m-%dT%H:%M:%S.%fZ")
            file.write(text.encode())
            on_progress(len(part))
