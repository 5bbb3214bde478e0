"""Phases, settings, and a clock that nothing outside moves."""

import pytest

from helpers.arena.rounds import Phase, RoundClock, RoundError, Settings, after


def test_the_phases_follow_one_another():
    phase = Phase.OPEN
    for action, expected in [("start", "warm-up"), ("live", "live"), ("lock", "locked"), ("reveal", "revealed")]:
        phase = after(phase, action)
        assert phase == expected


@pytest.mark.parametrize("phase", list(Phase))
@pytest.mark.parametrize("action", ["start", "live", "lock", "reveal"])
def test_an_action_out_of_turn_is_refused_in_words(phase, action):
    fits = {("start", "open"), ("live", "warm-up"), ("lock", "live"), ("reveal", "locked")}
    if (action, str(phase)) not in fits:
        with pytest.raises(RoundError, match=f"This one is {phase}"):
            after(phase, action)


@pytest.mark.parametrize(
    "wrong",
    [
        {"seconds": 1},
        {"rate": 0},
        {"rate": float("nan")},
        {"window": "600"},
        {"penalty_ms": -1},
        {"hide_seconds": 1800},
        {"seconds": 20_000, "rate": 200},
        {"speed": True},
        {"colour": 1},
    ],
)
def test_settings_out_of_range_say_what_the_range_is(wrong):
    with pytest.raises(RoundError):
        Settings().with_changes(wrong)


class Hands:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def test_the_clock_counts_only_while_it_runs():
    hands = Hands()
    clock = RoundClock(5.0, now=hands)
    hands.now += 10
    assert clock.elapsed == 5.0
    clock.start()
    hands.now += 3
    clock.stop()
    hands.now += 100
    assert clock.elapsed == 8.0
    clock.start()
    clock.start()
    hands.now += 1
    assert clock.elapsed == 9.0


def test_time_that_stood_still_is_taken_out():
    hands = Hands()
    clock = RoundClock(now=hands)
    clock.start()
    hands.now += 60
    clock.set_back(58)
    assert clock.elapsed == 2.0


def test_the_system_time_does_not_move_a_round(monkeypatch):
    import time

    clock = RoundClock()
    clock.start()
    monkeypatch.setattr(time, "time", lambda: 0.0)
    assert 0 <= clock.elapsed < 5
