"""The process: reproducible, with the moments, groups and gaps that the data card states."""

import numpy as np
import pandas as pd
import pytest

from helpers.fulfillment import FCS, FEATURES, chunks, generate
from helpers.fulfillment.parameters import NORMAL
from helpers.fulfillment.process import Stream, block, blocks, fc_averages

GOLDEN_SUM = 10194260


def test_the_same_seed_gives_the_same_samples_whatever_the_chunks():
    whole = generate(30_000, 5)
    for size in (1, 999, 7_000):
        rows = 300 if size == 1 else 30_000
        pieces = pd.concat(list(chunks(rows, 5, chunk_rows=size)), ignore_index=True)
        pd.testing.assert_frame_equal(pieces, whole.head(rows))
    pd.testing.assert_frame_equal(generate(30_000, 5), whole)


def test_a_block_can_be_made_alone_and_out_of_order():
    stream = Stream(seed=8)
    averages = fc_averages(stream.world)
    in_order = blocks(stream)
    next(in_order)
    second = next(in_order)
    alone = block(stream, 1, NORMAL, averages)
    assert all(np.array_equal(alone[name], second[name], equal_nan=alone[name].dtype.kind == "f") for name in alone)


def test_these_are_the_samples_of_this_version():
    """Golden: computed by this code, so that a change of the samples is a decision and not an accident."""
    frame = generate(1_000, 0)
    assert frame["duration"].sum() == GOLDEN_SUM
    assert frame["event_id"].is_unique


def test_seeds_and_worlds_are_different():
    first, second, other_world = generate(2_000, 1), generate(2_000, 2), generate(2_000, 1, world=7)
    assert not set(first["event_id"]) & set(second["event_id"])
    assert (first["duration"].to_numpy() != second["duration"].to_numpy()).mean() > 0.9
    assert set(first["fc_avg"]) != set(other_world["fc_avg"])


def test_moments_are_those_of_the_original_leaderboard(samples):
    duration = samples["duration"] / 1000
    assert duration.std() == pytest.approx(7.3, abs=0.35)  # predicting the mean: 7.0 to 7.6 s
    assert duration.mean() == pytest.approx(9.6, abs=0.3)
    assert duration.skew() > 2  # a long right tail
    assert duration.quantile(0.999) > 5 * duration.median()
    assert (samples["duration"] % 10 == 0).all()  # the clock's resolution


def test_ranges_and_levels_are_those_of_the_original(samples):
    for name in ("fc_avg", "bin_location", "bin_width", "bin_height", "bin_depth"):
        assert samples[name].nunique() == 5, name
    assert set(samples["item_quantity"]) == set(range(1, 10))
    assert samples["item_length"].max() <= 450
    assert samples["item_width"].max() <= 400
    assert samples["item_height"].max() <= 250
    assert samples["item_weight"].max() <= 2500
    for name in ("bin_fullness", "bin_clutter"):
        assert samples[name].between(0, 100).where(samples[name].notna(), True).all()
    for name in FEATURES:
        values = samples[name].dropna()
        assert (values == values.round()).all(), name
    assert set(samples["fc"]) == set(FCS)


def test_quantities_follow_the_cut_geometric_law(samples):
    p, most = NORMAL.quantity_p, NORMAL.quantity_max
    law = p * (1 - p) ** np.arange(most) / (1 - (1 - p) ** most)
    shares = samples["item_quantity"].value_counts(normalize=True).sort_index()
    assert shares.to_numpy() == pytest.approx(law, abs=0.006)


def test_missing_values_are_not_missing_at_random(samples):
    assert samples["item_length"].isna().mean() == pytest.approx(0.07, abs=0.015)
    assert samples["item_weight"].isna().mean() == pytest.approx(0.045, abs=0.012)
    assert samples["bin_fullness"].isna().mean() == pytest.approx(0.035, abs=0.008)
    without = samples["item_length"].isna()
    assert (samples["item_width"].isna() == without).all()
    assert samples.loc[without, "item_weight"].isna().mean() > 10 * samples.loc[~without, "item_weight"].isna().mean()
    # Flat items are light, and it is their size that is missing
    assert samples.loc[without, "item_weight"].mean() < 0.85 * samples.loc[~without, "item_weight"].mean()
    by_item = samples.groupby("sku")["item_weight"].agg(lambda values: values.isna().mean())
    assert set(by_item.unique()) <= {0.0, 1.0}  # by item, not by interaction


def test_interactions_of_one_bin_share_hidden_causes(samples):
    """The residual's correlation within a bin of a visit, within a visit, and between neighbours of other visits."""
    from helpers.fulfillment import expected_duration

    residual = np.log(samples["duration"] / expected_duration(samples))
    samples = samples.assign(residual=residual - residual.mean())
    samples = samples.sort_values(["visit", "event_id"], ignore_index=True)
    following = samples.shift(-1)
    visit = samples["visit"] == following["visit"]
    same_bin = visit & (samples["sku"] == following["sku"])

    def correlation(rows):
        return np.corrcoef(samples.loc[rows, "residual"], following.loc[rows, "residual"])[0, 1]

    assert correlation(same_bin) > 0.5
    assert 0.03 < correlation(visit & ~same_bin) < correlation(same_bin) - 0.2
    assert abs(correlation(~visit & following["residual"].notna())) < 0.03


def test_one_visit_is_one_pod_one_station_one_person(samples):
    spread = samples.groupby("visit")[["fc", "station", "pod", "associate"]].nunique()
    assert (spread == 1).all().all()
    assert samples.groupby("visit").size().between(1, 12).all()


def test_time_goes_on_and_tasks_of_a_visit_do_not_overlap(samples):
    assert samples["time"].is_monotonic_increasing
    ordered = samples.sort_values(["visit", "event_id"])
    ends = ordered["time"] + pd.to_timedelta(ordered["duration"], unit="ms")
    following = ordered.groupby("visit")["time"].shift(-1)
    assert (following.dropna() >= ends[following.notna()]).all()


def test_a_chunk_without_rows_is_refused():
    with pytest.raises(ValueError, match="row"):
        generate(0)
