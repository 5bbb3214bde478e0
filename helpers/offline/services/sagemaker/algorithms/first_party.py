"""What Amazon's own algorithms share: hyperparameter schemas, log lines, and strict reading of channels."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from helpers.offline.services.sagemaker.algorithms.errors import CustomerError
from helpers.offline.services.sagemaker.algorithms.job_directory import JobDirectory, say

THREAD = 139723470354240
RECORDIO = "application/x-recordio-protobuf"


@dataclass(frozen=True, slots=True)
class Setting:
    """One hyperparameter: its default, and what turns its text into a value (ValueError where it is not allowed)."""

    default: Any
    parse: Callable[[str], Any]


def integer(low: int, high: float = float("inf")) -> Callable[[str], int]:
    return lambda text: _within(int(text), low, high)


def real(low: float, high: float = float("inf")) -> Callable[[str], float]:
    return lambda text: _within(float(text), low, high)


def one_of(*values: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in values:
            raise ValueError(text)
        return text

    return parse


def one_of_integers(*values: int) -> Callable[[str], int]:
    return lambda text: int(one_of(*map(str, values))(text))


def boolean(text: str) -> bool:
    return one_of("true", "false")(text.lower()) == "true"


def auto_or(parse: Callable[[str], Any]) -> Callable[[str], Any]:
    return lambda text: "auto" if text == "auto" else parse(text)


def _within(value: Any, low: float, high: float) -> Any:
    if not low <= value <= high:
        raise ValueError(value)
    return value


def validate(given: Mapping[str, str], schema: Mapping[str, Setting], required: tuple[str, ...]) -> dict[str, Any]:
    """All hyperparameters with their values. Raises CustomerError."""
    given = {name: value for name, value in given.items() if not name.startswith("_")}
    missing = [name for name in required if name not in given]
    if missing:
        names = ", ".join(f"'{name}'" for name in missing)
        raise CustomerError(
            f"No value(s) were specified for {names} which are required hyperparameter(s) (caused by ValidationError)"
        )
    unknown = [name for name in given if name not in schema]
    if unknown:
        names = ", ".join(f"'{name}'" for name in unknown)
        verb = "was" if len(unknown) == 1 else "were"
        raise CustomerError(
            f"Additional properties are not allowed ({names} {verb} unexpected) (caused by ValidationError)"
        )
    settings = {name: setting.default for name, setting in schema.items()}
    for name, text in given.items():
        try:
            settings[name] = schema[name].parse(text)
        except ValueError:
            raise CustomerError(
                f"'{text}' is not valid under any of the given schemas (caused by ValidationError): {name}"
            ) from None
    return settings


def info(text: str) -> None:
    """A log line as these algorithms write it."""
    say(f"[{datetime.now(UTC):%m/%d/%Y %H:%M:%S} INFO {THREAD}] {text}")


def greet(job: JobDirectory, schema: Mapping[str, Setting], offline_note: str) -> None:
    say("Docker entrypoint called with argument(s): train")
    defaults = {name: str(setting.default) for name, setting in schema.items() if setting.default is not None}
    place = "/opt/amazon/lib/python/algorithm/resources/default-input.json"
    info(f"Reading default configuration from {place}: {defaults}")
    info(f"Merging with provided configuration from /opt/ml/input/config/hyperparameters.json: {job.hyperparameters}")
    info(offline_note)


def read(job: JobDirectory, channel: str, *, feature_dim: int | None = None) -> tuple[Any, Any] | None:
    """(features as float32, labels as float32); None without such a channel. Raises CustomerError.

    Missing values are an error here, other than in XGBoost.
    """
    if channel not in job.channels:
        return None
    import numpy

    content_type = job.channels[channel].get("ContentType", RECORDIO)
    kind, parameters = _parsed(content_type)
    files = [path for path in job.files(channel) if path.stat().st_size]
    if kind == RECORDIO:
        from helpers.offline.services.sagemaker.algorithms.recordio import read_file
    elif kind == "text/csv" and parameters.get("label_size", "1") == "1":
        read_file = _read_csv
    else:
        raise CustomerError(
            f"No iterator has been registered for ContentType (u'{content_type}', '1.0') (caused by MXNetError)"
        )
    tables = []
    for path in files:
        try:
            tables.append(read_file(path))
        except ValueError as error:
            raise CustomerError(
                f"Unable to read data channel '{channel}'. Requested content-type is '{kind}'. Please verify the data "
                f"matches the requested content-type. (caused by MXNetError)\n\nCaused by: {error}"
            ) from None
    if not tables:
        raise CustomerError(f"Unable to read data channel '{channel}'. The channel holds no data.")
    if len({table.shape[1] for table in tables}) > 1:
        raise CustomerError(f"Unable to read data channel '{channel}'. The files have different numbers of columns.")
    table = numpy.concatenate(tables) if len(tables) > 1 else tables[0]
    for bad, check in (("missing (NaN)", numpy.isnan), ("infinite (Inf)", numpy.isinf)):
        if check(table).any():
            raise CustomerError(
                f"Unable to read data channel '{channel}'. Found {bad} values. Please remove any {bad} values in the "
                "input data. (caused by MXNetError)\n\nCaused by: [offline] the values were looked at after parsing"
            )
    if feature_dim is not None and table.shape[1] - 1 != feature_dim:
        raise CustomerError(
            f"The feature dimension of channel '{channel}' is {table.shape[1] - 1}, the hyperparameter feature_dim "
            f"says {feature_dim}."
        )
    return table[:, 1:], table[:, 0]


def _parsed(content_type: str) -> tuple[str, dict[str, str]]:
    kind, *parameters = [part.strip() for part in content_type.split(";")]
    return kind.lower(), dict(part.partition("=")[::2] for part in parameters)


def _read_csv(path: Path) -> Any:
    """Raises ValueError where a cell is text or lines differ in length."""
    import numpy
    import pyarrow
    from pyarrow import csv

    with path.open("rb") as file:
        columns = file.readline().count(b",") + 1
    names = [f"f{position}" for position in range(columns)]
    try:
        table = csv.read_csv(
            path,
            read_options=csv.ReadOptions(column_names=names, use_threads=False, block_size=1 << 24),
            convert_options=csv.ConvertOptions(
                column_types=dict.fromkeys(names, pyarrow.float32()),
                null_values=["", "nan", "NaN", "NAN"],
                strings_can_be_null=True,
            ),
        )
    except pyarrow.ArrowInvalid as error:
        raise ValueError(str(error)) from None
    return numpy.column_stack([column.to_numpy() for column in table.columns]).astype("float32", copy=False)
