"""The pictures of the data card: distributions of the columns, and what makes an interaction long."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from helpers.fulfillment import truth
from helpers.fulfillment.columns import COLUMNS, UNITS

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

BLUE, SKY, INK, VERMILION = "#0072B2", "#56B4E9", "#222222", "#D55E00"  # Okabe and Ito's palette
DPI = 80


def draw(frame: pd.DataFrame, folder: Path) -> list[Path]:
    """Write distributions.png and effects.png; their paths."""
    paths = [folder / "distributions.png", folder / "effects.png"]
    for path, figure in zip(paths, (_distributions(frame), _effects(frame)), strict=True):
        figure.savefig(path, dpi=DPI, facecolor="white", metadata={"Software": None})
    return paths


def _canvas(width: float, height: float, rows: int, columns: int) -> tuple[Figure, np.ndarray]:
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.subplots(rows, columns)
    for axes in grid.flat:
        axes.spines[["top", "right"]].set_visible(False)
    return figure, grid


def _distributions(frame: pd.DataFrame) -> Figure:
    figure, grid = _canvas(13, 10, 4, 4)
    for axes, name in zip(grid.flat, COLUMNS, strict=False):
        values = frame[name].dropna().to_numpy(dtype=float)
        if name == "duration":
            values = values / 1000
            axes.hist(values, bins=120, color=SKY)
            axes.set_yscale("log")
        elif len(np.unique(values)) <= 9:
            levels, counts = np.unique(values, return_counts=True)
            axes.bar([f"{level:,.0f}" for level in levels], counts, color=SKY)
            axes.tick_params(axis="x", labelsize=9)
        else:
            width = max(1, round(np.ptp(values) / 50))  # whole numbers: as many in each bar
            axes.hist(values, bins=np.arange(values.min(), values.max() + width, width) - 0.5, color=SKY)
        axes.set_title(
            f"{name} ({'s, logarithmic count' if name == 'duration' else UNITS[name]})", fontsize=12, loc="left"
        )
        axes.set_yticks([])
        missing = frame[name].isna().mean()
        if missing:
            place = {"transform": axes.transAxes, "ha": "right", "va": "bottom", "color": VERMILION}
            axes.text(1, 1.02, f"{100 * missing:.1f} % missing", **place)
    for axes in grid.flat[len(COLUMNS) :]:
        axes.set_visible(False)
    return figure


def _effects(frame: pd.DataFrame) -> Figure:
    expected = truth.expected_duration(frame) / 1000
    duration = frame["duration"].to_numpy(dtype=float) / 1000
    names = ("bin_location", "item_quantity", "item_weight", "item_length", "bin_fullness", "bin_clutter")
    figure, grid = _canvas(13, 7, 2, 3)
    for axes, name in zip(grid.flat, names, strict=True):
        _effect(axes, name, frame[name].to_numpy(dtype=float), duration, expected)
    grid.flat[0].legend(frameon=False)
    return figure


def _effect(axes: Axes, name: str, values: np.ndarray, duration: np.ndarray, expected: np.ndarray) -> None:
    """Mean duration in bands of one feature, as it was and as the truth says."""
    known = ~np.isnan(values)
    levels = np.unique(values[known])
    edges = levels if len(levels) <= 9 else np.unique(np.quantile(values[known], np.linspace(0, 1, 21)))
    band = np.clip(np.searchsorted(edges, values[known], side="right") - 1, 0, len(edges) - (len(levels) > 9) - 1)
    count = np.bincount(band)
    at, was, says = (np.bincount(band, x[known]) / count for x in (values, duration, expected))
    axes.plot(at, was, "o", color=BLUE, markersize=7, label="mean of the samples")
    axes.plot(at, says, "-", color=VERMILION, linewidth=1.6, label="truth")
    if not known.all():
        axes.axhline(duration[~known].mean(), color=INK, linewidth=1, linestyle=":")
        axes.text(at[0], duration[~known].mean(), "missing", ha="left", va="bottom", color=INK)
    axes.set_title(f"mean duration (s) by {name} ({UNITS[name]})", fontsize=12, loc="left")
    axes.set_ylim(0, 1.08 * was.max())
