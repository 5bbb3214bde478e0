"""The truth: unbiased on a large sample wherever one looks, physically monotone, and not to be beaten."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import xgboost as xgb
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.fulfillment import FEATURES, SCENARIOS, expected_duration, generate, load_history, noise_floor
from helpers.fulfillment.parameters import NORMAL
from helpers.fulfillment.people import pace_mean
from helpers.fulfillment.process import Stream, block, fc_averages
from helpers.fulfillment.truth import _expected
from helpers.fulfillment.work import tasks_mean

ROWS = 100_000


def typical():
    return {
        "fc_avg": fc_averages(2019)[2], "item_length": 220.0, "item_width": 160.0, "item_height": 70.0,
        "item_quantity": 2.0, "item_weight": 600.0, "bin_location": 1100.0, "bin_width": 360.0, "bin_height": 230.0,
        "bin_depth": 400.0, "bin_fullness": 65.0, "bin_clutter": 40.0,
    }  # fmt: skip


def of(**changes):
    return float(expected_duration(pd.DataFrame([typical() | changes]))[0])


def gap_in_errors(frame, expected, rows):
    """Mean of duration minus truth, in standard errors that know of the groups (visits)."""
    residual = (frame["duration"] - expected)[rows]
    sums = residual.groupby(frame.loc[rows, "visit"]).sum()
    return residual.sum() / np.sqrt((sums**2).sum())


@pytest.fixture(scope="module")
def quiet():
    """Samples without people's and places' differences, which a finite crew does not average out."""
    quiet = replace(NORMAL, associate_sd=0.0, temporary_share=0.0, regular_days=1e-6, fatigue=0.0, warm_up=0.0)
    rows = block(Stream(seed=11, visits_per_block=60_000, fc=None), 0, quiet, fc_averages(2019))
    frame = pd.DataFrame({name: rows[name] for name in ("duration", "visit", *FEATURES)})
    return frame, _expected(frame, quiet, 2019)


def test_it_is_the_mean_in_every_band_of_its_own_value(quiet):
    frame, expected = quiet
    band = pd.qcut(expected, 20, labels=False)
    gaps = [gap_in_errors(frame, expected, band == k) for k in range(20)]
    assert np.abs(gaps).max() < 4
    assert np.mean(np.square(gaps)) < 2.2


@pytest.mark.parametrize("name", FEATURES)
def test_it_is_the_mean_in_every_band_of_each_feature(quiet, name):
    frame, expected = quiet
    band = pd.qcut(frame[name], 8, labels=False, duplicates="drop")
    gaps = [gap_in_errors(frame, expected, band == k) for k in band.dropna().unique()]
    assert np.abs(gaps).max() < 4
    if frame[name].isna().any():
        assert abs(gap_in_errors(frame, expected, frame[name].isna())) < 4


def test_it_is_the_mean_where_size_and_weight_are_both_missing(quiet):
    frame, expected = quiet
    assert abs(gap_in_errors(frame, expected, frame["item_length"].isna() & frame["item_weight"].isna())) < 4


@pytest.fixture(scope="module")
def bare():
    """Samples without hidden effects and interruptions: what is left beside the truth is what is missing."""
    p = replace(
        NORMAL, associate_sd=0.0, temporary_share=0.0, regular_days=1e-6, fatigue=0.0, warm_up=0.0, sku_sd=0.0,
        visit_sd=0.0, bin_sd=0.0, noise_sd=0.0, interruption_p=0.0,
        count_share=0.0, first_task_s=0.0, outer_column_s=0.0, confirm_s=(0.7, 0.7),
    )  # fmt: skip
    rows = block(Stream(seed=12, visits_per_block=120_000, fc=None), 0, p, fc_averages(2019))
    frame = pd.DataFrame({name: rows[name] for name in ("duration", "visit", *FEATURES)})
    return frame, _expected(frame, p, 2019)


@pytest.mark.parametrize("missing", [("item_length",), ("item_weight",), ("item_length", "item_weight")], ids="+".join)
def test_what_is_missing_is_averaged_out_in_every_kind_of_bin_and_at_every_height(bare, missing):
    frame, expected = bare
    rows = np.ones(len(frame), dtype=bool)
    for name in ("item_length", "item_weight"):
        rows &= frame[name].isna() == (name in missing)
    residual = (frame["duration"] - expected)[rows].mean() / expected[rows].mean()
    assert abs(residual) < 0.01
    for by in ("bin_width", "bin_location"):
        gaps = [gap_in_errors(frame, expected, rows & (frame[by] == level)) for level in frame[by].unique()]
        assert np.abs(gaps).max() < 4, by


@pytest.mark.parametrize("name", sorted(SCENARIOS))
def test_it_knows_the_scenarios(name):
    scenario = SCENARIOS[name].sudden()
    frame = generate(ROWS, 3, scenario)
    expected = expected_duration(frame, scenario)
    assert expected.mean() == pytest.approx(frame["duration"].mean(), rel=0.015)  # a finite crew: about 1 %
    # Better than an affine change of itself: slope 1 within its error
    assert np.polyfit(expected, frame["duration"], 1)[0] == pytest.approx(1, abs=0.03)


def test_no_model_gets_under_the_noise_floor_on_new_visits(samples):
    live = generate(40_000, 43)
    data = xgb.DMatrix(samples[list(FEATURES)].to_numpy(np.float32), samples["duration"].to_numpy(float))
    options = {"max_depth": 5, "eta": 0.1, "min_child_weight": 10, "subsample": 0.7, "nthread": 1}
    model = xgb.train(options, data, 100)
    predicted = model.predict(xgb.DMatrix(live[list(FEATURES)].to_numpy(np.float32)))
    rmse = np.sqrt(np.mean((predicted - live["duration"]) ** 2))
    floor = noise_floor(live)
    assert floor < rmse < 1.06 * floor
    assert 5_300 < rmse < 5_900


def test_the_shipped_history_has_the_stated_floor():
    history = load_history()
    assert len(history) == 200_000
    assert noise_floor(history) == pytest.approx(5_549, abs=1)


def test_outside_the_golden_zone_it_takes_longer():
    heights = [of(bin_location=height) for height in (350.0, 750.0, 1100.0, 1500.0, 1850.0)]
    assert min(heights[1:4]) < heights[4] < heights[0]
    assert min(heights[0], heights[4]) > 1.15 * max(heights[1:4])


@given(
    quantity=st.integers(1, 8), weight=st.integers(20, 2400), fullness=st.integers(0, 95), clutter=st.integers(0, 95)
)
@settings(max_examples=60, deadline=None)
def test_more_heavier_fuller_and_more_cluttered_takes_longer(quantity, weight, fullness, clutter):
    here = {"item_quantity": quantity, "item_weight": weight, "bin_fullness": fullness, "bin_clutter": clutter}
    for name, step in (("item_quantity", 1), ("item_weight", 100), ("bin_fullness", 5), ("bin_clutter", 5)):
        assert of(**here | {name: here[name] + step}) > of(**here), name


def test_means_in_closed_form():
    """Against draws of the same laws."""
    rng = np.random.default_rng(0)
    extra = rng.poisson(rng.gamma(NORMAL.extra_tasks_shape, NORMAL.extra_tasks / NORMAL.extra_tasks_shape, 400_000))
    assert tasks_mean(NORMAL) == pytest.approx(1 + np.minimum(extra, NORMAL.tasks_max - 1).mean(), rel=0.005)
    service = np.where(rng.random(400_000) < NORMAL.temporary_share, NORMAL.temporary_days, NORMAL.regular_days)
    learning = NORMAL.pace_floor + NORMAL.pace_learning * (1 + rng.random(400_000) * service / 6.0) ** -0.6
    hour = rng.random(400_000) * 8
    day = 1 + NORMAL.warm_up * np.exp(-hour / 0.35) + NORMAL.fatigue * np.maximum(hour - 4, 0) ** 1.35
    assert pace_mean(NORMAL) == pytest.approx((learning * day).mean(), rel=0.002)


def test_a_place_that_does_not_exist_is_named():
    with pytest.raises(ValueError, match="bin_location has the value 1234"):
        of(bin_location=1234.0)
