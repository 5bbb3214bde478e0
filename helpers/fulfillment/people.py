"""The people at the stations: who works where, how long they have been there, and what that does to the pace."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from helpers.fulfillment import identities
from helpers.fulfillment.columns import FCS
from helpers.fulfillment.parameters import Parameters

_WHO, _TEMPORARY, _PHASE, _SKILL = range(201, 205)
DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class Shift:
    """Per visit: associate's number, factor on the work, and factor on the chance of an interruption."""

    associate: np.ndarray
    pace: np.ndarray
    interruptions: np.ndarray


def at_station(world: int, fc: np.ndarray, station: np.ndarray, time_s: np.ndarray, p: Parameters) -> Shift:
    """Who is at the station at that time (seconds since the history began), and how they work then."""
    shift_s = p.shift_h * 3600.0
    number = np.floor(time_s / shift_s)
    hour = (time_s - number * shift_s) / 3600.0
    slot = identities.mixed(world, _WHO, fc, station, number.astype(np.int64)) % np.uint64(p.associates_per_fc)
    slot = slot.astype(np.int64) + fc * p.associates_per_fc
    temporary = identities.uniform(world, _TEMPORARY, slot) < p.temporary_share
    service = np.where(temporary, p.temporary_days, p.regular_days)
    served = identities.uniform(world, _PHASE, slot) * service + time_s / DAY_S
    everybody = len(FCS) * p.associates_per_fc
    associate = (
        1 + slot + everybody * np.floor(served / service).astype(np.int64)
    )  # who leaves is followed by somebody new
    tenure = np.mod(served, service)
    skill = np.exp(p.associate_sd * identities.normal(world, _SKILL, associate) - p.associate_sd**2 / 2.0)
    pace = skill * _learning(tenure, p) * _day(hour, p) * p.slowdown
    return Shift(associate, pace, 1.0 + p.interruption_new * np.exp(-tenure / p.interruption_days))


def pace_mean(p: Parameters) -> float:
    """Mean factor on the work over associates, their tenure and the hours of a shift (exact)."""

    def learning(service: float) -> float:
        rest = 1.0 - p.pace_exponent
        return p.pace_learning * p.pace_days / (rest * service) * ((1.0 + service / p.pace_days) ** rest - 1.0)

    s = p.temporary_share
    by_tenure = p.pace_floor + s * learning(p.temporary_days) + (1.0 - s) * learning(p.regular_days)
    late, power = max(p.shift_h - p.fatigue_h, 0.0), p.fatigue_power + 1.0
    warm_up = p.warm_up * p.warm_up_h * (1.0 - math.exp(-p.shift_h / p.warm_up_h))
    by_hour = 1.0 + (warm_up + p.fatigue * late**power / power) / p.shift_h
    return by_tenure * by_hour * p.slowdown


def interruptions_mean(p: Parameters) -> float:
    """Mean factor on the chance of an interruption over associates and their tenure (exact)."""

    def new(service: float) -> float:
        return p.interruption_days / service * (1.0 - math.exp(-service / p.interruption_days))

    s = p.temporary_share
    return 1.0 + p.interruption_new * (s * new(p.temporary_days) + (1.0 - s) * new(p.regular_days))


def _learning(tenure_days: np.ndarray, p: Parameters) -> np.ndarray:
    return p.pace_floor + p.pace_learning * (1.0 + tenure_days / p.pace_days) ** -p.pace_exponent


def _day(hour: np.ndarray, p: Parameters) -> np.ndarray:
    return (
        1.0
        + p.warm_up * np.exp(-hour / p.warm_up_h)
        + p.fatigue * np.maximum(hour - p.fatigue_h, 0.0) ** p.fatigue_power
    )
