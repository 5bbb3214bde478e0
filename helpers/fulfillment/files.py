"""Samples to files, chunk by chunk, whole or not at all, and back: Parquet with context, CSV for the algorithms."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import os
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from helpers.fulfillment.columns import COLUMNS, CONTEXT_COLUMNS

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa


ENDINGS = (".parquet", ".csv", ".csv.gz")


def write(
    path: Path, parts: Iterable[pd.DataFrame], *, header: bool = False, context: bool = False, replace: bool = True,
    on_progress: Callable[[int], None] = lambda rows: None,
) -> int:  # fmt: skip
    """Write all parts to `path`; the ending says how. Returns the size in bytes.

    The file appears under its name when it is complete; an interrupted writing leaves nothing, and a file that was
    there before as it was. Raises what `check_writable` raises, and OSError when the disk is full.
    """
    check_writable(path, replace=replace)
    unfinished = path.with_name(f".{path.name}.unfinished")
    name = path.name.lower()
    try:
        if name.endswith(".parquet"):
            _parquet(unfinished, parts, on_progress)
        else:
            _csv(unfinished, parts, header, context, on_progress, compressed=name.endswith(".gz"))
        unfinished.replace(path)
    except OSError as error:
        why = os.strerror(error.errno) if error.errno else error
        raise OSError(f"{path} could not be written, and nothing of it was left: {why}") from error
    finally:
        unfinished.unlink(missing_ok=True)
    return path.stat().st_size


def check_writable(path: Path, *, replace: bool) -> None:
    """Raises ValueError for another ending, FileNotFoundError, FileExistsError or PermissionError for the place."""
    if not path.name.lower().endswith(ENDINGS):
        raise ValueError(f"The file's name must end with {', '.join(ENDINGS[:-1])} or {ENDINGS[-1]}, got {path.name!r}")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"The folder {path.parent} does not exist; make it first")
    if path.is_dir():
        raise FileExistsError(f"{path} is a folder; give the name of a file")
    if path.exists() and not replace:
        raise FileExistsError(f"{path} is there already; give another --out, or --force to replace it")
    if not os.access(path.parent, os.W_OK):
        raise PermissionError(f"The folder {path.parent} may not be written to; give an --out in another one")


def read(path: Path) -> pd.DataFrame:
    """Samples from Parquet or CSV (13 columns, or 22 with context; with a line of names or without), not yet checked.

    Raises FileNotFoundError, and ValueError for a file that is no table of samples.
    """
    import pandas as pd

    name = path.name.lower()
    if not name.endswith(ENDINGS):
        raise ValueError(f"The file's name must end with {', '.join(ENDINGS[:-1])} or {ENDINGS[-1]}, got {path.name!r}")
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}; make it with `generate --out {path}`")
    try:
        frame = pd.read_parquet(path) if name.endswith(".parquet") else _read_csv(path)
    except (ValueError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ValueError(f"{path} is no table of samples: {' '.join(str(error).split())}") from error
    if "time" in frame and not isinstance(frame["time"].dtype, pd.DatetimeTZDtype):
        frame["time"] = pd.to_datetime(frame["time"], errors="coerce", utc=True, format="ISO8601")
    return frame.reset_index(drop=True)


def _read_csv(path: Path) -> pd.DataFrame:
    import pandas as pd

    opener = gzip.open if path.name.lower().endswith(".gz") else open
    with opener(path, "rt", encoding="utf-8") as file:
        first = file.readline().strip().split(",")
    if first == [""]:
        raise ValueError("it is empty, or begins with an empty line")
    names = [*COLUMNS, *CONTEXT_COLUMNS]
    if set(names).intersection(cell.strip('" ') for cell in first):
        return pd.read_csv(path, low_memory=False)
    if len(first) not in (len(COLUMNS), len(names)):
        raise ValueError(f"its first line has {len(first)} cells, a sample has {len(COLUMNS)} or {len(names)}")
    return pd.read_csv(path, header=None, names=names[: len(first)], index_col=False, low_memory=False)


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

    with contextlib.ExitStack() as stack:
        file = stack.enter_context(path.open("wb"))
        if compressed:  # without name and time inside: the same samples, the same bytes
            file = stack.enter_context(gzip.GzipFile("", "wb", 6, file, mtime=0))
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
