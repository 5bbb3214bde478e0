"""Samples as text, and the shipped history."""

import numpy as np
import pandas as pd
import pandera.errors
import pytest

from helpers.fulfillment import COLUMNS, CONTEXT_COLUMNS, SAMPLE_SCHEMA, generate, parse_samples, to_csv_line
from helpers.fulfillment.samples import HISTORY, HISTORY_ROWS, HISTORY_SEED


@pytest.fixture(scope="module")
def some():
    return generate(2_000, 9)


def test_lines_come_back_as_the_samples_they_were(some):
    text = "\n".join(to_csv_line(row) for row in some.to_dict("records"))
    back = SAMPLE_SCHEMA.validate(parse_samples(text))
    assert list(back.columns) == [*COLUMNS, *CONTEXT_COLUMNS]
    for name in back.columns:
        if name in ("fc", "region"):
            assert (back[name] == some[name].astype(str)).all()
        elif name == "time":
            assert (back[name] == some[name]).all()
        else:
            assert np.array_equal(back[name].to_numpy(float), some[name].to_numpy(float), equal_nan=True), name


def test_a_missing_value_is_an_empty_cell(some):
    row = some[some["item_length"].isna()].iloc[0]
    cells = to_csv_line(row).split(",")
    assert cells[COLUMNS.index("item_length")] == ""
    assert len(cells) == len(COLUMNS) + len(CONTEXT_COLUMNS)
    assert cells[0] == str(int(row["duration"]))


@pytest.mark.parametrize(
    ("damage", "column"),
    [
        (lambda cells: ["soon", *cells[1:]], "duration"),
        (lambda cells: ["-10", *cells[1:]], "duration"),
        (lambda cells: [*cells[:5], "99", *cells[6:]], "item_quantity"),
        (lambda cells: cells[:6], "event_id"),
        (lambda cells: ["Test message"], "fc_avg"),
        (lambda cells: [*cells[:15], "FC-NOWHERE", *cells[16:]], "fc"),
    ],
)
def test_the_schema_names_what_is_wrong(some, damage, column):
    good = [to_csv_line(row) for row in some.head(5).to_dict("records")]
    bad = ",".join(damage(to_csv_line(some.iloc[5]).split(",")))
    with pytest.raises(pandera.errors.SchemaErrors) as caught:
        SAMPLE_SCHEMA.validate(parse_samples("\n".join([*good, bad])), lazy=True)
    assert column in set(caught.value.failure_cases["column"])


def test_a_duplicate_is_noticed(some):
    line = to_csv_line(some.iloc[0])
    with pytest.raises(pandera.errors.SchemaError, match="event_id"):
        SAMPLE_SCHEMA.validate(parse_samples(f"{line}\n{line}"))


def test_the_shipped_history_is_what_the_command_makes():
    shipped = pd.read_parquet(HISTORY)
    assert len(shipped) == HISTORY_ROWS
    pd.testing.assert_frame_equal(generate(20_000, HISTORY_SEED), shipped.head(20_000), check_categorical=False)
