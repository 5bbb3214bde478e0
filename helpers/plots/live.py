"""Figures of life in production: the error over time with what happened when, and the race of several models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator

from helpers.plots import style

MARKS = {  # in the order in which they happen: label, colour
    "drift": ("drift", style.VERMILION),
    "alarm": ("alarm", style.PURPLE),
    "training": ("retraining", style.ORANGE),
    "promoted": ("new model", style.GREEN),
}


def error_story(
    time_s: Sequence[float],
    error_ms: Sequence[float],
    *,
    threshold_ms: float,
    marks: Mapping[str, float],
    window_s: float = 3.0,
    x: str = "seconds",
    told: str,
) -> None:
    """Error over time: single interactions as dots, their moving mean as a line, the threshold, and what happened when.

    Parameters: times and marks in seconds on the same clock; errors are predicted minus actual; a negative threshold is
    crossed downwards; `marks` maps drift, alarm, training, promoted to a time; `window_s` is the width of the moving
    mean; `told` is the printed sentence.
    """
    order = np.argsort(time_s)
    at, error = np.asarray(time_s, dtype=float)[order], np.asarray(error_ms, dtype=float)[order] / 1000
    mean = np.where(at < at[0] + window_s / 2, np.nan, moving_mean(at, error, window_s))
    threshold = threshold_ms / 1000
    beyond = mean < threshold if threshold < 0 else mean > threshold
    with style.look():
        figure, axes = style.canvas(11.5, 5.4)
        axes.plot(at, error, ".", color="#C8C8C8", markersize=4, zorder=1)
        axes.plot(at, mean, color=style.BLUE, linewidth=2.8, label=f"mean error of the last {window_s:g} s", zorder=3)
        marked = {"where": beyond, "color": style.VERMILION, "alpha": 0.3, "label": "beyond the threshold"}
        axes.fill_between(at, mean, threshold, **marked)
        axes.axhline(threshold, color=style.INK, linestyle="--", linewidth=1.6)
        axes.axhline(0, color=style.GREY, linewidth=1)
        name = f"alarm threshold {threshold:.2f} s".replace("-", "−")
        place = {"xytext": (6, 5), "textcoords": "offset points", "va": "bottom", "zorder": 4, "bbox": style.READABLE}
        axes.annotate(name, (at[0], threshold), **place)
        levels = _levels(marks, float(at[-1] - at[0]))
        for name, moment in marks.items():
            label, colour = MARKS.get(name, (name, style.INK))
            style.vertical_mark(axes, moment, label, colour=colour, level=levels[name])
        low, high = min(0.0, threshold, float(np.nanmin(mean))), max(0.0, threshold, float(np.nanmax(mean)))
        axes.set(xlabel=x, ylabel="error: predicted − actual (s)")
        axes.set_title("The live error, and what was done about it", pad=22 + 17 * max(levels.values(), default=0))
        axes.set_ylim(low - 0.35 * (high - low), high + 0.35 * (high - low))
        axes.set_xlim(at[0], at[-1])
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.legend(loc="lower left", ncols=2, framealpha=0.85, frameon=True, edgecolor="white")
    style.show(figure, told)


def race(frame: pd.DataFrame, *, highlight: str | None = None, x: str = "seconds", told: str | None = None) -> None:
    """Current error of each entry over time, named at its end in the order of the ranks.

    Parameters: `frame` has columns time_s, alias, error_ms (current error of that entry at that time); `highlight` is
    the alias drawn thick; `x` is the unit of time_s; `told` replaces the printed sentence.
    """
    table = frame.pivot_table(index="time_s", columns="alias", values="error_ms").ffill().dropna(how="all") / 1000
    last = table.iloc[-1].sort_values()
    leader = table.idxmin(axis=1)
    changes = int((leader != leader.shift()).sum() - 1)
    with style.look():
        figure, axes = style.canvas(11.5, 5)
        span = float(table.index[-1] - table.index[0])
        low, high = float(np.nanmin(table)), float(np.nanmax(table))
        slots = _spread([float(value) for value in last], (high - low) / 14)
        for position, alias in enumerate(sorted(table.columns)):
            colour, marker = style.SERIES[position % 6], style.MARKERS[position % 6]
            mine = alias == highlight
            axes.plot(
                table.index,
                table[alias],
                color=colour,
                linewidth=3.6 if mine else 2,
                linestyle=style.DASHES[position % 4],
            )
            rank = list(last.index).index(alias)
            axes.plot(table.index[-1], last[alias], marker, color=colour, markersize=9, clip_on=False)
            axes.annotate(
                f"{rank + 1}. {alias}  {1000 * last[alias]:,.0f} ms", (table.index[-1], last[alias]),
                (table.index[-1] + span * 0.03, slots[rank]), va="center",
                fontweight="bold" if mine else "normal", annotation_clip=False, color=colour,
                arrowprops={"arrowstyle": "-", "color": style.LIGHT},
            )  # fmt: skip
        axes.set(title="The race: who has the smallest error now?", xlabel=x, ylabel="current error (s)")
        axes.set_xlim(table.index[0], table.index[-1])
        axes.set_ylim(low - (high - low) * 0.06, high + (high - low) * 0.06)
    told = (
        told
        or f"{last.index[0]} leads at the end with {1000 * last.iloc[0]:,.0f} ms; the lead changed {changes} times."
    )
    style.show(figure, told)


def moving_mean(time_s: np.ndarray, values: np.ndarray, window_s: float) -> np.ndarray:
    """Mean of the values in the `window_s` before each point (times in ascending order)."""
    sums = np.r_[0.0, np.cumsum(values)]
    first = np.searchsorted(time_s, time_s - window_s, side="right")
    last = np.arange(1, len(values) + 1)
    return (sums[last] - sums[np.minimum(first, last - 1)]) / (last - np.minimum(first, last - 1))


def _levels(marks: Mapping[str, float], span: float) -> dict[str, int]:
    """How high each mark's name stands: names of marks that are near each other climb."""
    levels: dict[str, int] = {}
    previous, level = None, 0
    for name, moment in sorted(marks.items(), key=lambda pair: pair[1]):
        level = (level + 1) % 4 if previous is not None and moment - previous < span * 0.11 else 0
        levels[name], previous = level, moment
    return levels


def _spread(values: Sequence[float], gap: float) -> list[float]:
    """Ascending values moved apart so that neighbours keep `gap`."""
    placed: list[float] = []
    for value in values:
        placed.append(value if not placed else max(value, placed[-1] + gap))
    return placed
