"""Every number of the process model, in one place, with its unit and its source.

Units stand in the names (_s, _mm, _g, _cm, _h, _days) or in the remark; what has neither is a share, a factor or a
number of things. A heading names the source of all below it, a remark the source of its line.
Sources: "MTM-1" = Methods-Time Measurement, 1 TMU = 0.036 s (bend and arise 60.9 TMU, kneel on both knees and arise
146 TMU); "De Jong" = learning curve with an incompressible part (J. R. De Jong, Ergonomics 1957), its numbers assumed;
"original" = range or number of levels seen in the workshop of 2019; "assumed" = our choice, of the order of
predetermined-motion tables where there are such; "calibrated" = chosen so that errors come out as on the original's
leaderboard. All hidden effects are lognormal with mean 1, so none of them moves the expected duration.
"Soft" is the width of a sigmoid: a limit of 54 cm with soft 4 cm is at 27 % at 58 cm and at 73 % at 50 cm.
"""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True)
class Parameters:
    """One regime of the warehouse. Numbers may be blended with another regime's: see `blended`."""

    # The pod: five heights and five kinds of bin (number of levels: original; values: assumed)
    level_height_mm: tuple[float, ...] = (350.0, 750.0, 1100.0, 1500.0, 1850.0)
    bin_width_mm: tuple[float, ...] = (200.0, 280.0, 360.0, 440.0, 560.0)
    bin_height_mm: tuple[float, ...] = (140.0, 180.0, 230.0, 280.0, 350.0)
    bin_depth_mm: tuple[float, ...] = (300.0, 350.0, 400.0, 450.0, 500.0)
    level_share: tuple[float, ...] = (0.14, 0.23, 0.28, 0.23, 0.12)  # of bins, for an item of level_share_g; assumed
    level_share_g: float = 400.0  # assumed
    heavy_goes_low: float = 0.28  # logit per level and log unit of weight; assumed
    bin_spread_log: float = 0.85  # how loosely a bin's size follows the item's volume, log units; assumed
    bin_fill_items: float = 14.0  # items of its own volume that a well-chosen bin would hold; assumed

    # Read the screen, find the lit bin (s; assumed)
    read_s: float = 0.45
    first_task_s: float = 1.1  # turning to the arriving pod, first interaction of a visit
    outer_column_s: float = 0.30  # outermost of four columns against the inner ones
    outer_share: float = 0.5  # of the bins
    # Reach: posture by height of the bin's centre (seconds: see each line; heights in cm: assumed)
    reach_s: float = 0.55  # assumed
    bend_s: float = 2.2  # below bend_cm; MTM-1
    bend_cm: float = 54.0
    bend_soft_cm: float = 4.0
    kneel_s: float = 3.1  # added below kneel_cm; MTM-1 (5.3 s in all)
    kneel_cm: float = 40.0
    kneel_soft_cm: float = 3.0
    overhead_s: float = 0.8  # above overhead_cm; assumed
    overhead_cm: float = 150.0
    overhead_soft_cm: float = 5.0
    stool_s: float = 3.6  # added above stool_cm; assumed
    stool_cm: float = 182.0
    stool_soft_cm: float = 4.0
    further_unit_posture: float = 0.30  # share of the posture part that each further unit costs; assumed
    # Search (assumed); all but tight_s grows with the square root of the bin's depth
    search_s: float = 0.14  # per other unit in the bin, times search_base + fullness
    search_base: float = 0.4
    other_units: float = 14.0  # other units in a bin of usual depth with clutter 100 %
    usual_depth_mm: float = 400.0
    jam_s: float = 3.5  # at fullness 100 %, from jam_from on
    jam_from: float = 0.78  # fullness
    jam_bulky: float = 1.0  # added share for an item as large as the bin
    small_deep_s: float = 1.6  # items shorter than small_mm in bins deeper than deep_mm
    small_mm: float = 120.0
    small_soft_mm: float = 12.0
    deep_mm: float = 400.0
    deep_soft_mm: float = 15.0
    tight_s: float = 1.2  # items higher than this share of the bin's opening
    tight_from: float = 0.75
    tight_soft: float = 0.06
    # Handle and scan each unit (assumed)
    handle_s: float = 0.36
    scan_s: float = 0.40
    weight_s_per_kg: float = 0.30
    two_hands_s: float = 0.8  # beyond two_hands_g, at arm's length in a bin
    two_hands_g: float = 1500.0
    two_hands_soft_g: float = 150.0
    two_hands_mm: float = 240.0  # or wider than this
    two_hands_soft_mm: float = 15.0
    long_s: float = 0.9  # items longer than long_mm
    long_mm: float = 360.0
    long_soft_mm: float = 12.0
    # Count what remains, confirm on the screen (assumed)
    count_share: float = 0.30  # of interactions that end with a count
    count_s: float = 0.35  # per remaining unit
    confirm_s: tuple[float, float] = (0.3, 1.1)  # uniform

    machine_s: float = 0.0  # waiting for a machine (printer, scanner), the same for everybody; used by scenarios

    # Between the interactions of a visit, which belongs to none of them (assumed)
    arrival_s: float = 3.0  # from the pod's arrival to the first lit bin
    pause_s: float = 1.5  # from a confirmation to the next lit bin

    # Pace: factors on the work
    pace_floor: float = 0.84  # De Jong
    pace_learning: float = 0.66  # De Jong
    pace_days: float = 6.0  # De Jong
    pace_exponent: float = 0.60  # De Jong
    fatigue: float = 0.010  # per hour^fatigue_power after the fatigue_h-th hour of a shift; assumed
    fatigue_h: float = 4.0  # assumed
    fatigue_power: float = 1.35  # assumed
    warm_up: float = 0.05  # at the start of a shift, fades with warm_up_h; assumed
    warm_up_h: float = 0.35  # assumed
    fc_effect: tuple[float, ...] = (-0.09, -0.04, 0.0, 0.05, 0.10)  # log scale; station design, assumed
    slowdown: float = 1.0  # factor on all work; 1 = normal; used by scenarios

    # People and pods (assumed)
    temporary_share: float = 0.35  # of associates, with a short service
    temporary_days: float = 60.0  # of service, then somebody new follows
    regular_days: float = 720.0
    associates_per_fc: int = 80
    stations_per_fc: int = 40
    shift_h: float = 8.0
    pods: int = 40_000  # numbers of pods; a pod does not remember its last visit

    # Hidden effects: standard deviations on the log scale (calibrated)
    sku_sd: float = 0.15  # barcode place, slippery, nested
    associate_sd: float = 0.08
    visit_sd: float = 0.12  # how the pod is parked, attention
    bin_sd: float = 0.28  # how jumbled this bin is right now, how deep the item is buried
    noise_sd: float = 0.12  # single interaction
    place_sd: float = 0.12  # fc x kind of bin x height: fixed in a world, seen by models through the features

    # Interruptions: not found, re-scan, dropped item (calibrated, for the heavy tail)
    interruption_p: float = 0.008  # base probability
    interruption_fullness: float = 1.5  # added share at fullness 1 (squared)
    interruption_clutter: float = 1.0  # added share at clutter 1
    interruption_new: float = 2.0  # added share on an associate's first day, fades with interruption_days
    interruption_days: float = 10.0
    interruption_s: float = 13.0  # mean length
    interruption_log_sd: float = 0.80

    # Catalogue (assumed unless said)
    skus: int = 1_000_000  # numbers of items
    item_length_mm: float = 210.0  # median
    item_length_log_sd: float = 0.45
    item_min_mm: tuple[float, float, float] = (40.0, 20.0, 4.0)  # length, width, height
    item_max_mm: tuple[float, float, float] = (450.0, 400.0, 250.0)  # length, width, height; original
    item_width_shape: tuple[float, float] = (4.0, 2.0)  # width as a share of length, Kumaraswamy(a, b)
    item_height_shape: tuple[float, float] = (2.2, 3.0)  # height as a share of width, Kumaraswamy(a, b)
    density_g_per_cm3: tuple[float, float] = (0.12, 0.75)  # log-uniform
    item_max_g: float = 2500.0  # original

    # A bin and a task (assumed unless said)
    fullness_beta: tuple[float, float] = (4.5, 2.2)  # beta(a, b) of the share that is filled
    clutter_beta: tuple[float, float] = (1.8, 2.4)
    quantity_p: float = 0.43  # geometric, cut at quantity_max
    quantity_max: int = 9  # original
    extra_tasks: float = 3.0  # mean of the negative binomial: interactions of a visit beyond the first
    extra_tasks_shape: float = 1.5
    tasks_max: int = 12
    same_bin_p: float = 0.75  # the next interaction of a visit is on the same bin and item

    # Missing values, by item and by bin (shares: prototype; mechanism: assumed)
    size_missing: float = 0.030  # any item
    size_missing_flat: float = 0.14  # added for flat, soft items (bags): hard to measure
    flat_mm: float = 45.0
    flat_soft_mm: float = 10.0
    weight_missing: float = 0.018
    weight_missing_without_size: float = 0.38
    fullness_missing: float = 0.015
    fullness_missing_full: float = 0.030  # added x fullness: the camera cannot see into full bins

    # What the scale reports at one fulfillment centre (used by scenarios)
    scale_factor: float = 1.0
    scale_offset_g: float = 0.0
    scale_fc: int = 2  # position in FCS

    def blended(self, other: Parameters, share: float) -> Parameters:
        """This regime for share 0, `other` for share 1, straight lines in between (whole numbers stay whole)."""
        if share <= 0:
            return self
        if share >= 1:
            return other
        return Parameters(**{f.name: self._between(f.name, other, share) for f in fields(self)})

    def _between(self, name: str, other: Parameters, share: float) -> object:
        here, there = getattr(self, name), getattr(other, name)
        return there if name in FURNITURE else _between(here, there, share)


FURNITURE = {
    "level_height_mm",
    "bin_width_mm",
    "bin_height_mm",
    "bin_depth_mm",
}  # new from the first day, or not at all


def _between(here: object, there: object, share: float) -> object:
    if isinstance(here, tuple):
        return tuple(_between(a, b, share) for a, b in zip(here, there, strict=True))
    if isinstance(here, int):
        return round(here + (there - here) * share)
    return here + (there - here) * share


NORMAL = Parameters()
