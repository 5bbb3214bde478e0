"""The arena as a process: found again, killed and continued, stopped and woken, driven from a notebook."""

import signal
import stat
import subprocess
import sys

import nbformat
import pytest
import requests
from nbclient import NotebookClient

from helpers import arena
from helpers.arena import place
from helpers.arena.client import ArenaError
from tests.arena.participants import STAGE

SHORT = {"seconds": 6, "rate": 20, "speed": 200, "warm_up_seconds": 0, "window": 50, "minimum": 10}


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    monkeypatch.setenv("WORKSHOP_DIR", str(tmp_path))
    monkeypatch.delenv("ARENA_URL", raising=False)
    yield tmp_path
    arena.stop()


class Ws:
    participant = "amber-falcon"


def begin(client, **settings):
    client.act("settings", **SHORT, hide_seconds=0, deadline_seconds=1, **settings)
    client.act("start")


def pid():
    return place.read_address(place.folder() / "server.json")["pid"]


def test_a_notebook_joins_plays_a_round_and_reads_every_error(workspace, participants):
    entry = arena.join(Ws(), f"{participants.url}/good/0")
    assert entry.alias == "amber-falcon"
    again = arena.join(Ws(), f"{participants.url}/good/1000")  # the cell is run a second time
    assert again.id == entry.id
    race = arena.start_round(Ws(), **SHORT, house={"k-NN": f"{participants.url}/good/-2000"})
    table = race.results()
    assert set(table.alias) == {"amber-falcon", "k-NN", "FC average"}
    mine = table[table.alias == "amber-falcon"]
    assert (mine.error_ms - (mine.prediction_ms - mine.duration_ms)).abs().max() < 0.11
    window = (mine.error_ms.tail(50) ** 2).mean() ** 0.5
    standing = race.standings().set_index("alias")
    assert standing.window_rmse_ms["amber-falcon"] == pytest.approx(window, abs=0.2)
    assert list(standing["rank"]) == [1, 2, 3]
    course = race.course(begin=10)
    assert course.error_ms[course.alias == "k-NN"].iloc[-1] == pytest.approx(standing.window_rmse_ms["k-NN"], abs=0.2)
    assert (course.groupby("alias").size() == table.groupby("alias").size() - 9).all()
    second = arena.start_round(Ws(), **SHORT)
    repeated = second.results()
    same = ["alias", "number", "duration_ms", "prediction_ms", "window_rmse_ms"]
    assert repeated[same].equals(table[same])  # the same seed, the same race
    entry.withdraw()
    assert entry.standing() is None


def test_a_round_is_played_while_the_notebook_goes_on(workspace, participants):
    arena.join(Ws(), f"{participants.url}/good/0")
    race = arena.start_round(Ws(), **SHORT)
    state = race.client.state()
    assert state["phase"] in ("warm-up", "live") and state["clock"] < 4
    with pytest.raises(ArenaError, match="opens when its results are revealed"):
        arena.Client(race.client.url).call("GET", f"api/rounds/{race.number}/export.csv")
    assert list(race.standings()["rank"]) == [1, 2]  # waited for the end, and revealed
    assert race.client.state()["phase"] == "revealed"
    overtaken = arena.start_round(Ws(), **SHORT)
    arena.start_round(Ws(), **SHORT)
    with pytest.raises(ArenaError, match="Another round was opened"):
        overtaken.wait()


def test_the_live_table_stays_alive_in_its_cell_while_other_cells_run(workspace, participants):
    cells = [
        "from helpers import arena",
        f"entry = arena.join(None, {participants.url + '/good/0'!r}, 'amber-falcon')",
        f"race = arena.start_round(**{SHORT})",
        "arena.show()",
        "import time\ntime.sleep(2)\nprint('busy with something else')",
        "final = race.standings()\nprint(list(final.alias))\ntime.sleep(1.5)",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells])
    NotebookClient(notebook, timeout=60, kernel_name="python3").execute()
    outputs = [cell.outputs for cell in notebook.cells]
    assert [len(o) for o in outputs] == [0, 0, 0, 1, 1, 1]
    board = outputs[3][0]["data"]["text/html"]
    assert "amber-falcon" in board and "Arena: final" in board  # drawn again long after the cell had ended
    assert outputs[5][0]["text"] == "['FC average', 'amber-falcon']\n"


@pytest.mark.parametrize("behaviour", ["flaky", "tired"])
def test_a_patient_round_gives_the_same_standings_however_busy_the_machine_is(workspace, participants, behaviour):
    arena.join(None, f"{participants.url}/good/0", "quick")
    entry = arena.join(None, f"{participants.url}/good/500", "other")
    first = arena.start_round(**SHORT).results()
    entry.change(f"{participants.url}/{behaviour}/500")
    second = arena.start_round(**SHORT).results()
    same = ["alias", "number", "duration_ms", "outcome", "prediction_ms", "error_ms", "window_rmse_ms"]
    assert second[same].equals(first[same])


def test_the_tokens_files_are_for_their_owner_alone(workspace, participants):
    arena.join(Ws(), f"{participants.url}/good/0")
    for name in ("server.json", "entries.json", "instructor.token"):
        assert stat.S_IMODE((workspace / "arena" / name).stat().st_mode) == 0o600


def test_the_same_store_is_not_played_twice(workspace):
    arena.start()
    second = subprocess.run(
        [
            sys.executable,
            "-m",
            "helpers.arena",
            "--store",
            str(workspace / "arena" / "arena.db"),
            "serve",
            "--port",
            "0",
        ],
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert second.returncode == 1
    assert "Another arena plays" in second.stderr


def test_a_stop_ends_the_streams_of_those_who_watch_and_says_nothing(workspace):
    store = workspace / "arena" / "arena.db"
    server = subprocess.Popen(
        [sys.executable, "-m", "helpers.arena", "--store", str(store), "serve", "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    url = server.stdout.readline().split()[-1]
    with requests.get(f"{url}events", stream=True, timeout=30) as board:
        lines = board.iter_lines()
        assert next(lines) == b"retry: 1500"
        server.send_signal(signal.SIGINT)
        assert b"event: state" in list(lines)  # to the stream's orderly end: a torn one raises
    assert server.communicate(timeout=30)[1] == ""
    assert server.returncode == 0


def test_the_log_is_read_on_the_command_line(workspace, participants):
    arena.join(None, f"{participants.url}/good/0", "a")
    arena.start_round(**SHORT | {"seconds": 5}).wait()
    read = [sys.executable, "-m", "helpers.arena"]
    export = subprocess.run([*read, "export"], capture_output=True, text=True, timeout=30, check=True).stdout
    assert export.splitlines()[0].startswith("entry,alias,kind,number,time_s")
    assert len(export.splitlines()) > 150
    missing = subprocess.run([*read, "compare", "1", "7"], capture_output=True, text=True, timeout=30)
    assert "no round 7; it has 1" in missing.stderr


def test_words_when_there_is_no_arena_or_no_right(workspace, participants, monkeypatch):
    with pytest.raises(ArenaError, match="No arena runs"):
        arena.show()
    with pytest.raises(ArenaError, match="No arena answers"):
        arena.join(Ws(), "http://127.0.0.1:1/", arena="http://127.0.0.1:1/")
    client = arena.start()
    with pytest.raises(ArenaError, match="Nothing answers"):
        arena.join(Ws(), f"http://127.0.0.1:1{STAGE}/x")
    monkeypatch.setenv("WORKSHOP_DIR", str(workspace / "elsewhere"))
    monkeypatch.setenv("ARENA_URL", client.url)
    with pytest.raises(ArenaError, match="instructor's token"):
        arena.start_round(**SHORT)
    monkeypatch.setenv("WORKSHOP_DIR", str(workspace))


def test_a_place_that_cannot_be_written_is_told_in_one_sentence(workspace):
    (workspace / "file").write_text("no folder")
    store = workspace / "file" / "arena.db"
    command = [sys.executable, "-m", "helpers.arena", "--store", str(store), "serve"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert done.stderr.startswith(f"The arena cannot write to {workspace} (") and done.stderr.count("\n") == 1
    assert "--store" in done.stderr
