"""A round played over real sockets: scores, lock, reveal, replay, pause, late entry, bad company."""

import csv
import dataclasses
import io
import math
import statistics

from helpers.arena.pace import STALL_SECONDS
from helpers.arena.stream import Stream, from_fulfillment
from tests.arena.playing import QUICK, TOKEN, world


def played(arena):
    assert arena.act("start")[0] == 200
    return arena.wait(lambda s: s["finished"])


def log_of(arena, number=1):
    status, text = arena.call("GET", f"api/rounds/{number}/export.csv", token=TOKEN)
    assert status == 200
    return list(csv.DictReader(io.StringIO(text)))


def test_the_score_is_the_rmse_over_the_last_interactions_that_ended(arena, participants):
    running = arena()
    running.enter(f"{participants.url}/good/500", "beside")
    final = played(running)
    row = next(r for r in final["rows"] if r["alias"] == "beside")
    stream = Stream(QUICK, world)
    errors = []
    for number in stream.ending:  # in the order in which they end, none after the round's end
        event = stream.interaction(number)
        errors.append(event.fc_avg_ms + 500 - event.duration_ms)
    assert row["count"] == len(errors) > 75
    assert row["score"] == round(math.sqrt(statistics.fmean(e * e for e in errors[-50:])), 1)
    assert row["whole"] == round(math.sqrt(statistics.fmean(e * e for e in errors)))
    assert row["availability"] == 1.0


def test_what_a_busy_machine_asks_late_is_scored_as_well(arena, participants):
    """Shorter than what counts as standing still, longer than answers are waited for."""
    running = arena()
    running.enter(f"{participants.url}/good/500", "beside")
    running.act("start")
    running.wait(lambda s: s["clock"] > 1)
    running.block(STALL_SECONDS - 0.1)
    final = running.wait(lambda s: s["finished"])
    ended = len(Stream(QUICK, world).ending)
    assert {r["count"] for r in final["rows"]} == {ended}


def test_everybody_is_asked_about_the_same_interactions_and_bad_company_is_not_noticed(arena, participants):
    running = arena()
    for i, path in enumerate(
        ["good/0", "good/100", "slow/5", "dead", "redirect", "endless", "body/6e6f", "status/500"]
    ):
        running.enter(f"{participants.url}/good/0", f"p{i}")
        entry = running.store.entries()[-1]
        running.arena.engine.renew(running.store.change_entry(entry.id, url=f"{participants.url}/{path}"))
    final = played(running)
    rows = {r["alias"]: r for r in final["rows"]}
    assert len({r["count"] for r in final["rows"]}) == 1
    assert rows["p0"]["availability"] == rows["p1"]["availability"] == 1.0
    assert all(rows[f"p{i}"]["availability"] == 0 for i in range(2, 8))
    assert rows["p0"]["whole"] == rows["FC average"]["whole"] < rows["p2"]["whole"]
    outcomes = {r["alias"]: r["outcome"] for r in log_of(running)}
    assert outcomes["p3"] == "unreachable" and outcomes["p4"] == "redirect" and outcomes["p5"] == "too_long"


def test_locked_results_stand_still_until_they_are_revealed(arena, participants):
    running = arena(settings=dataclasses.replace(QUICK, hide_seconds=2.0))
    running.enter(f"{participants.url}/good/0", "a")
    running.act("start")
    locked = running.wait(lambda s: s["phase"] == "locked")
    assert not locked["finished"]
    assert locked["locked_at"] < 4
    counts = {r["id"]: r["count"] for r in locked["rows"]}
    assert running.call("GET", "api/rounds/1/frames")[0] == 403
    assert running.call("GET", "api/rounds/1/export.csv")[0] == 403
    assert running.act("reveal")[0] == 409
    over = running.wait(lambda s: s["finished"])
    assert over["phase"] == "locked"
    assert {r["id"]: r["count"] for r in over["rows"]} == counts
    assert over["chart"] == locked["chart"] or over["chart"][-1][0] <= over["locked_at"]
    assert running.act("reveal")[0] == 200
    shown = running.state()
    assert all(r["count"] > counts[r["id"]] for r in shown["rows"])
    status, log = running.call("GET", "api/rounds/1/frames?hidden=1")
    assert status == 200
    assert log["frames"][0]["clock"] >= 3
    final = {str(r["id"]): [r["rank"], r["score"]] for r in shown["rows"]}
    assert log["frames"][-1]["places"] == final


def test_a_late_entry_plays_from_its_entry_on(arena, participants):
    running = arena(settings=dataclasses.replace(QUICK, seconds=12, patient=True))
    running.enter(f"{participants.url}/good/0", "early")
    running.act("start")
    running.wait(lambda s: s["clock"] > 2)
    assert running.enter(f"{participants.url}/good/0", "late")[0] == 201
    rows = {r["alias"]: r for r in running.wait(lambda s: s["finished"])["rows"]}
    assert 20 < rows["late"]["count"] < rows["early"]["count"]
    assert rows["late"]["score"] == rows["early"]["score"]  # the window covers the same interactions
    assert rows["early"]["rank"] < rows["late"]["rank"]  # and a tie goes to the earlier


def test_a_pause_costs_nobody_anything(arena, participants):
    running = arena()
    running.enter(f"{participants.url}/good/0", "a")
    running.act("start")
    running.wait(lambda s: s["clock"] > 1)
    assert running.act("pause")[0] == 200
    first = running.state()
    asked = participants.asked["/good/0"]
    second = running.wait(lambda s: s["paused"])
    assert second["clock"] == first["clock"]
    assert participants.asked["/good/0"] - asked <= 1
    assert running.act("pause")[0] == 409
    assert running.act("resume")[0] == 200
    final = running.wait(lambda s: s["finished"])
    assert next(r for r in final["rows"] if r["alias"] == "a")["availability"] == 1.0


def test_conditions_change_for_everybody_at_one_moment(arena, participants):
    running = arena(settings=dataclasses.replace(QUICK, scenario="PEAK", change_at=3.0))
    running.enter(f"{participants.url}/good/0", "a")
    running.act("start")
    running.wait(lambda s: s["clock"] > 2)
    running.block(STALL_SECONDS - 0.1)  # the moment itself comes late, and changes nothing for that
    final = running.wait(lambda s: s["finished"])
    [mark] = [m for m in final["marks"] if m[1] == "conditions"]
    assert mark[0] >= 2.9
    assert running.arena.engine.row.change_from == 61
    durations = {int(r["number"]): float(r["duration_ms"]) for r in log_of(running)}
    before = [d for n, d in durations.items() if n < 60]
    after = [d for n, d in durations.items() if n > 60]
    assert statistics.fmean(after) > 1.2 * statistics.fmean(before)


def test_the_instructor_ends_a_round_early_and_what_ended_counts(arena, participants):
    running = arena(settings=dataclasses.replace(QUICK, seconds=600))
    running.enter(f"{participants.url}/good/0", "a")
    running.act("start")
    running.wait(lambda s: s["clock"] > 5.2)
    assert running.act("end")[0] == 200
    final = running.wait(lambda s: s["finished"])
    assert 5 < final["seconds"] < 9
    assert all(float(r["time_s"]) <= final["seconds"] + 0.001 for r in log_of(running))


def test_two_rounds_can_be_compared(arena, participants):
    running = arena(settings=QUICK)
    _, made = running.enter(f"{participants.url}/good/3000", "a")
    played(running)
    running.act("reveal")
    assert running.act("new")[0] == 200
    body = {"url": f"{participants.url}/good/0"}
    assert running.call("PATCH", f"api/entries/{made['id']}", body, made["token"])[0] == 200
    played(running)
    running.act("reveal")
    status, table = running.call("GET", "api/rounds/1/compare/2")
    row = next(r for r in table if r["alias"] == "a")
    assert status == 200
    assert row["change_ms"] < -100
    assert next(r for r in table if r["kind"] == "baseline")["change_ms"] == 0.0  # the same seed, the same stream


def test_latency_is_told_beside_the_error(arena, participants):
    running = arena(settings=dataclasses.replace(QUICK, patient=True))
    running.enter(f"{participants.url}/slow/0.2", "slow")
    rows = {r["alias"]: r for r in played(running)["rows"]}
    assert 200 <= rows["slow"]["p50"] <= rows["slow"]["p95"]
    assert rows["FC average"]["p50"] is rows["FC average"]["p95"] is None  # it is not asked over a network


def test_a_missing_answer_costs_the_fc_averages_error_plus_the_penalty_and_availability(arena, participants):
    running = arena(settings=dataclasses.replace(QUICK, penalty_ms=1234))
    running.enter(f"{participants.url}/good/0", "broken")
    entry = running.store.entries()[-1]
    running.arena.engine.renew(running.store.change_entry(entry.id, url=f"{participants.url}/status/500"))
    rows = {r["alias"]: r for r in played(running)["rows"]}
    assert rows["broken"]["availability"] == 0
    log = log_of(running)
    fallback = {r["number"]: float(r["error_ms"]) for r in log if r["alias"] == "FC average"}
    penalised = {r["number"]: float(r["error_ms"]) for r in log if r["alias"] == "broken"}
    assert penalised.keys() == fallback.keys()
    assert all(abs(abs(penalised[n]) - abs(fallback[n]) - 1234) < 0.11 for n in fallback)


def test_nobody_is_ranked_before_the_minimum_and_the_board_says_how_far_they_are(arena, participants):
    running = arena(settings=dataclasses.replace(QUICK, minimum=60))
    running.enter(f"{participants.url}/good/0", "a")
    running.act("start")
    early = running.wait(lambda s: any(r["count"] for r in s["rows"]))
    assert all(r["rank"] is None and r["gap"] is None for r in early["rows"] if r["count"] < 60)
    assert any(r["reason"].endswith("of 60 scored") for r in early["rows"])
    assert [r["rank"] for r in running.wait(lambda s: s["finished"])["rows"]] == [1, 2]


def test_the_reveal_tells_each_entrys_movement_since_the_lock(arena, participants):
    running = arena(settings=dataclasses.replace(QUICK, seconds=9, window=20, hide_seconds=5, patient=True))
    running.enter(f"{participants.url}/good/0", "falls")
    running.enter(f"{participants.url}/good/4000", "rises")
    entry = running.store.entries()[1]
    running.act("start")
    locked = running.wait(lambda s: s["phase"] == "locked")
    assert [r["alias"] for r in locked["rows"]][-1] == "rises"
    assert all(r["moved"] is None for r in locked["rows"])
    running.arena.engine.renew(running.store.change_entry(entry.id, url=f"{participants.url}/good/50000"))
    running.wait(lambda s: s["finished"])
    running.act("reveal")
    assert {r["alias"]: r["moved"] for r in running.state()["rows"]} == {"FC average": 0, "rises": 1, "falls": -1}


def test_a_whole_round_is_replayed_from_its_log(arena, participants):
    running = arena()
    running.enter(f"{participants.url}/good/500", "a")
    final = played(running)
    running.act("reveal")
    status, log = running.call("GET", "api/rounds/1/frames")
    assert status == 200
    clocks = [frame["clock"] for frame in log["frames"]]
    assert clocks[0] == 0 and clocks[-1] == 5 and clocks == sorted(clocks)
    assert log["frames"][0]["places"] == {str(r["id"]): [None, None] for r in final["rows"]}
    assert log["frames"][-1]["places"] == {str(r["id"]): [r["rank"], r["score"]] for r in final["rows"]}
    assert log["names"] == {str(r["id"]): [r["alias"], r["kind"]] for r in final["rows"]}


def test_an_alias_that_a_spreadsheet_would_run_is_defused_in_the_export(arena, participants):
    running = arena()
    running.enter(f"{participants.url}/good/0", "-2 of 3")
    played(running)
    assert {r["alias"] for r in log_of(running)} == {"FC average", "'-2 of 3"}


def test_a_round_that_cannot_be_made_is_refused_at_its_start(arena, participants):
    running = arena(source=from_fulfillment)
    assert running.act("settings", {"change_at": 3.0})[0] == 409  # to which scenario?
    assert running.act("settings", {"scenario": "NO_SUCH_THING"})[0] == 200
    status, answer = running.act("start")
    assert (status, answer["message"]) == (409, "helpers.fulfillment has no scenario 'NO_SUCH_THING'.")
    assert running.state()["phase"] == "open"
    assert running.act("settings", {"scenario": ""})[0] == 200
    assert running.act("start")[0] == 200
