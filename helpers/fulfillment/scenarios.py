"""How the warehouse changes: regimes with a reason, and whether they come suddenly, gradually, or again and again."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

from helpers.fulfillment.parameters import Parameters

DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class Scenario:
    """A change of the process.

    `changes` maps names of `Parameters` to their values under the new regime. Times are warehouse seconds since the
    scenario was switched on: it begins at `onset_s`, and is complete after `ramp_s` (0 = sudden). With `period_s` it
    comes and goes: present in the first `present_s` of each period.
    """

    name: str
    reason: str
    changes: dict[str, object] = field(default_factory=dict)
    retraining_helps: bool = True
    onset_s: float = 0.0
    ramp_s: float = 0.0
    period_s: float = 0.0
    present_s: float = 0.0

    def share(self, elapsed_s: float) -> float:
        """How far the new regime has come, from 0 to 1."""
        elapsed = elapsed_s - self.onset_s
        if elapsed < 0:
            return 0.0
        if self.period_s:
            elapsed = math.fmod(elapsed, self.period_s)
            if elapsed >= self.present_s:
                return 0.0
        return min(elapsed / self.ramp_s, 1.0) if self.ramp_s else 1.0

    def parameters(self, normal: Parameters, share: float = 1.0) -> Parameters:
        """The regime when the change has come that far."""
        return normal.blended(replace(normal, **self.changes), share)

    def parameters_at(self, elapsed_s: float, normal: Parameters) -> Parameters:
        """The regime so many warehouse seconds after the switch."""
        return self.parameters(normal, self.share(elapsed_s))

    def sudden(self, onset_s: float = 0.0) -> Scenario:
        """The same change, all at once."""
        return replace(self, onset_s=onset_s, ramp_s=0.0, period_s=0.0)

    def gradual(self, ramp_s: float, onset_s: float = 0.0) -> Scenario:
        """The same change, growing over `ramp_s` warehouse seconds."""
        return replace(self, onset_s=onset_s, ramp_s=ramp_s, period_s=0.0)

    def recurring(self, period_s: float, present_s: float, onset_s: float = 0.0) -> Scenario:
        """The same change, present in the first `present_s` of every `period_s` warehouse seconds."""
        return replace(self, onset_s=onset_s, ramp_s=0.0, period_s=period_s, present_s=present_s)


PEAK_SEASON = Scenario(
    "peak season",
    "Before the holidays: fuller bins, bigger items, more units per task, associates who have been there for days, "
    "and with each interaction the wait for a printed gift label.",
    {
        "temporary_share": 0.45,
        "temporary_days": 40.0,
        "fullness_beta": (4.9, 2.1),
        "item_length_mm": 220.0,
        "quantity_p": 0.415,
        "machine_s": 4.5,
    },
)
NEW_POD = Scenario(
    "new pod",
    "A new kind of pod comes into use: its top shelf is higher, its lowest one nearer to the ground, its bins deeper.",
    {
        "level_height_mm": (250.0, 700.0, 1150.0, 1600.0, 2050.0),
        "bin_depth_mm": (360.0, 420.0, 480.0, 540.0, 600.0),
    },
)
WRONG_SCALE = Scenario(
    "wrong scale",
    "After a repair the scale at one fulfillment centre reports far too much: the records are wrong, the work is not.",
    {"scale_factor": 1.6, "scale_offset_g": 900.0},
)
SLOW_WEAR = Scenario(
    "slow wear",
    "Hand scanners age: over eight weeks each interaction comes to wait three seconds longer for a reading.",
    {"machine_s": 3.0},
    ramp_s=56 * DAY_S,
)
GROWING_NOISE = Scenario(
    "growing noise",
    "A software fault mixes up the bins' order: some items are found at once, others only after a search. The mean "
    "stays, the spread grows, and no model can know.",
    {"bin_sd": 0.42, "noise_sd": 0.36},
    retraining_helps=False,
)

SCENARIOS = {
    scenario.name.replace(" ", "-"): scenario
    for scenario in (PEAK_SEASON, NEW_POD, WRONG_SCALE, SLOW_WEAR, GROWING_NOISE)
}
