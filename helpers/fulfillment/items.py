"""The catalogue: size, weight and hidden quirk of each item, and where it is stowed.

All functions are vectorised over items. Lengths in mm, weights in g, volumes in mm3. Sizes and weights are whole
numbers, as the fulfillment centre's measuring station records them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from helpers.fulfillment import identities
from helpers.fulfillment.parameters import Parameters

# What a hashed number is for (any distinct whole numbers)
_LENGTH, _WIDTH, _HEIGHT, _DENSITY, _QUIRK, _NO_SIZE, _NO_WEIGHT = range(101, 108)


@dataclass(frozen=True, slots=True)
class Items:
    """Arrays of one value per item; `size_missing` and `weight_missing` say what the records lack."""

    length: np.ndarray
    width: np.ndarray
    height: np.ndarray
    weight: np.ndarray
    quirk: np.ndarray  # hidden, standard normal
    size_missing: np.ndarray
    weight_missing: np.ndarray


def drawn_skus(uniform: np.ndarray, p: Parameters) -> np.ndarray:
    """Item numbers by popularity: the k-th most wanted item is asked for in proportion to k^-1/2.

    So flat a law (real catalogues are of many millions of items) lets no single item weigh in a training set.
    """
    return np.minimum((p.skus * uniform**2).astype(np.int64), p.skus - 1)


def items(world: int, sku: np.ndarray, p: Parameters) -> Items:
    """The items with these numbers in this world."""
    longest, widest, highest = p.item_max_mm
    shortest, narrowest, flattest = p.item_min_mm
    length = p.item_length_mm * np.exp(p.item_length_log_sd * identities.normal(world, _LENGTH, sku))
    length = np.where(length > longest, longest * longest / length, length)  # folded back at the longest
    length = np.rint(np.maximum(length, shortest))
    width = length * _kumaraswamy(identities.uniform(world, _WIDTH, sku), p.item_width_shape)
    width = np.rint(np.clip(width, narrowest, widest))
    height = width * _kumaraswamy(identities.uniform(world, _HEIGHT, sku), p.item_height_shape)
    height = np.rint(np.clip(height, flattest, highest))
    weight = weights(length * width * height, identities.uniform(world, _DENSITY, sku), p)
    flat = _soft((p.flat_mm - height) / p.flat_soft_mm)
    size_missing = identities.uniform(world, _NO_SIZE, sku) < p.size_missing + p.size_missing_flat * flat
    chance = np.where(size_missing, p.weight_missing_without_size, p.weight_missing)
    weight_missing = identities.uniform(world, _NO_WEIGHT, sku) < chance
    quirk = identities.normal(world, _QUIRK, sku)
    return Items(length, width, height, weight, quirk, size_missing, weight_missing)


def weights(volume: np.ndarray, uniform: np.ndarray, p: Parameters) -> np.ndarray:
    """Weight in g: density log-uniform, with an upper end that keeps every item liftable."""
    low, high = p.density_g_per_cm3
    top = np.minimum(high, p.item_max_g / (volume / 1000.0))
    bottom = np.minimum(low, top / 2.0)
    return np.rint(np.maximum(volume / 1000.0 * bottom * (top / bottom) ** uniform, 1.0))


def level_chances(weight: np.ndarray, p: Parameters) -> np.ndarray:
    """Probability of each height on the pod, shape (items, heights): heavy items are stowed lower."""
    share = np.log(np.asarray(p.level_share) / np.sum(p.level_share))
    order = np.arange(len(share)) - 2.0
    logits = share - p.heavy_goes_low * order * np.log(weight / p.level_share_g)[:, None]
    return _softmax(logits)


def bin_chances(length: np.ndarray, width: np.ndarray, height: np.ndarray, p: Parameters) -> np.ndarray:
    """Probability of each kind of bin, shape (items, kinds): it must fit, and its size follows the item's volume."""
    across, high, deep = (np.asarray(v) for v in (p.bin_width_mm, p.bin_height_mm, p.bin_depth_mm))
    wanted = np.log(length * width * height * p.bin_fill_items)[:, None]
    logits = -(((np.log(across * high * deep) - wanted) / p.bin_spread_log) ** 2) / 2.0
    fits = (length[:, None] <= np.maximum(across, deep)) & (height[:, None] <= high)
    fits[:, -1] |= ~fits.any(axis=1)
    return _softmax(np.where(fits, logits, -np.inf))


def chosen(chances: np.ndarray, uniform: np.ndarray) -> np.ndarray:
    """Index drawn from each row of probabilities."""
    return np.minimum((uniform[:, None] > np.cumsum(chances, axis=1)).sum(axis=1), chances.shape[1] - 1)


def _kumaraswamy(uniform: np.ndarray, shape: tuple[float, float]) -> np.ndarray:
    a, b = shape
    return (1.0 - (1.0 - uniform) ** (1.0 / b)) ** (1.0 / a)


def _softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def _soft(x: np.ndarray) -> np.ndarray:
    return 1.0 / (1.0 + np.exp(-x))
