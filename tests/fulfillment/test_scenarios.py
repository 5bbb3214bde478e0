"""Scenarios: when they are there, how far they have come, and what retraining can do."""

import numpy as np
import pytest
import xgboost as xgb

from helpers.fulfillment import FEATURES, GROWING_NOISE, PEAK_SEASON, SCENARIOS, SLOW_WEAR, generate
from helpers.fulfillment.parameters import NORMAL

DAY_S = 86_400.0


def test_sudden_gradual_and_recurring():
    assert [PEAK_SEASON.sudden(100).share(t) for t in (0, 99, 100, 1e9)] == [0, 0, 1, 1]
    assert [PEAK_SEASON.gradual(50, 100).share(t) for t in (99, 125, 150, 1e9)] == [0, 0.5, 1, 1]
    assert [PEAK_SEASON.recurring(10, 4).share(t) for t in (0, 3, 4, 9, 10, 13, 14)] == [1, 1, 0, 0, 1, 1, 0]


def test_parameters_move_in_a_straight_line():
    middle = SLOW_WEAR.parameters(NORMAL, 0.5)
    assert middle.machine_s == pytest.approx((NORMAL.machine_s + SLOW_WEAR.changes["machine_s"]) / 2)
    assert SLOW_WEAR.parameters(NORMAL, 0) == NORMAL
    with pytest.raises(TypeError):
        type(PEAK_SEASON)("wrong", "a parameter that is none", {"no_such": 1}).parameters(NORMAL)


def test_a_gradual_scenario_grows_with_time():
    frame = generate(60_000, 4, PEAK_SEASON.gradual(8 * DAY_S))
    thirds = [part.mean() for part in np.array_split(frame["duration"].to_numpy(), 3)]
    assert thirds[0] + 1_000 < thirds[1] < thirds[2] - 1_000


def test_a_sudden_one_changes_everything_from_its_onset_on():
    frame = generate(40_000, 4, PEAK_SEASON.sudden(onset_s=3 * DAY_S))
    day = (frame["time"] - frame["time"].iloc[0]).dt.total_seconds() / DAY_S
    before, after = frame["duration"][day < 2.9], frame["duration"][day > 3.5]
    assert after.mean() > before.mean() + 4_000
    ordinary = generate(40_000, 4)
    assert before.equals(ordinary["duration"][day < 2.9])  # nothing before it


def test_a_recurring_one_comes_and_goes():
    frame = generate(60_000, 4, PEAK_SEASON.recurring(period_s=4 * DAY_S, present_s=2 * DAY_S))
    day = (frame["time"] - frame["time"].iloc[0]).dt.total_seconds().to_numpy() / DAY_S
    means = [frame["duration"][(day > begin + 0.5) & (day < begin + 1.5)].mean() for begin in (0, 2, 4, 6)]
    assert min(means[0], means[2]) > max(means[1], means[3]) + 4_000


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=lambda scenario: scenario.name)
def test_every_scenario_says_why_and_changes_what_there_is(scenario):
    assert len(scenario.reason.split()) > 8
    assert scenario.changes
    arrived = scenario.sudden().parameters(NORMAL)
    assert {name: getattr(arrived, name) for name in scenario.changes} == scenario.changes
    assert all(getattr(NORMAL, name) != value for name, value in scenario.changes.items())


def learned(frame):
    data = xgb.DMatrix(frame[list(FEATURES)].to_numpy(np.float32), frame["duration"].to_numpy(float))
    return xgb.train({"max_depth": 5, "eta": 0.15, "min_child_weight": 10, "nthread": 1}, data, 60)


def error(model, frame):
    predicted = model.predict(xgb.DMatrix(frame[list(FEATURES)].to_numpy(np.float32)))
    return np.abs(predicted - frame["duration"]).mean()


def test_peak_season_is_noticed_and_retraining_helps_but_not_against_noise():
    reference = learned(generate(60_000, 1))
    ordinary = error(reference, generate(30_000, 2))
    peak = generate(30_000, 3, PEAK_SEASON)
    assert error(reference, peak) > 1.3 * ordinary  # room for a threshold 15 % below, and above ordinary times
    assert error(learned(generate(40_000, 4, PEAK_SEASON)), peak) < 0.8 * error(reference, peak)
    noisy = generate(30_000, 3, GROWING_NOISE)
    assert error(reference, noisy) > 1.3 * ordinary
    assert error(learned(generate(40_000, 4, GROWING_NOISE)), noisy) > 0.98 * error(reference, noisy)
