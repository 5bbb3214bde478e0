"""A disk that refuses: the arena says so, loses nothing, and goes on when there is room again."""

import dataclasses
import sqlite3

import pytest

from tests.arena.playing import QUICK, TOKEN, Running

NOTHING_MAY_BE_WRITTEN = "pragma query_only = 1"
ROOM_AGAIN = "pragma query_only = 0"


def refuse_once(running: Running, kind: str) -> None:
    """The disk refuses exactly while the mark `kind` is written for the first time."""
    write, refused = running.store.mark, []

    def mark(row, what, text):
        if what != kind or refused:
            return write(row, what, text)
        refused.append(what)
        running.store._db.execute(NOTHING_MAY_BE_WRITTEN)
        try:
            return write(row, what, text)
        finally:
            running.store._db.execute(ROOM_AGAIN)

    running.store.mark = mark


def kinds(running: Running) -> list[str]:
    return [kind for _, kind, _ in running.store.marks(running.state()["round"])]


@pytest.mark.parametrize("kind", ["live", "conditions", "locked"])
def test_a_round_whose_mark_the_disk_refuses_is_held_and_can_go_on(arena, participants, kind):
    settings = {"warm_up_seconds": 0, "scenario": "PEAK", "change_at": 1.0, "hide_seconds": 2.0}
    running = arena(settings=dataclasses.replace(QUICK, **settings))
    running.enter(f"{participants.url}/good/0", "a")
    refuse_once(running, kind)
    assert running.act("start")[0] == 200
    held = running.wait(lambda s: s["paused"])
    assert not held["finished"]
    assert running.act("resume")[0] == 200
    final = running.wait(lambda s: s["finished"])
    assert next(r for r in final["rows"] if r["alias"] == "a")["availability"] == 1.0
    assert sorted(kinds(running)) == ["conditions", "finished", "live", "locked", "resumed"]


def test_a_round_ends_though_the_disk_refuses_its_last_mark(arena, participants):
    """And every answer is in the log before the round counts as over: who is killed then has nothing to lose."""
    running = arena()
    running.enter(f"{participants.url}/good/0", "a")
    refuse_once(running, "finished")
    write, logged = running.store.mark, {}

    def mark(row, kind, text):
        logged[kind] = len(running.store.answers(row.id))
        return write(row, kind, text)

    running.store.mark = mark
    running.act("start")
    final = running.wait(lambda s: s["finished"])
    assert logged["finished"] == len(running.store.answers(final["round"])) == 2 * QUICK.interactions
    assert final["phase"] == "locked" and not final["paused"]
    assert running.wait(lambda _: "finished" in kinds(running))
    assert running.store.round(final["round"]).finished
    assert running.act("reveal")[0] == 200


def test_a_full_disk_pauses_the_round_and_the_instructor_is_told_until_there_is_room(arena, participants):
    running = arena()
    running.enter(f"{participants.url}/good/0", "a")
    running.act("start")
    running.wait(lambda s: s["clock"] > 1)
    running.store._db.execute(NOTHING_MAY_BE_WRITTEN)
    held = running.wait(lambda s: s["paused"])
    assert "readonly" in running.call("GET", "api/instructor", token=TOKEN)[1]["trouble"]
    for action in ("resume", "new"):
        status, answer = running.act(action)
        assert status == 503 and "store cannot be" in answer["message"]
    assert running.state()["round"] == held["round"]  # and it is still there to be played
    running.store._db.execute(ROOM_AGAIN)
    assert running.act("resume")[0] == 200
    final = running.wait(lambda s: s["finished"])
    assert next(r for r in final["rows"] if r["alias"] == "a")["availability"] == 1.0
    assert running.call("GET", "api/instructor", token=TOKEN)[1]["trouble"] == ""


def refuse_players(action, table, *_):
    return sqlite3.SQLITE_DENY if (action, table) == (sqlite3.SQLITE_INSERT, "players") else sqlite3.SQLITE_OK


def test_an_entry_that_the_disk_refuses_is_no_half_an_entry(arena, participants):
    """It is not left in the store without a part in the round, and its alias is free for the next try."""
    running = arena()
    running.store._db.set_authorizer(refuse_players)  # room for the entry itself, and then no more
    assert running.enter(f"{participants.url}/good/0", "Ada")[0] == 503
    running.store._db.set_authorizer(None)
    assert [r["alias"] for r in running.state()["rows"]] == ["FC average"]
    assert [e.alias for e in running.store.entries()] == ["FC average"]
    assert running.enter(f"{participants.url}/good/0", "Ada")[0] == 201
    running.act("start")
    final = running.wait(lambda s: s["finished"])
    assert {r["alias"]: r["count"] > 50 for r in final["rows"]} == {"FC average": True, "Ada": True}


def test_a_start_that_the_disk_refuses_can_be_repeated(arena, participants):
    running = arena()
    running.enter(f"{participants.url}/good/0", "a")
    running.store._db.execute(NOTHING_MAY_BE_WRITTEN)
    assert running.act("start")[0] == 503
    assert running.act("settings", {"rate": 25})[0] == 503
    assert running.state()["rate"] == QUICK.rate
    running.store._db.execute(ROOM_AGAIN)
    assert running.act("start")[0] == 200
    assert running.wait(lambda s: s["finished"])
