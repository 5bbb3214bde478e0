"""The process: blocks of pod visits with their interactions, from counter-based random numbers.

A stream is known by (world, seed, fulfillment centre or all); its block k draws from a Philox generator keyed by the
stream and k alone. So any block can be made alone, in any order, on any machine, and always is the same. Needs numpy
and nothing else, so that it also runs inside a Lambda function.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from helpers.fulfillment import identities, people, work
from helpers.fulfillment.columns import FCS
from helpers.fulfillment.items import Items, bin_chances, chosen, drawn_skus, items, level_chances
from helpers.fulfillment.parameters import NORMAL, Parameters
from helpers.fulfillment.scenarios import Scenario

WORLD = 2019  # the world of the shipped history
HISTORY_START_S = 1_767_571_200.0  # 2026-01-05 00:00 UTC, a Monday
LIVE_START_S = HISTORY_START_S + 29.0 * 86_400.0 + 3.0 * 3600.0  # the day after, three hours into a shift
CLOCK_MS = 10  # resolution of the station's clock
_STREAM, _PLACE, _POD = 301, 302, 303
MISSING = np.nan

Rows = dict[str, np.ndarray]


@dataclass(frozen=True, slots=True)
class Stream:
    """Which interactions: world, seed, one fulfillment centre or all (None), and how dense in warehouse time.

    `visits_per_s` is the rate of recorded pod visits; `stations` the number of stations that take turns.
    """

    world: int = WORLD
    seed: int = 0
    fc: int | None = None
    start_s: float = HISTORY_START_S
    visits_per_s: float = 0.0210  # 200,000 interactions in about 28 days: a sample of all visits
    visits_per_block: int = 512
    stations: int = 40
    live: bool = False  # what edge computers play, never part of a generated table

    @property
    def tag(self) -> int:
        """A 22-bit number of the stream, the upper part of its event and visit numbers."""
        return int(identities.mixed(_STREAM, self.seed, -1 if self.fc is None else self.fc, self.live) >> np.uint64(42))

    def block_s(self) -> float:
        """Warehouse seconds that one block spans."""
        return self.visits_per_block / self.visits_per_s


def place_effects(world: int, p: Parameters) -> np.ndarray:
    """Fixed factors (mean 1) of each place in this world, shape (fulfillment centres, kinds of bin, heights)."""
    fc, kind, level = np.ogrid[: len(FCS), : len(p.bin_width_mm), : len(p.level_height_mm)]
    normal = identities.normal(world, _PLACE, fc, kind, level)
    return np.exp(p.place_sd * normal - p.place_sd**2 / 2.0)


@lru_cache(maxsize=64)
def fc_averages(world: int) -> np.ndarray:
    """`fc_avg`: mean duration in ms at each fulfillment centre, over about 30,000 normal interactions of each."""
    streams = [Stream(world, seed=-1, fc=fc, visits_per_block=8192) for fc in range(len(FCS))]
    nothing = np.zeros(len(FCS))
    return np.array([np.rint(block(stream, 0, NORMAL, nothing)["duration"].mean()) for stream in streams])


def blocks(
    stream: Stream, scenario: Scenario | None = None, *, first: int = 0, since_s: float | None = None,
    normal: Parameters = NORMAL, averages: np.ndarray | None = None,
) -> Iterator[Rows]:  # fmt: skip
    """The blocks of a stream from number `first` on, without end; a scenario begins at warehouse time `since_s`."""
    averages = fc_averages(stream.world) if averages is None else averages
    since_s = stream.start_s if since_s is None else since_s
    index = first
    while True:
        middle = stream.start_s + (index + 0.5) * stream.block_s()
        parameters = scenario.parameters_at(middle - since_s, normal) if scenario else normal
        yield block(stream, index, parameters, averages)
        index += 1


def block(stream: Stream, index: int, p: Parameters, averages: np.ndarray) -> Rows:
    """Block `index` of the stream under one regime, as arrays by name, visit by visit (not yet in order of time)."""
    key = [int(identities.mixed(stream.world, stream.seed)), (stream.tag << 40) + index]
    rng = np.random.Generator(np.random.Philox(key=np.array(key, dtype=np.uint64)))
    world, n = stream.world, stream.visits_per_block
    # Visits
    visit = index * n + np.arange(n)
    start = stream.start_s + (index + np.sort(rng.random(n))) * stream.block_s()
    fc = np.full(n, stream.fc) if stream.fc is not None else rng.integers(len(FCS), size=n)
    station = visit % stream.stations
    shift = people.at_station(world, fc, station, start - HISTORY_START_S, p)
    pod = rng.integers(p.pods, size=n)
    gamma = rng.gamma(p.extra_tasks_shape, p.extra_tasks / p.extra_tasks_shape, n)
    tasks = 1 + np.minimum(rng.poisson(gamma), p.tasks_max - 1)
    visit_effect = _effect(rng, p.visit_sd, n)
    # Interactions, and the bins that they are on
    of_visit = np.repeat(np.arange(n), tasks)
    rows = len(of_visit)
    place_in_visit = np.arange(rows) - np.repeat(np.cumsum(tasks) - tasks, tasks)
    first = place_in_visit == 0
    new_bin = first | (rng.random(rows) >= p.same_bin_p)
    of_bin = np.cumsum(new_bin) - 1
    contents = _bins(rng, world, fc[of_visit[new_bin]], p)
    bins = {name: values[of_bin] for name, values in contents.items()}
    row_fc = fc[of_visit]
    # What this interaction is
    quantity = _quantities(rng.random(rows), p)
    counts = (rng.random(rows) < p.count_share) * rng.geometric(1.0 / (1.0 + work.remaining_mean(p)), rows)
    counts = np.maximum(counts - 1, 0) * p.count_s
    confirm = rng.uniform(*p.confirm_s, rows)
    grip = work.Grip(**{name: bins[name] for name in work.Grip.__slots__})
    seen = work.visible(
        grip, quantity, bins["bin_location"], bins["bin_depth"], bins["fullness"],
        work.jam(bins["fullness"], p), bins["clutter"], p,
    )  # fmt: skip
    content = seen + p.first_task_s * first + bins["column_s"] + counts + confirm
    # How long it takes
    fc_factor = np.exp(np.asarray(p.fc_effect))[row_fc]
    pace = shift.pace[of_visit] * visit_effect[of_visit] * bins["effect"] * _effect(rng, p.noise_sd, rows)
    chance = work.interruption_chance(bins["fullness"], bins["clutter"], p) * shift.interruptions[of_visit]
    length = p.interruption_s * np.exp(
        p.interruption_log_sd * rng.standard_normal(rows) - p.interruption_log_sd**2 / 2.0
    )
    interruption = (rng.random(rows) < chance) * length
    seconds = content * fc_factor * bins["place"] * pace + p.machine_s + interruption
    duration = np.maximum(np.rint(seconds * 1000.0 / CLOCK_MS), 1.0) * CLOCK_MS
    # When it begins: after what came before in this visit
    spent = np.cumsum(duration / 1000.0 + p.pause_s)
    before = spent - (duration / 1000.0 + p.pause_s)
    begins = start[of_visit] + p.arrival_s + before - before[first][np.cumsum(first) - 1]
    weight = np.where(row_fc == p.scale_fc, bins["weight"] * p.scale_factor + p.scale_offset_g, bins["weight"])
    return {
        "duration": duration,
        "fc_avg": averages[row_fc],
        "item_length": np.where(bins["size_missing"], MISSING, bins["length"]),
        "item_width": np.where(bins["size_missing"], MISSING, bins["width"]),
        "item_height": np.where(bins["size_missing"], MISSING, bins["height"]),
        "item_quantity": quantity,
        "item_weight": np.where(bins["weight_missing"], MISSING, np.rint(weight)),
        "bin_location": bins["bin_location"],
        "bin_width": bins["bin_width"],
        "bin_height": bins["bin_height"],
        "bin_depth": bins["bin_depth"],
        "bin_fullness": np.where(bins["fullness_missing"], MISSING, np.rint(100.0 * bins["fullness"])),
        "bin_clutter": np.rint(100.0 * bins["clutter"]),
        "event_id": (stream.tag << 40) + (index << 16) + np.arange(rows),
        "time_s": np.rint(begins * 1000.0) / 1000.0,
        "fc": row_fc,
        "station": station[of_visit],
        "sku": bins["sku"],
        "pod": pod[of_visit],
        "visit": (stream.tag << 40) + visit[of_visit],
        "associate": shift.associate[of_visit],
    }


def _bins(rng: np.random.Generator, world: int, fc: np.ndarray, p: Parameters) -> Rows:
    """The bins of a block, one for each time that a person turns to a new one."""
    n = len(fc)
    sku = drawn_skus(rng.random(n), p)
    item: Items = items(world, sku, p)
    level = chosen(level_chances(item.weight, p), rng.random(n))
    kind = chosen(bin_chances(item.length, item.width, item.height, p), rng.random(n))
    fullness = np.rint(100.0 * rng.beta(*p.fullness_beta, n)) / 100.0
    clutter = np.rint(100.0 * rng.beta(*p.clutter_beta, n)) / 100.0
    across, high, deep = (np.asarray(v)[kind] for v in (p.bin_width_mm, p.bin_height_mm, p.bin_depth_mm))
    grip = work.grip(item.length, item.width, item.height, item.weight, across, high, p)
    quirk = np.exp(p.sku_sd * item.quirk - p.sku_sd**2 / 2.0)
    return {
        "sku": sku,
        "length": item.length,
        "width": item.width,
        "height": item.height,
        "weight": item.weight,
        "size_missing": item.size_missing,
        "weight_missing": item.weight_missing,
        "bin_location": np.asarray(p.level_height_mm)[level],
        "bin_width": across,
        "bin_height": high,
        "bin_depth": deep,
        "fullness": fullness,
        "clutter": clutter,
        "fullness_missing": rng.random(n) < p.fullness_missing + p.fullness_missing_full * fullness,
        "column_s": p.outer_column_s * (rng.random(n) < p.outer_share),
        "place": place_effects(world, p)[fc, kind, level],
        "effect": quirk * _effect(rng, p.bin_sd, n),
        **{name: getattr(grip, name) for name in work.Grip.__slots__},
    }


def _quantities(uniform: np.ndarray, p: Parameters) -> np.ndarray:
    """Units to handle: geometric, cut at the largest."""
    whole = 1.0 - (1.0 - p.quantity_p) ** p.quantity_max
    return np.ceil(np.maximum(np.log1p(-uniform * whole) / np.log1p(-p.quantity_p), 1e-9))


def _effect(rng: np.random.Generator, sd: float, n: int) -> np.ndarray:
    """Hidden factors, lognormal with mean 1."""
    return np.exp(sd * rng.standard_normal(n) - sd**2 / 2.0)
