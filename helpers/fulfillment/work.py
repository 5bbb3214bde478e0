"""Work content of an interaction in seconds: the sum of its motions, those that can be seen and those that cannot.

`visible` is the part that depends on the features; the rest (`hidden_mean`, and its single draws in `process.py`) does
not. Everything is linear in the functions of the item (`Grip`), so that an item of unknown size can be averaged out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from helpers.fulfillment.parameters import Parameters


@dataclass(frozen=True, slots=True)
class Grip:
    """What matters of an item in a bin, each from 0 to 1, and its weight in kg."""

    small: np.ndarray
    bulky: np.ndarray
    long: np.ndarray
    tight: np.ndarray
    two_hands: np.ndarray
    weight_kg: np.ndarray


def sigmoid(x: np.ndarray | float) -> np.ndarray:
    """1 / (1 + exp(-x)) without overflow."""
    return 0.5 * (1.0 + np.tanh(0.5 * np.asarray(x)))


def heavy(weight_g: np.ndarray, p: Parameters) -> np.ndarray:
    """How surely an item needs two hands for its weight."""
    return sigmoid((weight_g - p.two_hands_g) / p.two_hands_soft_g)


def wide(width_mm: np.ndarray, p: Parameters) -> np.ndarray:
    """How surely an item needs two hands for its width."""
    return sigmoid((width_mm - p.two_hands_mm) / p.two_hands_soft_mm)


def grip(
    length: np.ndarray, width: np.ndarray, height: np.ndarray, weight_g: np.ndarray,
    bin_width: np.ndarray, bin_height: np.ndarray, p: Parameters,
) -> Grip:  # fmt: skip
    """Grip of items (mm, g) in bins (mm)."""
    by_weight, by_width = heavy(weight_g, p), wide(width, p)
    return Grip(
        small=sigmoid((p.small_mm - length) / p.small_soft_mm),
        bulky=np.minimum(length / bin_width, 1.0),
        long=sigmoid((length - p.long_mm) / p.long_soft_mm),
        tight=sigmoid((height / bin_height - p.tight_from) / p.tight_soft),
        two_hands=by_weight + by_width - by_weight * by_width,
        weight_kg=weight_g / 1000.0,
    )


def posture(height_mm: np.ndarray, p: Parameters) -> np.ndarray:
    """Seconds that the bin's height costs: bend, kneel, overhead, step stool."""
    cm = np.asarray(height_mm) / 10.0
    return (
        p.bend_s * sigmoid((p.bend_cm - cm) / p.bend_soft_cm)
        + p.kneel_s * sigmoid((p.kneel_cm - cm) / p.kneel_soft_cm)
        + p.overhead_s * sigmoid((cm - p.overhead_cm) / p.overhead_soft_cm)
        + p.stool_s * sigmoid((cm - p.stool_cm) / p.stool_soft_cm)
    )


def jam(fullness: np.ndarray, p: Parameters) -> np.ndarray:
    """How jammed a bin is, 0 to 1."""
    return np.maximum(fullness - p.jam_from, 0.0) / (1.0 - p.jam_from)


def visible(
    g: Grip, quantity: np.ndarray, level_mm: np.ndarray, bin_depth: np.ndarray, fullness: np.ndarray,
    jammed: np.ndarray, clutter: np.ndarray, p: Parameters,
) -> np.ndarray:  # fmt: skip
    """Seconds of work that the features explain. `fullness` and `clutter` from 0 to 1, `jammed` = jam(fullness)."""
    further = quantity - 1.0
    reach = p.reach_s + posture(level_mm, p) * (1.0 + p.further_unit_posture * further)
    others = p.other_units * clutter
    search = p.search_s * others * (p.search_base + fullness) + p.jam_s * jammed * (1.0 + p.jam_bulky * g.bulky)
    search = search + p.small_deep_s * g.small * sigmoid((bin_depth - p.deep_mm) / p.deep_soft_mm)
    search = search * np.sqrt(bin_depth / p.usual_depth_mm) + p.tight_s * g.tight
    each = p.handle_s + p.scan_s + p.weight_s_per_kg * g.weight_kg + p.two_hands_s * g.two_hands + p.long_s * g.long
    return p.read_s + reach + search + quantity * each


def remaining_mean(p: Parameters) -> float:
    """Mean units to count after an interaction that ends with a count (geometric, from 0)."""
    return p.other_units / 2.0


def hidden_mean(p: Parameters) -> float:
    """Mean seconds of work that no feature tells: first task, column, count, confirmation."""
    column = p.outer_column_s * p.outer_share
    count = p.count_share * p.count_s * remaining_mean(p)
    return p.first_task_s / tasks_mean(p) + column + count + sum(p.confirm_s) / 2.0


def tasks_mean(p: Parameters) -> float:
    """Mean interactions of a pod's visit: 1 + negative binomial, cut at `tasks_max`."""
    shape, mean = p.extra_tasks_shape, p.extra_tasks
    failure = mean / (mean + shape)
    chance, total, left = (1.0 - failure) ** shape, 0.0, 1.0
    for extra in range(p.tasks_max - 1):
        total += extra * chance
        left -= chance
        chance *= failure * (extra + shape) / (extra + 1.0)
    return 1.0 + total + (p.tasks_max - 1) * left


def interruption_chance(fullness: np.ndarray, clutter: np.ndarray, p: Parameters) -> np.ndarray:
    """Probability of an interruption for an experienced associate."""
    by_fullness = 1.0 + p.interruption_fullness * fullness**2
    return p.interruption_p * by_fullness * (1.0 + p.interruption_clutter * clutter)
