"""The figure of an endpoint under changing load: requests, instances and latency above each other, on one clock."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator

from helpers.plots import style

FEWEST_BINS, MOST_BINS = 10, 60  # of a minute each where that fits: fewer requests than bins would leave gaps


def scaling(requests: pd.DataFrame, instances: pd.DataFrame, *, capacity_per_s: float | None = None) -> None:
    """Load, instance count and latency over time.

    Parameters: `requests` has columns minute, latency_ms and region (None where no answer came), a row per request;
    `instances` has columns minute and instances, a row per look; `capacity_per_s` is what one instance serves, drawn
    times the instance count beside the load.
    """
    end = float(max(requests["minute"].max(), instances["minute"].max()))
    edges = np.linspace(0, end, min(max(round(end), FEWEST_BINS), MOST_BINS) + 1)
    per_minute = pd.cut(requests["minute"], edges, include_lowest=True)
    seconds_of_bin = _seconds_of_bin(requests, edges)
    rate = requests.groupby(per_minute, observed=False).size().to_numpy() / seconds_of_bin
    middle = (edges[:-1] + edges[1:]) / 2
    median = requests.groupby(per_minute, observed=False)["latency_ms"].median().to_numpy()
    answered = requests["region"].notna()
    with style.look():
        figure, (load, count, latency) = style.canvas(11.5, 7.2, rows=3, sharex=True, height_ratios=[2, 1.6, 2.2])
        load.fill_between(middle, rate, step="mid", color=style.SKY, alpha=0.45)
        load.step(middle, rate, where="mid", color=style.BLUE, label="asked")
        if capacity_per_s is not None:
            served = instances["instances"] * capacity_per_s
            label = "what the instances can serve"
            load.step(instances["minute"], served, where="post", color=style.GREEN, linestyle="--", label=label)
        load.set(ylabel="requests / s", ylim=(0, None))
        load.set_title("Load, instances and latency", pad=34)
        load.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=2, borderaxespad=0.3, borderpad=0)
        count.step(instances["minute"], instances["instances"], where="post", color=style.GREEN, linewidth=2.8)
        count.fill_between(
            instances["minute"], instances["instances"], step="post", color=style.GREEN, alpha=0.2, linewidth=0
        )
        count.set(ylabel="instances", ylim=(0, instances["instances"].max() + 0.6))
        count.yaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10], nbins=8))
        given, not_given = requests[answered], requests[~answered]
        one = {"color": "#B8B8B8", "markersize": 6, "zorder": 1, "label": "one request"}
        latency.plot(given["minute"], given["latency_ms"] / 1000, ".", **one)
        if len(not_given):
            lost = {"color": style.INK, "label": "no answer"}
            latency.plot(not_given["minute"], not_given["latency_ms"] / 1000, "x", **lost)
        known = ~np.isnan(median)
        latency.plot(middle[known], median[known] / 1000, color=style.VERMILION, linewidth=2.2, label="median")
        latency.set(ylabel="latency (s)", xlabel="minutes", ylim=(0, None), xlim=(0, end))
        latency.legend(loc="upper right")
    style.show(figure, told(requests, instances))


def told(requests: pd.DataFrame, instances: pd.DataFrame) -> str:
    """The figure in a sentence."""
    counts = instances["instances"]
    most = int(counts.max())
    answered = int(requests["region"].notna().sum())
    before = counts[: int(counts.idxmax())]
    out = float(instances["minute"][counts.idxmax()])
    quiet = float(requests["latency_ms"].head(max(1, len(requests) // 100)).median())
    worst = float(requests["latency_ms"].max())
    last = float(requests["latency_ms"].tail(max(1, len(requests) // 50)).median())
    if most == counts.iloc[0] and before.empty:
        course = f"The instance count stayed at {most}" if counts.min() == most else _from_to(counts)
    else:
        course = f"{int(counts.iloc[0])} instance{'s' if counts.iloc[0] > 1 else ''} became {most} in minute {out:.0f}"
        course += f" and {int(counts.iloc[-1])} at the end"
    return (
        f"{course}; latency was {style.seconds(quiet)} at first, {style.seconds(worst)} at worst and "
        f"{style.seconds(last)} at the end; {answered:,} of {len(requests):,} requests were answered."
    )


def _from_to(counts: pd.Series) -> str:
    return f"The instance count went from {int(counts.iloc[0])} to {int(counts.iloc[-1])}"


def _seconds_of_bin(requests: pd.DataFrame, edges: np.ndarray) -> float:
    return float(edges[1] - edges[0]) * requests.attrs.get("seconds_per_minute", 60.0)
