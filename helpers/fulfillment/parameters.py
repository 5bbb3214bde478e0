"""Every number of the process model, in one place, with its unit and its source.

Sources: "MTM-1" = Methods-Time Measurement, 1 TMU = 0.036 s (bend and arise 60.9 TMU, kneel on both knees and arise
146 TMU); "De Jong" = learning curve with an incompressible part (J. R. De Jong, Ergonomics 1957); "original" = range or
number of levels seen in the workshop of 2019; "assumed" = our choice, of the order of predetermined-motion tables.
All hidden effects are lognormal with mean 1, so none of them moves the expected duration.
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
    level_share: tuple[float, ...] = (0.14, 0.23, 0.28, 0.23, 0.12)  # of bins, for an item of 400 g; assumed
    heavy_goes_low: float = 0.28  # logit per level and log unit of weight; assumed
    bin_spread_log: float = 0.85  # how loosely a bin's size follows the item's volume, log units; assumed
    bin_fill_items: float = 14.0  # items of its own volume that a well-chosen bin would hold; assumed

    # Read the screen, find the lit bin (s; assumed)
    read_s: float = 0.45
    first_task_s: float = 1.1  # turning to the arriving pod, first interaction of a visit
    outer_column_s: float = 0.30  # outermost of four columns against the inner ones
    # Reach: posture by height of the bin's centre
    reach_s: float = 0.55  # assumed
    bend_s: float = 2.2  # below 540 mm; MTM-1
    kneel_s: float = 3.1  # added below 400 mm; MTM-1 (5.3 s in all)
    overhead_s: float = 0.8  # above 1500 mm; assumed
    stool_s: float = 3.6  # above 1820 mm; assumed
    further_unit_posture: float = 0.30  # share of the posture part that each further unit costs; assumed
    # Search (s; assumed)
    search_s: float = 0.14  # per other unit in the bin
    other_units: float = 14.0  # other units in a bin of 400 mm depth with clutter 100 %
    jam_s: float = 3.5  # at fullness 100 %, from jam_from on
    jam_from: float = 0.78  # fullness
    jam_bulky: float = 1.0  # added share for an item as large as the bin
    small_deep_s: float = 1.6  # small items in deep bins
    tight_s: float = 1.2  # items nearly as high as the bin's opening
    small_mm: float = 120.0
    deep_mm: float = 400.0
    # Handle and scan each unit (s; assumed)
    handle_s: float = 0.36
    scan_s: float = 0.40
    weight_s_per_kg: float = 0.30
    two_hands_s: float = 0.8  # beyond two_hands_g, at arm's length in a bin
    two_hands_g: float = 1500.0
    two_hands_mm: float = 240.0  # or wider than this
    long_s: float = 0.9  # items longer than long_mm
    long_mm: float = 360.0
    # Count what remains, confirm on the screen (s; assumed)
    count_share: float = 0.30  # of interactions that end with a count
    count_s: float = 0.35  # per remaining unit
    confirm_s: tuple[float, float] = (0.3, 1.1)  # uniform

    machine_s: float = 0.0  # waiting for a machine (printer, scanner), the same for everybody; used by scenarios

    # Pace
    pace_floor: float = 0.84  # De Jong
    pace_learning: float = 0.66  # De Jong
    pace_days: float = 6.0  # De Jong
    pace_exponent: float = 0.60  # De Jong
    fatigue: float = 0.010  # per hour^1.35 after the fourth hour of a shift; assumed
    warm_up: float = 0.05  # at the start of a shift, fades with 0.35 h; assumed
    fc_effect: tuple[float, ...] = (-0.09, -0.04, 0.0, 0.05, 0.10)  # log scale; station design, assumed
    slowdown: float = 1.0  # factor on all work; 1 = normal; used by scenarios

    # People
    temporary_share: float = 0.35  # of associates, with a short service; assumed
    temporary_days: float = 60.0
    regular_days: float = 720.0
    associates_per_fc: int = 80
    stations_per_fc: int = 40
    shift_h: float = 8.0

    # Hidden effects: standard deviations, log scale (measured on a prototype, calibrated anew)
    sku_sd: float = 0.15  # barcode place, slippery, nested
    associate_sd: float = 0.08
    visit_sd: float = 0.12  # how the pod is parked, attention
    bin_sd: float = 0.28  # how jumbled this bin is right now, how deep the item is buried
    noise_sd: float = 0.12  # single interaction
    place_sd: float = 0.12  # fc x kind of bin x height: fixed in a world, seen by models through the features

    # Interruptions: not found, re-scan, dropped item (assumed)
    interruption_p: float = 0.008  # base probability
    interruption_fullness: float = 1.5  # added share at fullness 1 (squared)
    interruption_clutter: float = 1.0  # added share at clutter 1
    interruption_new: float = 2.0  # added share on an associate's first day, fades with 10 days
    interruption_s: float = 13.0  # mean length
    interruption_log_sd: float = 0.80

    # Catalogue
    skus: int = 1_000_000
    item_length_mm: float = 210.0  # median
    item_length_log_sd: float = 0.45
    item_max_mm: tuple[float, float, float] = (450.0, 400.0, 250.0)  # original
    item_width_shape: tuple[float, float] = (4.0, 2.0)  # width as a share of length, Kumaraswamy(a, b); assumed
    item_height_shape: tuple[float, float] = (2.2, 3.0)  # height as a share of width, Kumaraswamy(a, b); assumed
    density_g_per_cm3: tuple[float, float] = (0.12, 0.75)  # log-uniform; assumed
    item_max_g: float = 2500.0  # original

    # A bin and a task
    fullness_beta: tuple[float, float] = (4.5, 2.2)
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
    weight_missing: float = 0.018
    weight_missing_without_size: float = 0.38
    fullness_missing: float = 0.015
    fullness_missing_full: float = 0.030  # added x fullness: the camera cannot see into full bins

    # What the scale reports (scenarios): factor and offset at one fulfillment centre
    scale_factor: float = 1.0
    scale_offset_g: float = 0.0
    scale_fc: int = 2

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
