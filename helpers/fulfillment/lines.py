"""One sample as one CSV line: what edge computers publish and what live inference is asked. Standard library alone."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from helpers.fulfillment.columns import COLUMNS, CONTEXT_COLUMNS, FEATURES


def to_csv_line(sample: Mapping[str, object]) -> str:
    """One sample as the text of its message: 13 columns, then context; missing values empty; no newline."""
    cells = [_number(sample[name]) for name in COLUMNS]
    return ",".join(cells + [_context(sample[name]) for name in CONTEXT_COLUMNS])


def features_line(sample: Mapping[str, object]) -> str:
    """The twelve features as CSV, as the live-inference API is asked."""
    return ",".join([_number(sample[name]) for name in FEATURES])


def iso_time(seconds: float) -> str:
    """1767571200.25 -> '2026-01-05T00:00:00.250Z'."""
    whole, milliseconds = divmod(round(seconds * 1000.0), 1000)
    return f"{datetime.fromtimestamp(whole, UTC):%Y-%m-%dT%H:%M:%S}.{milliseconds:03d}Z"


def _number(value: float) -> str:
    if value != value:  # missing
        return ""
    return str(int(value)) if value == int(value) else repr(float(value))


def _context(value: object) -> str:
    if isinstance(value, float):
        return iso_time(value)
    if hasattr(value, "timestamp"):
        return iso_time(value.timestamp())
    return str(value)
