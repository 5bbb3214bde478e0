"""What a sample must look like when it arrives: the schema that lab 1 checks the bucket's contents against."""

from __future__ import annotations

import pandera.pandas as pa

from helpers.fulfillment.columns import FCS, REGIONS

_LONGEST_MS = 3_600_000  # an hour: longer is a broken clock


def _number(low: float, high: float, *, missing: bool = False, whole: bool = True) -> pa.Column:
    checks = [pa.Check.in_range(low, high)]
    if whole:
        checks.append(pa.Check(lambda values: values == values.round(), error="is not a whole number"))
    return pa.Column(float, checks, nullable=missing, coerce=True)


SAMPLE_SCHEMA = pa.DataFrameSchema(
    {
        "duration": _number(10, _LONGEST_MS),
        "fc_avg": _number(1_000, 60_000),
        "item_length": _number(1, 600, missing=True),
        "item_width": _number(1, 500, missing=True),
        "item_height": _number(1, 400, missing=True),
        "item_quantity": _number(1, 9),
        "item_weight": _number(1, 10_000, missing=True),
        "bin_location": _number(100, 2_500),
        "bin_width": _number(100, 1_000),
        "bin_height": _number(50, 1_000),
        "bin_depth": _number(100, 1_000),
        "bin_fullness": _number(0, 100, missing=True),
        "bin_clutter": _number(0, 100),
        "event_id": pa.Column("int64", pa.Check.ge(0), unique=True, coerce=True),
        "time": pa.Column("datetime64[ms, UTC]", coerce=True),
        "fc": pa.Column(str, pa.Check.isin(FCS), coerce=True),
        "region": pa.Column(str, pa.Check.isin(list(REGIONS.values())), coerce=True),
        "station": pa.Column("int64", pa.Check.ge(0), coerce=True),
        "sku": pa.Column("int64", pa.Check.ge(0), coerce=True),
        "pod": pa.Column("int64", pa.Check.ge(0), coerce=True),
        "visit": pa.Column("int64", pa.Check.ge(0), coerce=True),
        "associate": pa.Column("int64", pa.Check.ge(0), coerce=True),
    },
    strict=True,
    ordered=True,
    unique_column_names=True,
    name="sample",
)
