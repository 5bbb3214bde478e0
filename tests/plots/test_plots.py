"""Each figure is drawn, and its sentence says what the numbers behind it say."""

import json

import numpy as np
import pandas as pd
import pytest

from helpers import plots
from helpers.plots import live, style


@pytest.fixture
def drawn(monkeypatch):
    """Figures that were shown, as PNG bytes and sentence."""
    shown = []
    monkeypatch.setattr(style, "show", lambda figure, told: shown.append((style.as_png(figure), told)))
    return shown


def samples(rows: int = 3000) -> pd.DataFrame:
    random = np.random.default_rng(1)
    frame = pd.DataFrame({name: random.lognormal(5, 0.4, rows) for name in plots.samples.UNITS})
    frame["bin_location"] = random.choice([300, 700, 1100, 1500, 1900], rows)
    frame["duration"] = 10_000 + abs(frame["bin_location"] - 1100) * 5.0
    frame.loc[frame.index[:300], "item_weight"] = np.nan
    return frame


def test_durations_tell_median_mean_and_tail(drawn):
    plots.durations([1000] * 90 + [10_000] * 9 + [100_000])
    picture, told = drawn[0]
    assert picture.startswith(b"\x89PNG")
    assert told.startswith("100 interactions: half end within 1.0 s, the mean is 2.8 s, 5 % take longer than 10.0 s")


def test_features_tell_what_is_missing(drawn):
    plots.features(samples())
    assert drawn[0][1] == "12 features. Missing: item_weight 10.0 %. At most five levels: bin_location."


def test_the_pod_tells_its_quickest_and_slowest_level(drawn):
    frame = samples()
    plots.pod(frame)
    plots.pod(frame[frame.bin_location < 1500], across="bin_width")
    assert drawn[0][1].startswith("Quickest level: 1100 mm from the ground (10.0 s on average)")
    assert "slowest: 300 mm" in drawn[1][1]


def test_comparison_tells_the_best_and_its_distance_from_the_floor(drawn):
    plots.comparison({"mean": 7000, "XGBoost": 5500, "k-NN": 6000}, floor_ms=5000, baselines=["mean"])
    assert drawn[0][1] == "Best: XGBoost with 5,500 ms, 10.0 % above the noise floor of 5,000 ms."


def test_learning_curves_tell_both_ends(drawn):
    plots.learning_curves({"k-NN": {1000: 6500, 10_000: 6000}}, floor_ms=5000)
    assert drawn[0][1] == "RMSE as the data grows: k-NN from 6,500 to 6,000 ms."


def test_importance_tells_shares_of_the_whole(drawn):
    plots.importance({"a": 1, "b": 5, "c": 3, "d": 1})
    assert drawn[0][1] == "The three features that matter most: b 50 %, c 30 %, a 10 %. The least: d."


@pytest.mark.parametrize("rows", [50, 2000])
def test_predicted_against_actual_tells_rmse_and_bias(drawn, rows):
    actual = np.linspace(5000, 20_000, rows)
    plots.predicted_against_actual(actual + 300, actual)
    assert drawn[0][1] == f"{rows:,} interactions: RMSE 300 ms; predictions are +300 ms off on average."


def test_score_against_truth_tells_both_winners(drawn):
    plots.score_against_truth({"deep": (-300, 600), "flat": (100, 200)}, labels=("test", "live"))
    assert drawn[0][1] == (
        "Best by test: deep. Best by live: flat. 1 of the 2 scores by test are below the noise floor."
    )


def test_the_error_story_is_drawn_with_any_of_its_marks(drawn):
    time = np.linspace(0, 30, 500)
    error = np.where((time > 10) & (time < 20), 6000, 3000)
    marks = {"drift": 10, "alarm": 11, "training": 11.2, "promoted": 20}
    plots.error_story(time, error, threshold_ms=4500, marks=marks, told="whole")
    plots.error_story(time, error, threshold_ms=4500, marks={}, told="bare")
    assert [told for _, told in drawn] == ["whole", "bare"]
    assert drawn[0][0] != drawn[1][0]


def test_live_against_test_tells_what_looks_best_and_what_holds(drawn):
    plots.live_against_test({"flat": {30: (100, 150), 200: (50, 220)}, "deep": {30: (40, 200), 200: (-180, 480)}})
    assert drawn[0][0].startswith(b"\x89PNG")
    assert drawn[0][1] == (
        "Below the noise floor: 1 of 4 test scores, 0 of the live ones. Best by the test: deep, 200 rounds (-180 ms); "
        "live it has +480 ms and is number 4. Best live: flat, 30 rounds (+150 ms)."
    )


def test_the_race_counts_changes_of_the_lead(drawn):
    rows = [(t, "a", 5000 + (100 if t == 2 else 0)) for t in range(5)] + [(t, "b", 5050) for t in range(5)]
    plots.race(pd.DataFrame(rows, columns=["time_s", "alias", "error_ms"]), highlight="a")
    assert drawn[0][1] == "a leads at the end with 5,000 ms; the lead changed 2 times."


def test_scaling_tells_load_instances_and_latency(drawn):
    requests = pd.DataFrame({"minute": np.linspace(0, 60, 300), "latency_ms": 100.0, "region": "eu-west-1"})
    requests.loc[50:60, "latency_ms"] = 2500.0
    requests.loc[55, "region"] = None
    instances = pd.DataFrame({"minute": [0, 10, 30, 60], "instances": [1, 5, 3, 1]})
    plots.scaling(requests, instances, capacity_per_s=10)
    plots.scaling(requests, instances.head(1))
    assert drawn[0][0].startswith(b"\x89PNG")
    assert drawn[0][1] == (
        "1 instance became 5 in minute 10 and 1 at the end; latency was 0.1 s at first, 2.5 s at worst and 0.1 s at "
        "the end; 299 of 300 requests were answered."
    )
    assert drawn[1][1].startswith("The instance count stayed at 1; latency was 0.1 s at first")


def test_the_moving_mean_looks_back_only():
    means = live.moving_mean(np.array([0.0, 1.0, 2.0, 10.0]), np.array([4.0, 2.0, 0.0, 9.0]), 1.5)
    assert means.tolist() == [4.0, 3.0, 1.0, 9.0]


def test_the_same_figure_is_the_same_bytes(drawn):
    plots.importance({"a": 1, "b": 5})
    plots.importance({"a": 1, "b": 5})
    assert drawn[0] == drawn[1]


def test_in_a_notebook_the_picture_carries_its_sentence_as_alternative_text(monkeypatch, capsys):
    displayed = []
    monkeypatch.setattr("IPython.get_ipython", object)
    monkeypatch.setattr("IPython.display.display", lambda data, **options: displayed.append((data, options)))
    plots.importance({"a": 1, "b": 5})
    data, options = displayed[0]
    assert set(data) == {"image/png", "text/plain"}
    told = options["metadata"]["image/png"]["alt"]
    assert told in capsys.readouterr().out
    json.dumps(data)
