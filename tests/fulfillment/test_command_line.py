"""The command line: what it writes, what it says of a learner's own file, and how it refuses."""

import gzip
import os
import signal
import subprocess
import sys
import tracemalloc

import numpy as np
import pandas as pd
import pytest

from helpers.fulfillment import COLUMNS, CONTEXT_COLUMNS, SAMPLE_SCHEMA, chunks, generate, parse_samples, to_csv_line
from helpers.fulfillment.command_line import main

COMMAND = [sys.executable, "-m", "helpers.fulfillment"]


@pytest.fixture(scope="module")
def some():
    return generate(2_000, 9)


def made(path, *options):
    assert main(["generate", "--rows", "500", "--seed", "9", "--out", str(path), *options]) == 0
    return path


def test_csv_for_the_algorithms_has_thirteen_columns_and_no_header(tmp_path):
    path = made(tmp_path / "a.csv")
    frame = pd.read_csv(path, header=None)
    assert frame.shape == (500, 13)
    expected = generate(500, 9)[list(COLUMNS)].to_numpy(float)
    assert np.array_equal(frame.to_numpy(float), expected, equal_nan=True)
    assert b".0" not in path.read_bytes()
    assert b"nan" not in path.read_bytes().lower()


def test_csv_with_context_is_what_edge_computers_publish(tmp_path):
    lines = gzip.decompress(made(tmp_path / "b.csv.gz", "--context", "--header").read_bytes()).decode().splitlines()
    assert lines[0] == ",".join([*COLUMNS, *CONTEXT_COLUMNS])
    assert SAMPLE_SCHEMA.validate(parse_samples("\n".join(lines[1:]))).shape == (500, 22)
    assert lines[1:] == [to_csv_line(row) for row in generate(500, 9).to_dict("records")]


def test_parquet_holds_the_table_as_it_is(tmp_path):
    frame = pd.read_parquet(made(tmp_path / "c.parquet"))
    pd.testing.assert_frame_equal(frame, generate(500, 9), check_categorical=False)


def test_the_same_options_make_the_same_bytes(tmp_path):
    for name in ("a.parquet", "a.csv", "a.csv.gz"):
        assert made(tmp_path / name).read_bytes() == made(tmp_path / f"again-{name}").read_bytes()


def test_a_compressed_file_holds_neither_the_time_nor_a_name(tmp_path):
    head = made(tmp_path / "a.csv.gz").read_bytes()[:10]
    assert head[3] == 0  # RFC 1952: no flags, so no name
    assert head[4:8] == bytes(4)


def test_memory_does_not_grow_with_the_number_of_rows():
    def peak(rows):
        tracemalloc.start()
        for part in chunks(rows, 3, chunk_rows=10_000):
            del part
        _, highest = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return highest

    peak(10_000)  # what is made once
    assert peak(120_000) < 1.2 * peak(40_000)


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        (["generate", "--rows", "-5", "--out", "a.csv"], 2, "--rows: the number of samples is a whole number, 1 or"),
        (["generate", "--rows", "many", "--out", "a.csv"], 2, "got 'many'"),
        (["generate", "--seed", "-1", "--out", "a.csv"], 2, "--seed: a seed is a whole number"),
        (["generate", "--scenario", "rain", "--out", "a.csv"], 2, "there is no scenario 'rain'; there are growing-"),
        (["generate", "--rows", "10", "--out", "nowhere/a.csv"], 1, "The folder nowhere does not exist"),
        (["generate", "--rows", "10", "--out", "a.xlsx"], 1, "must end with .parquet, .csv or .csv.gz, got 'a.xlsx'"),
        (["generate", "--rows", "10", "--out", "folder.csv"], 1, "folder.csv is a folder"),
        (["generate", "--rows", "10", "--out", "here.csv"], 1, "here.csv is there already"),
        (["generate", "--rows", "10"], 1, "history.parquet is there already"),
        (["generate", "--rows", "10", "--out", "/proc/a.csv"], 1, "/proc/a.csv could not be written"),
        (["describe", "missing.parquet"], 1, "There is no file missing.parquet"),
        (["describe", "here.csv"], 1, "here.csv is no table of samples: its first line has 3 cells"),
        (["describe", "broken.parquet"], 1, "broken.parquet is no table of samples"),
        (["describe", "broken.csv.gz"], 1, "broken.csv.gz is no table of samples"),
        (["describe", "empty.csv"], 1, "empty.csv is no table of samples: it is empty"),
        (["drift", "--rows", "0"], 2, "1 or more, got '0'"),
        (["describe", "--frob"], 2, "--frob"),
        (["forget"], 2, "invalid choice: 'forget'"),
    ],
)
def test_a_wrong_command_gets_one_clear_sentence_and_leaves_nothing(
    arguments, status, told, tmp_path, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.csv").mkdir()
    for name, text in {"here.csv": "1,2,3\n", "broken.parquet": "no", "broken.csv.gz": "no", "empty.csv": ""}.items():
        (tmp_path / name).write_text(text)
    before = {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    try:
        ended = main(arguments)
    except SystemExit as end:
        ended = end.code
    said = capsys.readouterr()
    sentences = [line for line in said.err.splitlines() if line and not line.startswith("samples ")]
    assert ended == status
    assert len(sentences) == 1, said.err
    assert sentences[0].startswith("Error: ")
    assert told in sentences[0]
    assert {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == before


def test_a_file_is_replaced_only_with_force_and_only_by_a_whole_one(tmp_path):
    path = made(tmp_path / "a.csv")
    old = path.read_bytes()
    assert main(["generate", "--rows", "600", "--out", str(path)]) == 1
    assert path.read_bytes() == old
    assert main(["generate", "--rows", "600", "--out", str(path), "--force"]) == 0
    assert path.read_bytes().count(b"\n") == 600


@pytest.mark.skipif(sys.platform == "win32", reason="limits of POSIX")
@pytest.mark.parametrize("name", ["a.parquet", "a.csv", "a.csv.gz"])
def test_when_there_is_no_room_left_one_sentence_says_so(name, tmp_path):
    """A limit on the size of files stands in for a full disk: writing fails half-way, as there."""
    limited = "import resource, runpy, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000)); "
    limited += "sys.argv[0] = 'x'; runpy.run_module('helpers.fulfillment', run_name='__main__')"
    done = subprocess.run(
        [sys.executable, "-c", limited, "generate", "--rows", "150000", "--out", str(tmp_path / name)],
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 1
    assert f"{name} could not be written, and nothing of it was left" in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize("name", ["a.parquet", "a.csv"])
def test_ctrl_c_leaves_nothing(name, tmp_path, until):
    environment = {**os.environ, "COLUMNS": "80"}
    command = [*COMMAND, "generate", "--rows", "100000000", "--out", str(tmp_path / name)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
    try:
        until(lambda: any(path.stat().st_size > 1000 for path in tmp_path.iterdir()))
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == 130
    assert said.rstrip().endswith("Stopped; nothing was left behind.")
    assert "Traceback" not in said
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("command", ["generate", "describe", "drift"])
def test_help_shows_an_example_that_runs(command, capsys, tmp_path, monkeypatch):
    with pytest.raises(SystemExit):
        main([command, "--help"])
    said = capsys.readouterr().out
    example = next(line for line in said.splitlines() if line.strip().startswith("python -m helpers.fulfillment"))
    arguments = example.split()[3:]
    if "--rows" in arguments:  # fewer, to be quick
        arguments[arguments.index("--rows") + 1] = "300"
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 0


def test_describe_and_drift_tell_what_there_is(some, tmp_path, capsys):
    some.to_parquet(tmp_path / "a.parquet")
    assert main(["describe", str(tmp_path / "a.parquet"), "--pictures", str(tmp_path / "card")]) == 0
    told = capsys.readouterr().out
    assert all(name in told for name in COLUMNS)
    assert "noise floor" in told
    assert "visits, samples per visit" in told
    assert sorted(path.name for path in (tmp_path / "card").iterdir()) == ["distributions.png", "effects.png"]
    assert main(["drift", "--rows", "2000"]) == 0
    assert "peak-season" in capsys.readouterr().out


def test_describe_reads_thirteen_columns_without_names(tmp_path, capsys):
    assert main(["describe", str(made(tmp_path / "a.csv"))]) == 0
    told = capsys.readouterr().out
    assert "noise floor (RMSE of the truth)" in told
    assert "visits" not in told


def test_describe_says_what_is_wrong_with_a_file(some, tmp_path, capsys):
    cells = [to_csv_line(row).split(",") for row in some.head(300).to_dict("records")]
    cells[4][0] = "soon"
    cells[5][5], cells[9][5] = "99", "0"
    cells[7][15] = "FC-NOWHERE"
    cells[8] = cells[3]
    (tmp_path / "mine.csv").write_text("\n".join(map(",".join, cells)) + "\n")
    assert main(["describe", str(tmp_path / "mine.csv")]) == 1
    told = " ".join(capsys.readouterr().out.split())
    for row in (
        "duration │ is not a number │ 1 │ 5 │ soon",
        "item_quantity │ is not from 1 to 9 │ 2 │ 6 │ 99.0",
        "fc │ is not one of FC-ASPEN, FC-BIRCH, FC-CEDAR, FC-MAPLE, │ 1 │ 8 │ FC-NOWHERE",
        "event_id │ occurs more than once │ 2 │ 4",
    ):
        assert row in told, told
    assert "samples 294" in told  # the figures are those of the other rows


def test_describe_names_the_columns_that_are_not_there(some, tmp_path, capsys):
    some.drop(columns=["pod", "item_weight"]).assign(extra=1).to_parquet(tmp_path / "a.parquet")
    assert main(["describe", str(tmp_path / "a.parquet")]) == 1
    told = " ".join(capsys.readouterr().out.split())
    assert "item_weight │ this column is not there" in told
    assert "pod │ this column is not there" in told
    assert "extra │ a sample has no such column" in told


def test_describe_knows_no_floor_for_another_world(tmp_path, capsys):
    generate(300, 9, world=7).to_parquet(tmp_path / "a.parquet")
    assert main(["describe", str(tmp_path / "a.parquet")]) == 0
    assert "not known: fc_avg has the value" in capsys.readouterr().out
