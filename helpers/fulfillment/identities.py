"""Properties that belong to a number: the same item, person or place has the same property in every run and process.

A hash (splitmix64, Steele, Lea and Flood 2014) turns (world, kind, number) into uniform and normal values; no tables,
so the catalogue may hold a million items and any part of the world can be computed alone.
"""

from __future__ import annotations

import numpy as np

_STEP = np.uint64(0x9E3779B97F4A7C15)
_MIX1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX2 = np.uint64(0x94D049BB133111EB)


def mixed(*numbers: int | np.ndarray) -> np.ndarray:
    """One unsigned 64-bit hash of the numbers (scalars or arrays that broadcast)."""
    state = np.zeros((), dtype=np.uint64)
    with np.errstate(over="ignore"):
        for number in numbers:
            state = state ^ np.asarray(number).astype(np.uint64)
            state = state + _STEP
            state = (state ^ (state >> np.uint64(30))) * _MIX1
            state = (state ^ (state >> np.uint64(27))) * _MIX2
            state = state ^ (state >> np.uint64(31))
    return state


def uniform(*numbers: int | np.ndarray) -> np.ndarray:
    """A value in [0, 1) that belongs to the numbers."""
    return (mixed(*numbers) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def normal(*numbers: int | np.ndarray) -> np.ndarray:
    """A standard normal value that belongs to the numbers (Box and Muller)."""
    radius = np.sqrt(-2.0 * np.log1p(-uniform(*numbers, 1)))
    return radius * np.cos(2.0 * np.pi * uniform(*numbers, 2))
