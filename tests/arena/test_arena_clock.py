"""The round stays right whatever happens to the machine's time and to the arena's process."""

import dataclasses
import os
import random
import re
import signal
import time

import pandas as pd
import pytest

from helpers import arena as arenas
from helpers.arena import place
from helpers.arena.client import ArenaError
from helpers.arena.engine import SHORTEST_SECONDS
from helpers.arena.pace import STALL_SECONDS
from helpers.arena.rounds import Settings
from tests.arena.playing import QUICK, poll

SAME = ["alias", "number", "time_s", "duration_ms", "outcome", "prediction_ms", "error_ms", "window_rmse_ms"]
ROUND = {"seconds": 8, "rate": 20, "speed": 200, "warm_up_seconds": 1, "window": 50, "minimum": 10, "seed": 3}


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    monkeypatch.setenv("WORKSHOP_DIR", str(tmp_path))
    monkeypatch.delenv("ARENA_URL", raising=False)
    yield tmp_path
    arenas.stop()


def pid():
    return place.read_address(place.folder() / place.SERVER)["pid"]


def kill():
    os.kill(pid(), signal.SIGKILL)
    poll(lambda: arenas.find() is None)


def test_a_round_killed_at_random_moments_ends_as_if_nothing_had_happened(workspace, participants):
    """No scored interaction is lost, none is scored twice, and no entry notices."""
    arenas.join(None, f"{participants.url}/good/0", "quick")
    arenas.join(None, f"{participants.url}/slow/0.2", "slow")
    undisturbed = arenas.start_round(**ROUND, hide_seconds=2.0).results()[SAME]
    assert len(undisturbed) > 300
    race = arenas.start_round(**ROUND, hide_seconds=2.0)
    for _ in range(3):
        time.sleep(random.uniform(0.1, 2.5))  # any moment will do: that is the test
        kill()
        race.client = arenas.start()
    locked = race.client.state()
    if locked["phase"] == "locked" and not locked["finished"]:
        kill()
        race.client = arenas.start()
        again = race.client.state()
        assert [r["score"] for r in again["rows"]] == [r["score"] for r in locked["rows"]]  # the lock holds
    assert race.number == 2
    disturbed = race.results()
    assert not disturbed.duplicated(["entry", "number"]).any()
    pd.testing.assert_frame_equal(disturbed[SAME], undisturbed)
    shown = race.standings().set_index("alias")
    last = disturbed.groupby("alias").tail(1).set_index("alias")
    assert (shown.window_rmse_ms - last.window_rmse_ms).abs().max() < 0.11


def test_a_killed_arena_shows_the_course_of_the_race_again_and_stays_paused(workspace, participants):
    arenas.join(None, f"{participants.url}/good/0", "a")
    client = arenas.start_round(**ROUND).client
    poll(lambda: client.state()["clock"] > 5)
    client.act("pause")
    before = client.state()
    kill()
    client = arenas.start()
    after = client.state()
    assert after["paused"] and not after["running"]
    assert after["clock"] == pytest.approx(before["clock"], abs=0.3)
    assert all(len(r["spark"]) >= 12 for r in after["rows"])
    assert len(after["chart"]) >= 20
    assert [r["score"] for r in after["rows"]] == [r["score"] for r in before["rows"]]
    client.act("resume")
    final = poll(lambda: (lambda s: s if s["finished"] else None)(client.state()))
    assert all(r["availability"] == 1.0 for r in final["rows"])


def test_a_stopped_process_goes_on_without_harm_to_anybody(workspace, participants):
    arenas.join(None, f"{participants.url}/slow/0.2", "a")
    race = arenas.start_round(**ROUND | {"warm_up_seconds": 0})
    poll(lambda: race.client.state()["clock"] > 2)
    os.kill(pid(), signal.SIGSTOP)  # a laptop's lid
    time.sleep(Settings().deadline_seconds + STALL_SECONDS + 0.5)  # so long that open questions count as stalled too
    os.kill(pid(), signal.SIGCONT)
    assert (race.standings().availability == 1.0).all()
    assert race.results().groupby("alias").size().nunique() == 1
    final = race.client.state()
    assert "gap" in [kind for _, kind, _ in final["marks"]]
    assert final["seconds"] == 8  # of play; what the lid cost is not counted


def test_a_changed_system_time_moves_nothing(arena, participants, monkeypatch):
    running = arena(settings=dataclasses.replace(QUICK, seconds=60, patient=True))
    running.enter(f"{participants.url}/good/0", "a")
    running.act("start")
    right = time.time
    for days in (1, -400):
        clock = running.state()["clock"]
        monkeypatch.setattr(time, "time", lambda days=days: right() + days * 86_400)
        state = running.wait(lambda s, clock=clock: s["clock"] > clock + 0.5)
        assert state["clock"] < clock + 30
    running.wait(lambda s: s["clock"] > SHORTEST_SECONDS)
    running.act("end")
    final = running.wait(lambda s: s["finished"])
    gaps = [int(re.search(r"for (\d+) s", text)[1]) for _, kind, text in final["marks"] if kind == "gap"]
    assert max(gaps, default=0) < 30  # a busy machine may stand still for a moment, but not for days
    assert {r["count"] for r in final["rows"]} == {next(r["count"] for r in final["rows"])}
    assert final["rows"][0]["availability"] == 1.0


def test_an_arena_that_is_gone_is_told_to_whoever_waits(workspace, participants):
    arenas.join(None, f"{participants.url}/good/0", "a")
    race = arenas.start_round(**ROUND)
    kill()
    with pytest.raises(ArenaError, match="No arena answers"):
        race.wait()
