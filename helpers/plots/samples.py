"""Figures of the samples: how long interactions take, what the features look like, and where on the pod."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pandas as pd

from helpers.fulfillment.columns import UNITS
from helpers.plots import style


def durations(durations_ms: Sequence[float]) -> None:
    """Histogram of durations, and the same with a logarithmic count, where the long tail shows."""
    import seaborn  # takes most of a second, and not every lab needs it

    seconds = np.asarray(durations_ms, dtype=float) / 1000
    median, mean, late, longest = np.median(seconds), seconds.mean(), np.quantile(seconds, 0.95), seconds.max()
    with style.look():
        figure, (near, far) = style.canvas(11, 4.4, columns=2, width_ratios=(3, 2))
        end = np.quantile(seconds, 0.99)
        bars = {"bins": 60, "color": style.SKY, "alpha": 1, "edgecolor": "white", "linewidth": 0.4}
        seaborn.histplot(seconds[seconds <= end], ax=near, **bars)
        near.set(title="How long an interaction takes", xlabel="duration (s)", ylabel="interactions")
        heights = (
            (median, "median", style.BLUE, 0.97),
            (mean, "mean", style.VERMILION, 0.88),
            (late, "95 %", style.INK, 0.79),
        )
        for value, name, colour, height in heights:
            near.axvline(value, color=colour, linewidth=2)
            place = {"transform": near.get_xaxis_transform(), "va": "top", "bbox": style.READABLE}
            near.text(value + 0.012 * end, height, f"{name} {value:.1f} s", color=colour, **place)
        near.yaxis.set_major_formatter(style.thousands)
        seaborn.histplot(seconds, ax=far, **bars)
        far.set(title="The long tail", xlabel="duration (s)", ylabel="interactions (log scale)", yscale="log")
    style.show(
        figure,
        f"{len(seconds):,} interactions: half end within {median:.1f} s, the mean is {mean:.1f} s, "
        f"5 % take longer than {late:.1f} s, the longest took {longest:.0f} s.",
    )


def features(frame: pd.DataFrame) -> None:
    """One small histogram per feature, all with the share of missing values."""
    names = [name for name in UNITS if name in frame.columns and name != "duration"]
    with style.look():
        figure, grid = style.canvas(11.5, 7.2, rows=3, columns=4)
        for axes, name in zip(np.ravel(grid), names, strict=False):
            _feature(axes, frame[name])
    missing = frame[names].isna().mean()
    gaps = ", ".join(f"{name} {100 * share:.1f} %" for name, share in missing[missing > 0].items())
    few = [name for name in names if frame[name].nunique() <= 5]
    style.show(figure, f"{len(names)} features. Missing: {gaps or 'nothing'}. At most five levels: {', '.join(few)}.")


def _feature(axes: object, values: pd.Series) -> None:
    import seaborn  # takes most of a second, and not every lab needs it

    present = values.dropna()
    missing = values.isna().mean()
    if present.nunique() <= 12:
        counts = present.value_counts().sort_index()
        axes.bar(range(len(counts)), counts, color=style.SKY)
        axes.set_xticks(range(len(counts)), [f"{level:g}" for level in counts.index], fontsize=10)
    else:
        seaborn.histplot(present, ax=axes, bins=30, color=style.SKY, alpha=1, linewidth=0)
        axes.set(xlabel="", ylabel="")
        axes.tick_params(axis="x", labelsize=10)
    axes.set_title(f"{values.name} ({UNITS[values.name]})", fontsize=12)
    axes.set_yticks([])
    axes.set_ylim(0, axes.get_ylim()[1] * 1.18)
    axes.spines["left"].set_visible(False)
    if missing:
        axes.text(
            1,
            0.97,
            f"{100 * missing:.0f} % missing",
            transform=axes.transAxes,
            ha="right",
            va="top",
            color=style.VERMILION,
        )


def pod(frame: pd.DataFrame, across: str = "bin_fullness", columns: int = 5) -> None:
    """Front view of a pod: mean duration by the bin's height from the ground (rows) and another feature (columns)."""
    import seaborn  # takes most of a second, and not every lab needs it

    known = frame[["duration", "bin_location", across]].dropna()
    if known[across].nunique() > columns:
        edges = np.linspace(known[across].min(), known[across].max(), columns + 1)
        bands = pd.cut(known[across], edges, include_lowest=True, labels=False)
        names = [f"{low:.0f}–{high:.0f}" for low, high in pairwise(edges)]
    else:
        levels = sorted(known[across].unique())
        bands, names = known[across].map(levels.index), [f"{level:g}" for level in levels]
    table = known.groupby([known["bin_location"], bands])["duration"].mean().unstack() / 1000
    with style.look():
        figure, axes = style.canvas(8.6, 5)
        table.columns = [names[int(band)] for band in table.columns]
        table.index = [f"{level:.0f}" for level in table.index]
        told = {"annot": True, "fmt": ".1f", "annot_kws": {"fontsize": 14}, "cbar_kws": {"label": "seconds"}}
        seaborn.heatmap(table.iloc[::-1], ax=axes, cmap="cividis", **told)
        axes.tick_params(length=0, rotation=0)
        axes.set(
            title="Mean duration by place on the pod (s)",
            xlabel=f"{across} ({UNITS[across]})",
            ylabel="bin's height from the ground (mm)",
        )
    levels = known.groupby("bin_location")["duration"].mean()
    quickest, slowest = levels.idxmin(), levels.idxmax()
    style.show(
        figure,
        f"Quickest level: {quickest:.0f} mm from the ground ({style.seconds(levels[quickest])} on average); "
        f"slowest: {slowest:.0f} mm ({style.seconds(levels[slowest])}).",
    )
