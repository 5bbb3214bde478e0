"""Samples as text, as files, and from the command line."""

import gzip
import subprocess
import sys

import numpy as np
import pandas as pd
import pandera.errors
import pytest

from helpers.fulfillment import COLUMNS, CONTEXT_COLUMNS, SAMPLE_SCHEMA, generate, parse_samples, to_csv_line
from helpers.fulfillment.command_line import main
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


def test_csv_for_the_algorithms_has_thirteen_columns_and_no_header(tmp_path):
    assert main(["generate", "--rows", "500", "--seed", "9", "--out", str(tmp_path / "a.csv")]) == 0
    frame = pd.read_csv(tmp_path / "a.csv", header=None)
    assert frame.shape == (500, 13)
    expected = generate(500, 9)[list(COLUMNS)].to_numpy(float)
    assert np.array_equal(frame.to_numpy(float), expected, equal_nan=True)
    assert b".0" not in (tmp_path / "a.csv").read_bytes()
    arguments = [
        "generate",
        "--rows",
        "500",
        "--seed",
        "9",
        "--context",
        "--header",
        "--out",
        str(tmp_path / "b.csv.gz"),
    ]
    assert main(arguments) == 0
    lines = gzip.decompress((tmp_path / "b.csv.gz").read_bytes()).decode().splitlines()
    assert lines[0] == ",".join([*COLUMNS, *CONTEXT_COLUMNS])
    assert SAMPLE_SCHEMA.validate(parse_samples("\n".join(lines[1:]))).shape == (500, 22)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["generate", "--rows", "10", "--out", "/nowhere/a.csv"], "/nowhere does not exist"),
        (["generate", "--rows", "10", "--out", "a.xlsx"], "a.xlsx"),
        (["generate", "--rows", "0", "--out", "a.csv"], "At least one row"),
        (["describe", "missing.parquet"], "missing.parquet"),
    ],
)
def test_a_wrong_command_gets_one_clear_sentence(arguments, told, tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "helpers.fulfillment", *arguments], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert told in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())


def test_describe_and_drift_tell_what_there_is(tmp_path, capsys):
    generate(20_000, 9).to_parquet(tmp_path / "a.parquet")
    assert main(["describe", str(tmp_path / "a.parquet"), "--pictures", str(tmp_path / "card")]) == 0
    told = capsys.readouterr().out
    assert all(name in told for name in COLUMNS)
    assert "noise floor" in told
    assert sorted(path.name for path in (tmp_path / "card").iterdir()) == ["distributions.png", "effects.png"]
    assert main(["drift", "--rows", "2000"]) == 0
    assert "peak-season" in capsys.readouterr().out
