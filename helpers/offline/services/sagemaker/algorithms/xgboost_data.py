"""XGBoost's channels as matrices, by the rules of its container: xgboost's own parser reads the text.

Source: aws/sagemaker-xgboost-container, data_utils.py and algorithm_mode/channel_validation.py.
"""

from __future__ import annotations

import csv
import os
import warnings
from collections.abc import Sequence
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
DEEPEST_FOLDER = 3


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


def warn_of_duplicates(job: JobDirectory) -> None:
    """The same file in both channels makes the validation worthless; the container only warns."""
    sizes = {path.name: path.stat().st_size for path in job.data("train").glob("*") if path.is_file()}
    for path in sorted(job.data("validation").glob("*")):
        if path.is_file() and sizes.get(path.name) == path.stat().st_size:
            framework_log(
                f"Suspected identical files found. ({_shown('train')}/{path.name} and "
                f"{_shown('validation')}/{path.name} with same size {path.stat().st_size} bytes).",
                "WARNING",
            )


def matrix(job: JobDirectory, channels: Sequence[str], *, csv_weights: bool, threads: int) -> Any:
    """The channels together as one xgboost.DMatrix; None where they hold no data. Raises UserError.

    The content type of train holds for both, as in the container.
    """
    known = job.channels
    if channels[0] not in known:
        return None
    folder = _one_folder(job, channels)
    files = sorted(path for path in folder.iterdir() if path.stat().st_size)
    if not files:
        return None
    framework_log(f"File path {', '.join(map(_shown, channels))} of input files")
    match FORMATS[known["train"].get("ContentType", DEFAULT_CONTENT_TYPE)]:
        case "csv":
            read = _csv(folder, files, csv_weights, threads)
        case "libsvm":
            read = _libsvm(folder, files, threads)
        case "parquet":
            read = _parquet(files, threads)
        case _:
            read = _recordio(files, threads)
    if read.get_label().size == 0:
        raise UserError("Got input data without labels. Please check the input data set.")
    return read


def no_data(channel: str) -> UserError:
    word = "training" if channel == "train" else channel
    return UserError(f"No data in {word} channel path {_shown(channel)}")


def _shown(channel: str) -> str:
    return f"/opt/ml/input/data/{channel}"


def _one_folder(job: JobDirectory, channels: Sequence[str]) -> Path:
    """All files of the channels, to a depth of three folders, linked into one."""
    folder = job.path / "temporary" / "+".join(channels)
    folder.mkdir(parents=True, exist_ok=True)
    for channel in channels:
        root, is_deeper = job.data(channel), False
        for path in job.files(channel):
            if path.name.startswith("."):
                raise UserError("Hidden file found in the data path! Remove that before training.")
            parts = path.relative_to(root).parts
            is_deeper |= len(parts) > DEEPEST_FOLDER
            if len(parts) <= DEEPEST_FOLDER:
                os.symlink(path, folder / "__".join((channel, *parts)))
        if is_deeper:
            framework_log(
                f"The depth of folder {_shown(channel)} exceed the limit {DEEPEST_FOLDER}. Files in deeper sub dirs "
                "won't be loaded. Please adjust the folder structure accordingly.",
                "WARNING",
            )
    return folder


def _csv(folder: Path, files: list[Path], weights: bool, threads: int) -> Any:
    for path in files:
        delimiter = _delimiter(path)
    framework_log(f"Determined delimiter of CSV input is '{delimiter}'")
    options = f"?format=csv&label_column=0&delimiter={delimiter}" + ("&weight_column=1" if weights else "")
    return _from_text(str(folder) + options, "csv", threads)


def _delimiter(path: Path) -> str:
    with path.open(encoding="utf-8", errors="ignore") as file:
        line = file.readline(65536)
    try:
        delimiter = csv.Sniffer().sniff(line).delimiter
    except csv.Error as error:
        raise UserError(f"Could not determine delimiter on line {line[:50]}:\n{error}") from None
    if delimiter.isalnum() or delimiter in ".-+":
        raise UserError(f"Delimiter '{delimiter}' is not found on line {line[:50]}")
    return delimiter


def _libsvm(folder: Path, files: list[Path], threads: int) -> Any:
    for path in files:
        _check_libsvm(path)
    return _from_text(f"{folder}?format=libsvm", "libsvm", threads)


def _check_libsvm(path: Path) -> None:
    """Looks as far as the first line that has features. Raises UserError."""
    with path.open(encoding="utf-8", errors="ignore") as file:
        for line in file:
            label, *features = line.split()[:3] or [""]
            if not _is_label(label) or any(feature.count(":") != 1 for feature in features):
                raise UserError(
                    f"First line '{line[:50]}...' of file '{path.readlink().name}' is not 'LIBSVM' format. "
                    "Please ensure the file is in 'LIBSVM' format."
                )
            if features:
                return


def _is_label(text: str) -> bool:
    """A number, or a number and a weight: `1` or `1:0.5`."""
    try:
        return len([float(part) for part in text.split(":")]) <= 2
    except ValueError:
        return False


def _from_text(uri: str, kind: str, threads: int) -> Any:
    import xgboost

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return xgboost.DMatrix(uri, nthread=threads)
        except Exception as error:
            raise UserError(f"Failed to load {kind} data with exception:\n{error}") from error


def _parquet(files: list[Path], threads: int) -> Any:
    import numpy
    import pyarrow.parquet
    import xgboost

    try:
        tables = [pyarrow.parquet.read_table(path) for path in files]
        columns = [
            numpy.column_stack([column.to_numpy().astype("float32") for column in table.columns]) for table in tables
        ]
        values = numpy.concatenate(columns)
        return xgboost.DMatrix(values[:, 1:], values[:, 0], nthread=threads)
    except Exception as error:
        raise UserError(f"Failed to load parquet data with exception:\n{error}") from error


def _recordio(files: list[Path], threads: int) -> Any:
    import xgboost

    from helpers.offline.services.sagemaker.algorithms import recordio

    try:
        features, labels = recordio.read(files)
        return xgboost.DMatrix(features, labels, nthread=threads)
    except Exception as error:
        raise UserError(f"Failed to load recordio-protobuf data with exception:\n{error}") from error
