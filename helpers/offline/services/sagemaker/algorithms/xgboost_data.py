"""XGBoost's channels as matrices, by the rules of its container: xgboost's own parser reads the text."""

from __future__ import annotations

import csv
import os
import warnings
from pathlib import Path
from typing import Any

from helpers.offline.services.sagemaker.algorithms.errors import UserError
from helpers.offline.services.sagemaker.algorithms.job_directory import JobDirectory, framework_log

FORMATS = {
    "csv": "csv",
    "text/csv": "csv",
    "libsvm": "libsvm",
    "text/libsvm": "libsvm",
    "text/x-libsvm": "libsvm",
    "parquet": "parquet",
    "application/x-parquet": "parquet",
    "recordio-protobuf": "recordio-protobuf",
    "application/x-recordio-protobuf": "recordio-protobuf",
}
DEFAULT_CONTENT_TYPE = "text/libsvm"
DELIMITERS = ",;\t| "


def check_channels(job: JobDirectory) -> None:
    """Raises UserError."""
    channels = job.channels
    if "train" not in channels:
        raise UserError("Missing required channel: train")
    for name, configuration in channels.items():
        if name not in ("train", "validation", "code"):
            raise UserError(f"Extraneous channel found: {name}")
        if name != "code" and configuration.get("ContentType", DEFAULT_CONTENT_TYPE) not in FORMATS:
            raise UserError(f"Channel configuration for '{name}' channel is not supported: {configuration}")
        if configuration.get("TrainingInputMode") == "Pipe":
            raise UserError(
                "Pipe mode for CSV is no longer supported. Please use Fast File mode (default) instead of Pipe mode."
            )


def matrix(job: JobDirectory, channel: str, *, csv_weights: bool, threads: int) -> Any:
    """The channel as an xgboost.DMatrix, None where there is no such channel. Raises UserError."""
    if channel not in job.channels:
        return None
    content_type = job.channels[channel].get("ContentType", DEFAULT_CONTENT_TYPE)
    folder = _one_folder(job, channel)
    files = sorted(path for path in folder.iterdir() if path.stat().st_size)
    word = "training" if channel == "train" else channel
    if not files:
        raise UserError(f"No data in {word} channel path {_shown(channel)}")
    framework_log(f"File path {_shown(channel)} of input files")
    match FORMATS[content_type]:
        case "csv":
            return _csv(folder, files, csv_weights, threads)
        case "libsvm":
            return _libsvm(folder, files, threads)
        case "parquet":
            return _parquet(files, threads)
    raise UserError("The offline AWS cannot read application/x-recordio-protobuf for XGBoost; use text/csv.")


def _shown(channel: str) -> str:
    return f"/opt/ml/input/data/{channel}"


def _one_folder(job: JobDirectory, channel: str) -> Path:
    """All files of the channel, to a depth of three folders, linked into one."""
    root = job.data(channel)
    folder = job.path / "temporary" / channel
    folder.mkdir(parents=True, exist_ok=True)
    for path in job.files(channel):
        if path.name.startswith("."):
            raise UserError("Hidden file found in the data path! Remove that before training.")
        parts = path.relative_to(root).parts
        if len(parts) <= 4:
            os.symlink(path, folder / "__".join(parts))
    return folder


def _csv(folder: Path, files: list[Path], weights: bool, threads: int) -> Any:
    for path in files:
        delimiter = _delimiter(path)
    framework_log(f"Determined delimiter of CSV input is '{delimiter}'")
    options = f"?format=csv&label_column=0&delimiter={delimiter}" + ("&weight_column=1" if weights else "")
    return _from_text(str(folder) + options, threads)


def _delimiter(path: Path) -> str:
    with path.open(encoding="utf-8", errors="replace") as file:
        line = file.readline(65536)
    try:
        delimiter = csv.Sniffer().sniff(line).delimiter
    except csv.Error:
        raise UserError(f"Could not determine delimiter on line {line[:50].strip()}") from None
    if delimiter.isalnum() or delimiter in ".-+":
        raise UserError(f"Delimiter '{delimiter}' is not found on line {line[:50].strip()}")
    return delimiter


def _libsvm(folder: Path, files: list[Path], threads: int) -> Any:
    for path in files:
        with path.open(encoding="utf-8", errors="replace") as file:
            line = file.readline(65536)
        cells = line.split()
        if len(cells) < 2 or not all(":" in cell for cell in cells[1:2]):
            shown = line.strip()[:50]
            raise UserError(
                f"First line '{shown}...' of file '{path.name}' is not 'LIBSVM' format. "
                "Please ensure the file is in 'LIBSVM' format."
            )
    return _from_text(f"{folder}?format=libsvm", threads)


def _from_text(uri: str, threads: int) -> Any:
    import xgboost

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return xgboost.DMatrix(uri, nthread=threads)
        except Exception as error:
            raise UserError(f"Failed to load csv data with exception:\n{error}") from error


def _parquet(files: list[Path], threads: int) -> Any:
    import numpy
    import pyarrow.parquet
    import xgboost

    try:
        tables = [pyarrow.parquet.read_table(path) for path in files]
        columns = [
            numpy.column_stack([column.to_numpy().astype("float32") for column in table.columns]) for table in tables
        ]
    except Exception as error:
        raise UserError(f"Failed to load parquet data with exception:\n{error}") from error
    values = numpy.concatenate(columns)
    return xgboost.DMatrix(values[:, 1:], values[:, 0], nthread=threads)
