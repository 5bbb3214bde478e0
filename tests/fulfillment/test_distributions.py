"""The samples follow the laws that the parameters state, and the data card states what the samples are."""

import ast
import hashlib
import math
import re
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from helpers.fulfillment import COLUMNS, CONTEXT_COLUMNS, FCS, SCENARIOS, describe, generate, load_history
from helpers.fulfillment.items import drawn_skus, items, level_chances
from helpers.fulfillment.parameters import NORMAL
from helpers.fulfillment.people import at_station
from helpers.fulfillment.process import WORLD, Stream, _bins, _effect, block, fc_averages
from helpers.fulfillment.samples import HISTORY
from helpers.fulfillment.truth import _expected
from helpers.fulfillment.work import interruption_chance, posture, tasks_mean

REPOSITORY = Path(__file__).parents[2]
DATA_CARD = (REPOSITORY / "data" / "README.md").read_text()
VISITS = 40_000


def made(p):
    """A large block under these parameters, as a table with the position of each interaction in its visit."""
    rows = block(Stream(seed=21, visits_per_block=VISITS), 0, p, fc_averages(WORLD))
    frame = pd.DataFrame({name: values for name, values in rows.items() if name != "time_s"})
    frame["position"] = frame.groupby("visit").cumcount()
    return frame


@pytest.fixture(scope="module")
def ordinary():
    return made(NORMAL)


@pytest.fixture(scope="module")
def bins():
    rng = np.random.default_rng(5)
    return pd.DataFrame(_bins(rng, WORLD, rng.integers(len(FCS), size=100_000), NORMAL))


@pytest.fixture(scope="module")
def catalogue():
    return items(WORLD, np.arange(200_000), NORMAL)


def in_errors(values, mean):
    """Distance of the mean from what it should be, in standard errors."""
    return abs(np.mean(values) - mean) / (np.std(values) / math.sqrt(len(values)))


def kumaraswamy_mean(a, b):
    return b * math.gamma(1 + 1 / a) * math.gamma(b) / math.gamma(1 + 1 / a + b)


# The catalogue


def test_lengths_are_lognormal(catalogue):
    median, sd = NORMAL.item_length_mm, NORMAL.item_length_log_sd
    assert np.quantile(catalogue.length, 0.5) == pytest.approx(median, rel=0.01)
    assert np.quantile(catalogue.length, 0.1587) == pytest.approx(median * math.exp(-sd), rel=0.01)
    assert catalogue.length.max() <= NORMAL.item_max_mm[0]


def test_width_and_height_are_shares_of_the_longer_side(catalogue):
    wide = catalogue.length < NORMAL.item_max_mm[1]  # below the cuts
    share = catalogue.width[wide] / catalogue.length[wide]
    assert share.mean() == pytest.approx(kumaraswamy_mean(*NORMAL.item_width_shape), abs=0.004)
    share = catalogue.height[wide] / catalogue.width[wide]
    assert share.mean() == pytest.approx(kumaraswamy_mean(*NORMAL.item_height_shape), abs=0.006)
    assert (catalogue.length >= catalogue.width).all()
    assert (catalogue.width >= catalogue.height).all()


def test_density_is_log_uniform_and_every_item_can_be_lifted(catalogue):
    low, high = NORMAL.density_g_per_cm3
    volume_cm3 = catalogue.length * catalogue.width * catalogue.height / 1000
    some = (volume_cm3 * high < NORMAL.item_max_g) & (volume_cm3 > 100)  # not cut, and not rounded to nothing
    place = np.log(catalogue.weight[some] / volume_cm3[some] / low) / math.log(high / low)
    assert place.mean() == pytest.approx(0.5, abs=0.005)
    assert place.var() == pytest.approx(1 / 12, rel=0.02)
    assert catalogue.weight.max() <= NORMAL.item_max_g


def test_what_is_asked_for_follows_the_popularity_law(bins):
    for share in (0.1, 0.5, 0.9):
        seen = (bins["sku"] < NORMAL.skus * share**2).mean()
        assert seen == pytest.approx(share, abs=4 * math.sqrt(share * (1 - share) / len(bins)))
    assert drawn_skus(np.array([0.0, 0.999999999999]), NORMAL).tolist() == [0, NORMAL.skus - 1]


# Bins and stowing


def test_fullness_and_clutter_are_beta(bins):
    for name, (a, b) in (("fullness", NORMAL.fullness_beta), ("clutter", NORMAL.clutter_beta)):
        assert in_errors(bins[name], a / (a + b)) < 4
        assert bins[name].var() == pytest.approx(a * b / (a + b) ** 2 / (a + b + 1), rel=0.03)


def test_heavy_items_are_stowed_lower(bins):
    shares = np.asarray(NORMAL.level_share) / sum(NORMAL.level_share)
    assert level_chances(np.array([400.0]), NORMAL)[0] == pytest.approx(shares)
    heights = [part["bin_location"].mean() for _, part in bins.groupby(pd.qcut(bins["weight"], 4))]
    assert heights == sorted(heights, reverse=True)
    assert heights[0] - heights[-1] > 200
    near = bins[bins["weight"].between(380, 420)]["bin_location"].value_counts(normalize=True).sort_index()
    assert near.to_numpy() == pytest.approx(shares, abs=0.03)


def test_items_lie_in_bins_that_hold_them_and_larger_ones_in_larger_bins(bins):
    fits = bins["length"] <= bins[["bin_width", "bin_depth"]].max(axis=1)
    fits &= bins["height"] <= bins["bin_height"]
    assert (fits | (bins["bin_width"] == max(NORMAL.bin_width_mm))).all()
    volume = bins["length"] * bins["width"] * bins["height"]
    widths = [part["bin_width"].mean() for _, part in bins.groupby(pd.qcut(volume, 4))]
    assert widths == sorted(widths)
    assert len(bins[["bin_width", "bin_height", "bin_depth"]].drop_duplicates()) == 5  # five kinds


def test_gaps_have_their_reasons(bins, catalogue):
    """Sizes by flatness, weights by missing sizes, fullness by how full the bin is."""
    p = NORMAL
    flat = catalogue.height < p.flat_mm - 25
    thick = catalogue.height > p.flat_mm + 40
    assert catalogue.size_missing[thick].mean() == pytest.approx(p.size_missing, abs=0.004)
    assert catalogue.size_missing[flat].mean() == pytest.approx(p.size_missing + p.size_missing_flat, abs=0.02)
    lost = catalogue.size_missing
    assert catalogue.weight_missing[lost].mean() == pytest.approx(p.weight_missing_without_size, abs=0.02)
    assert catalogue.weight_missing[~lost].mean() == pytest.approx(p.weight_missing, abs=0.003)
    for low, high in ((0.3, 0.5), (0.85, 1.0)):
        part = bins[bins["fullness"].between(low, high)]
        chance = (p.fullness_missing + p.fullness_missing_full * part["fullness"]).mean()
        error = math.sqrt(chance / len(part))
        assert part["fullness_missing"].mean() == pytest.approx(chance, abs=4 * error)
    assert p.fullness_missing_full > p.fullness_missing / 2  # so that it is not at random


# Visits, people, hidden causes


def test_visits_have_as_many_tasks_as_the_law_says(ordinary):
    tasks = ordinary.groupby("visit").size()
    assert in_errors(tasks, tasks_mean(NORMAL)) < 4
    assert (tasks.min(), tasks.max()) == (1, NORMAL.tasks_max)


def test_the_next_task_is_mostly_on_the_same_bin(ordinary):
    same = (ordinary["sku"] == ordinary["sku"].shift()) & (ordinary["bin_clutter"] == ordinary["bin_clutter"].shift())
    assert in_errors(same[ordinary["position"] > 0], NORMAL.same_bin_p) < 4


def test_hidden_effects_have_mean_one_and_the_stated_spread():
    values = _effect(np.random.default_rng(1), NORMAL.bin_sd, 400_000)
    assert in_errors(values, 1.0) < 4
    assert np.log(values).std() == pytest.approx(NORMAL.bin_sd, rel=0.01)


def test_hidden_effects_are_shared_by_just_those_who_share_the_cause():
    """Covariances of the log residuals: within a bin sku, bin and visit; within a visit the visit alone."""
    p = replace(
        NORMAL, interruption_p=0.0, associate_sd=0.0, temporary_share=0.0, regular_days=1e-6, fatigue=0.0, warm_up=0.0,
        count_share=0.0, first_task_s=0.0, outer_column_s=0.0, confirm_s=(0.7, 0.7),
    )  # fmt: skip
    frame = made(p)
    residual = np.log(frame["duration"] / _expected(frame, p, WORLD))
    residual -= residual.mean()
    known = ~frame[["item_length", "item_weight", "bin_fullness"]].isna().any(axis=1)
    following = frame["position"].shift(-1) > 0
    following &= known & known.shift(-1, fill_value=False)
    same = following & (frame["sku"] == frame["sku"].shift(-1))
    product = residual * residual.shift(-1)
    assert product[same].mean() == pytest.approx(p.sku_sd**2 + p.bin_sd**2 + p.visit_sd**2, rel=0.05)
    assert product[following & ~same].mean() == pytest.approx(p.visit_sd**2, rel=0.25)
    assert (residual[known] ** 2).mean() == pytest.approx(
        p.sku_sd**2 + p.bin_sd**2 + p.visit_sd**2 + p.noise_sd**2, rel=0.05
    )


def test_interruptions_are_as_frequent_and_as_long_as_stated():
    """Without anything else that is random, what is left beside the expected work is the interruption."""
    p = replace(
        NORMAL, associate_sd=0.0, temporary_share=0.0, regular_days=1e9, fatigue=0.0, warm_up=0.0, count_share=0.0,
        first_task_s=0.0, outer_column_s=0.0, confirm_s=(0.7, 0.7), sku_sd=0.0, visit_sd=0.0, bin_sd=0.0, noise_sd=0.0,
        size_missing=0.0, size_missing_flat=0.0, weight_missing=0.0, weight_missing_without_size=0.0,
        fullness_missing=1e-12, fullness_missing_full=0.0,
    )  # fmt: skip
    frame = made(p)
    work_ms = _expected(frame, replace(p, interruption_p=0.0), WORLD)
    left_s = (frame["duration"] - work_ms) / 1000
    interrupted = left_s > 0.1
    assert left_s[~interrupted].abs().max() < 0.02  # the clock's resolution
    chance = interruption_chance(frame["bin_fullness"] / 100, frame["bin_clutter"] / 100, p)
    assert interrupted.sum() == pytest.approx(chance.sum(), abs=4 * math.sqrt(chance.sum()))
    assert in_errors(left_s[interrupted], p.interruption_s) < 4
    assert np.log(left_s[interrupted]).std() == pytest.approx(p.interruption_log_sd, rel=0.08)


def test_new_associates_are_slower_and_the_shift_ends_slower():
    fc, station = np.zeros(200_000, dtype=int), np.arange(200_000) % NORMAL.stations_per_fc
    time_s = np.random.default_rng(2).uniform(0, 600 * 86_400, 200_000)
    shift = at_station(WORLD, fc, station, time_s, NORMAL)
    hour = time_s / 3600 % NORMAL.shift_h
    early, late = (shift.pace[hours].mean() for hours in ((hour > 2) & (hour < 4), hour > 7))
    assert late > 1.03 * early
    new = shift.interruptions > 2  # in the first days
    assert 0 < new.mean() < 0.2
    assert shift.pace[new].mean() > 1.2 * shift.pace[~new].mean()


# Physical effects, in the samples themselves


def test_a_bin_takes_longer_the_farther_it_is_from_the_golden_zone():
    heights = np.arange(200, 2200, 10)
    seconds = posture(heights, NORMAL)
    low, high = heights <= 800, heights >= 1250
    assert (np.diff(seconds[low]) < 0).all()
    assert (np.diff(seconds[high]) > 0).all()
    golden = (heights >= 750) & (heights <= 1250)
    assert seconds[golden].max() < 0.1


def test_in_the_samples_bins_outside_the_golden_zone_and_heavy_items_take_longer(ordinary):
    """Means over all places; differences in standard errors over visits."""

    def longer(more, fewer):
        means, errors = [], []
        for rows in (more, fewer):
            by_visit = ordinary[rows].groupby("visit")["duration"].agg(["sum", "size"])
            mean = by_visit["sum"].sum() / by_visit["size"].sum()
            residual = by_visit["sum"] - mean * by_visit["size"]
            means.append(mean)
            errors.append(math.sqrt((residual**2).sum()) / by_visit["size"].sum())
        return (means[0] - means[1]) / math.hypot(*errors)

    alike = ordinary["item_weight"].between(300, 1200)  # heavy items are stowed lower
    lowest, low, middle, high, highest = (
        alike & (ordinary["bin_location"] == height) for height in NORMAL.level_height_mm
    )
    assert longer(lowest, low) > 10
    assert longer(highest, high) > 10
    assert longer(high, middle) > 4
    middle = ordinary["bin_location"] == NORMAL.level_height_mm[2]
    heavy, light = middle & (ordinary["item_weight"] > 1500), middle & (ordinary["item_weight"] < 300)
    assert longer(heavy, light) > 10
    assert longer(ordinary["item_quantity"] >= 4, ordinary["item_quantity"] == 1) > 10
    assert longer(ordinary["bin_fullness"] >= 90, ordinary["bin_fullness"] <= 70) > 10
    assert longer(ordinary["bin_clutter"] >= 70, ordinary["bin_clutter"] <= 20) > 4


# Sources


def test_every_parameter_has_a_unit_and_a_source_or_is_called_assumed():
    """In its own line, or in the heading of its section; units in the name or the remark, else it is a plain number."""
    words = ("assumed", "MTM-1", "De Jong", "original", "calibrated", "prototype", "used by scenarios")
    source, told = "", {}
    for line in (REPOSITORY / "helpers" / "fulfillment" / "parameters.py").read_text().splitlines():
        if line.startswith("    # "):
            source = line
        elif found := re.match(r"    (\w+): [^=]+ = .*", line):
            told[found[1]] = [word for word in words if word in line] or [word for word in words if word in source]
    assert set(told) == {field.name for field in fields(NORMAL)}
    assert [name for name, sources in told.items() if not sources] == []


@pytest.mark.parametrize("module", ["work", "people", "items", "process"])
def test_the_model_has_no_number_of_its_own(module):
    """But those of arithmetic and units: what could be another number in another warehouse is a parameter."""
    tree = ast.parse((REPOSITORY / "helpers" / "fulfillment" / f"{module}.py").read_text())
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    numbers = {
        node.value for function in functions for node in ast.walk(function)
        if isinstance(node, ast.Constant) and isinstance(node.value, (int, float)) and not isinstance(node.value, bool)
    }  # fmt: skip
    arithmetic = {-1, 0, 0.5, 1, 2, 1e-9}
    assert numbers <= arithmetic | {10, 100, 1000, 3600} | {16, 40, 42, 64, 8192}  # units; bits of a number, sizes


# What the data card and the page on the data set say


def test_the_checksum_on_the_data_card_is_that_of_the_file():
    told = re.search(r"SHA-256 \| `([0-9a-f]{64})`", DATA_CARD)[1]
    assert hashlib.sha256(HISTORY.read_bytes()).hexdigest() == told


def test_the_figures_on_the_data_card_are_those_of_the_file():
    history = load_history()
    figures = {row[0]: row for row in describe.columns(history)}
    cells = [[cell.strip(" `") for cell in line.strip("| ").split("|")] for line in DATA_CARD.splitlines()]
    rows = {row[0]: row for row in cells if len(row) == 11 and row[0] in COLUMNS}
    assert list(rows) == list(COLUMNS)
    for name, row in rows.items():
        unit, lowest, low, half, mean, most, highest, levels, missing = row[1:10]
        _, *found = figures[name]
        assert unit == found[0]
        for told, value in zip((lowest, low, half, most, highest), (*found[1:4], *found[5:7]), strict=True):
            assert told == value, (name, told, value)
        column = history[name].dropna()
        assert float(mean.replace(",", "")) == pytest.approx(column.mean(), abs=0.5 if "." not in mean else 0.05), name
        assert levels in ("", found[7]), name
        assert missing == ("" if found[8] == "0.0 %" else found[8]), name
    facts = dict(describe.facts(history))
    for told in (
        f"`duration`: {facts['standard deviation of the duration']}",
        f"{facts['noise floor (RMSE of the truth)']} on these rows",
        f"{history['visit'].nunique():,} visits of {len(history) / history['visit'].nunique():.1f} samples",
    ):
        assert told in DATA_CARD, told
    assert all(f"`{name}`" in DATA_CARD for name in CONTEXT_COLUMNS)


def test_the_spreads_on_the_page_are_those_of_the_parameters():
    page = (REPOSITORY / "docs" / "dataset.md").read_text()
    told = re.search(
        r"item \(sd ([\d.]+) on the log scale\), associate \(([\d.]+)\), visit \(([\d.]+)\), \*\*bin in this\s+visit "
        r"\(([\d.]+)\)\*\*, single interaction \(([\d.]+)\)",
        page,
    )
    p = NORMAL
    assert [float(value) for value in told.groups()] == [p.sku_sd, p.associate_sd, p.visit_sd, p.bin_sd, p.noise_sd]


@pytest.mark.parametrize("scenario", [None, *SCENARIOS.values()], ids=lambda one: one.name if one else "ordinary")
def test_samples_of_every_regime_fit_the_schema(scenario):
    frame, wrong = describe.checked(generate(20_000, 6, scenario.sudden() if scenario else None))
    assert wrong == []
    assert len(frame) == 20_000
