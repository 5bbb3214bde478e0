"""The simulated warehouse: its samples, the truth behind them, how it changes, and the edge computers that tell of it.

Names that need pandas or pandera are imported when they are first used, so that the process itself runs on numpy alone.
"""

from helpers.fulfillment.columns import (
    COLUMNS,
    CONTEXT_COLUMNS,
    FCS,
    FEATURES,
    MAY_BE_MISSING,
    MEANINGS,
    REGIONS,
    UNITS,
)
from helpers.fulfillment.scenarios import (
    GROWING_NOISE,
    NEW_POD,
    PEAK_SEASON,
    SCENARIOS,
    SLOW_WEAR,
    WRONG_SCALE,
    Scenario,
)

_ELSEWHERE = {
    "generate": "samples",
    "chunks": "samples",
    "load_history": "samples",
    "to_csv_line": "lines",
    "features_line": "lines",
    "parse_samples": "samples",
    "SAMPLE_SCHEMA": "schema",
    "expected_duration": "truth",
    "noise_floor": "truth",
    "EdgeCompute": "edge",
    "Mischief": "mischief",
}

__all__ = [
    "COLUMNS",
    "CONTEXT_COLUMNS",
    "FCS",
    "FEATURES",
    "GROWING_NOISE",
    "MAY_BE_MISSING",
    "MEANINGS",
    "NEW_POD",
    "PEAK_SEASON",
    "REGIONS",
    "SCENARIOS",
    "SLOW_WEAR",
    "UNITS",
    "WRONG_SCALE",
    "Scenario",
    *_ELSEWHERE,
]


def __getattr__(name: str) -> object:
    if name not in _ELSEWHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_ELSEWHERE[name]}"), name)
