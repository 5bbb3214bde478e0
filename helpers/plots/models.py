"""Figures of models: how they learn, how they compare, what they look at, and where they miss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.patheffects import withStroke

from helpers.plots import style

TITLED = {"title_fontproperties": {"size": 15, "weight": "bold"}}  # a legend whose title is the figure's
HALO = [withStroke(linewidth=3, foreground="white")]  # around small text that lies on lines


def learning_curves(
    curves: Mapping[str, Mapping[int, float]], *, floor_ms: float | None = None, x: str = "training samples"
) -> None:
    """Error (RMSE in ms) against the amount of training data, one line per algorithm.

    Parameters: `curves` maps a name to {number of samples: RMSE in ms}; `floor_ms` is the noise floor.
    """
    with style.look():
        figure, axes = style.canvas(10, 4.8)
        for position, (name, curve) in enumerate(curves.items()):
            colour, marker = style.appearance(name, position)
            axes.plot(
                list(curve), [value / 1000 for value in curve.values()],
                color=colour, marker=marker, markersize=9, linestyle=style.DASHES[position % 4], label=name,
            )  # fmt: skip
        if floor_ms is not None:
            _floor(axes.axhline, floor_ms)
            axes.text(0.005, floor_ms / 1000, "noise floor", transform=axes.get_yaxis_transform(), va="bottom")
        axes.set(title="More data helps, but not every algorithm alike", xlabel=x, ylabel="RMSE on validation (s)")
        axes.set_xscale("log")
        ticks = sorted({point for curve in curves.values() for point in curve})
        axes.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
        axes.minorticks_off()
        axes.legend()
    parts = [
        f"{name} from {next(iter(curve.values())):,.0f} to {list(curve.values())[-1]:,.0f} ms"
        for name, curve in curves.items()
    ]
    style.show(figure, f"RMSE as the data grows: {'; '.join(parts)}.")


def comparison(rmse_ms: Mapping[str, float], *, floor_ms: float, baselines: Sequence[str] = ()) -> None:
    """Bars of RMSE (ms) per model, worst first, with the noise floor that no model can get under.

    Parameters: `rmse_ms` maps a name to its RMSE; those named in `baselines` are drawn in grey.
    """
    ordered = sorted(rmse_ms.items(), key=lambda pair: -pair[1])
    best, best_ms = ordered[-1]
    with style.look():
        figure, axes = style.canvas(10, 1.6 + 0.62 * len(ordered))
        for row, (name, value) in enumerate(reversed(ordered)):
            colour = style.LIGHT if name in baselines else style.appearance(name, row)[0]
            axes.barh(row, value / 1000, color=colour, height=0.66)
            axes.text(value / 1000, row, f" {value:,.0f} ms", va="center")
        _floor(axes.axvline, floor_ms)
        axes.text(
            floor_ms / 1000,
            1.0,
            f"noise floor {floor_ms:,.0f} ms",
            transform=axes.get_xaxis_transform(),
            va="bottom",
            ha="center",
        )
        axes.set_yticks(range(len(ordered)), [name for name, _ in reversed(ordered)])
        axes.set_title("How far off each one is", pad=30)
        axes.set_xlabel("RMSE (s), less is better")
        axes.set_xlim(0, ordered[0][1] / 1000 * 1.14)
        axes.grid(axis="y", visible=False)
    over = 100 * (best_ms / floor_ms - 1)
    style.show(
        figure, f"Best: {best} with {best_ms:,.0f} ms, {over:.1f} % above the noise floor of {floor_ms:,.0f} ms."
    )


def importance(gains: Mapping[str, float]) -> None:
    """Bars of feature importance (total gain), as shares of the whole."""
    whole = sum(gains.values())
    ordered = sorted(gains.items(), key=lambda pair: -pair[1])
    with style.look():
        figure, axes = style.canvas(9.5, 1.4 + 0.4 * len(ordered))
        shares = [100 * value / whole for _, value in ordered]
        rows = range(len(ordered) - 1, -1, -1)
        axes.barh(rows, shares, color=style.BLUE, height=0.7)
        for row, share in zip(rows, shares, strict=True):
            axes.text(share, row, f" {share:.1f} %", va="center", fontsize=12)
        axes.set_yticks(rows, [name for name, _ in ordered])
        axes.set(title="What the trees split on", xlabel="share of the total gain (%)")
        axes.set_xlim(0, shares[0] * 1.12)
        axes.grid(axis="y", visible=False)
    first = ", ".join(f"{name} {100 * value / whole:.0f} %" for name, value in ordered[:3])
    style.show(figure, f"The three features that matter most: {first}. The least: {ordered[-1][0]}.")


def predicted_against_actual(
    predicted_ms: Sequence[float], actual_ms: Sequence[float], *, told: str | None = None
) -> None:
    """Two-dimensional histogram of predictions against durations, with the diagonal and the mean in each column.

    `told` replaces the printed sentence where the numbers depend on timing.
    """
    predicted, actual = np.asarray(predicted_ms, dtype=float) / 1000, np.asarray(actual_ms, dtype=float) / 1000
    low, high = np.quantile(predicted, [0.002, 0.998])
    top = np.quantile(actual, 0.995)
    many = len(predicted) > 1000
    groups = 12 if many else 6
    edges = np.quantile(predicted, np.linspace(0, 1, groups + 1))
    group = np.clip(np.searchsorted(edges, predicted, side="right") - 1, 0, groups - 1)
    means = [(predicted[group == i].mean(), actual[group == i].mean()) for i in range(groups) if (group == i).any()]
    with style.look():
        figure, axes = style.canvas(8.4, 5.4)
        if many:
            drawn = axes.hexbin(
                predicted, actual, gridsize=42, extent=(low, high, 0, top), bins="log", mincnt=1, cmap="cividis"
            )
            figure.colorbar(drawn, ax=axes, label="interactions")
        else:
            axes.plot(predicted, actual, "o", color=style.SKY, markersize=5, alpha=0.6, label="one interaction")
        line = [low, high]
        axes.plot(line, line, color=style.INK, linestyle="--", label="predicted = actual")
        averages = {"color": style.VERMILION, "markersize": 8, "markeredgecolor": "white"}
        axes.plot(*zip(*means, strict=True), "s-", **averages, label=f"averages of {groups} groups")
        axes.set(title="Predicted against actual", xlabel="predicted (s)", ylabel="actual (s)")
        axes.set_ylim(0, top)
        axes.set_xlim(low, high)
        axes.legend(loc="lower right", frameon=True, framealpha=0.9, edgecolor="white")
    rmse = float(np.sqrt(np.mean((predicted - actual) ** 2))) * 1000
    bias = float((predicted - actual).mean()) * 1000
    told = (
        told or f"{len(predicted):,} interactions: RMSE {rmse:,.0f} ms; predictions are {bias:+,.0f} ms off on average."
    )
    style.show(figure, told)


def score_against_truth(over_floor_ms: Mapping[str, tuple[float, float]], *, labels: tuple[str, str]) -> None:
    """For each setting two scores: the one that was looked at and the one that counts.

    Parameters: `over_floor_ms` maps a setting to both scores, as RMSE minus the noise floor of the same rows (ms):
    below zero is too good to be true; `labels` names the two.
    """
    with style.look():
        figure, axes = style.canvas(10, 1.9 + 0.55 * len(over_floor_ms))
        rows = list(range(len(over_floor_ms) - 1, -1, -1))
        looked, counts = (list(scores) for scores in zip(*over_floor_ms.values(), strict=True))
        axes.hlines(rows, looked, counts, color=style.GREY, linewidth=2)
        axes.plot(looked, rows, "o", color=style.ORANGE, markersize=12, label=labels[0])
        axes.plot(counts, rows, "D", color=style.BLUE, markersize=11, label=labels[1])
        axes.axvline(0, color=style.INK, linestyle=":", linewidth=2)
        left = min([0.0, *looked]) - 0.1 * (max(counts) - min([0.0, *looked]))
        axes.axvspan(left, 0, color=style.LIGHT, alpha=0.45, zorder=0)
        axes.set_xlim(left=left)
        axes.text(0, -0.62, "too good to be true ", ha="right", va="bottom")
        axes.text(0, -0.62, " noise floor", ha="left", va="bottom")
        axes.set_yticks(rows, list(over_floor_ms))
        axes.set_ylim(-0.7, len(over_floor_ms) - 0.3)
        axes.set_xlabel("RMSE above the noise floor (ms), less is better")
        axes.grid(axis="y", visible=False)
        axes.grid(axis="x", visible=True)
        title = "The same models, scored in two ways"
        figure.legend(loc="outside upper left", ncols=2, title=title, alignment="left", **TITLED)
    seems = min(over_floor_ms, key=lambda name: over_floor_ms[name][0])
    is_best = min(over_floor_ms, key=lambda name: over_floor_ms[name][1])
    under = sum(score < 0 for score in looked)
    told = f"Best by {labels[0]}: {seems}. Best by {labels[1]}: {is_best}. {under} of the {len(looked)} scores by "
    style.show(figure, f"{told}{labels[0]} are below the noise floor.")


def live_against_test(over_floor_ms: Mapping[str, Mapping[int, tuple[float, float]]]) -> None:
    """Test score against live score of several kinds of model, each with growing numbers of rounds along a line.

    Parameters: `over_floor_ms` maps a kind to {rounds: (test, live)}, both as RMSE minus the noise floor of the same
    rows (ms): a test score below zero is too good to be true.
    """
    points = {(kind, rounds): both for kind, line in over_floor_ms.items() for rounds, both in line.items()}
    tests, lives = (np.array(scores) for scores in zip(*points.values(), strict=True))
    low, high = tests.min() - 0.12 * np.ptp(tests), tests.max() + 0.12 * np.ptp(tests)
    with style.look():
        figure, axes = style.canvas(10.5, 5.6)
        axes.axvspan(low, min(0.0, high), color=style.LIGHT, alpha=0.45, zorder=0)
        axes.axvline(0, color=style.INK, linestyle=":", linewidth=2)
        for place, (kind, line) in enumerate(over_floor_ms.items()):
            colour, marker = style.SERIES[place % 6], style.MARKERS[place % 6]
            x, y = zip(*line.values(), strict=True)
            axes.plot(x, y, color=colour, marker=marker, markersize=9, linestyle=style.DASHES[place % 4], label=kind)
            beside = (7, 5) if place % 2 == 0 else (-20, -18)
            for rounds, at in line.items():
                place = {"textcoords": "offset points", "fontsize": 12, "path_effects": HALO, "zorder": 5}
                axes.annotate(f"{rounds}", at, beside, color=colour, **place)
        axes.set_xlim(low, high)
        axes.set_ylim(0, lives.max() * 1.1)
        label = {"transform": axes.get_xaxis_transform(), "va": "bottom"}
        axes.text(0, 0.02, "too good to be true ", ha="right", **label)
        axes.text(0, 0.02, " noise floor", ha="left", **label)
        axes.set(xlabel="test score, random rows: RMSE above the noise floor (ms)", ylabel="live: above its floor (ms)")
        axes.grid(axis="x", visible=True)
        title = "Better in the test, worse live (the numbers are rounds)"
        figure.legend(loc="outside upper left", ncols=3, title=title, alignment="left", **TITLED)
    looks, holds = min(points, key=lambda one: points[one][0]), min(points, key=lambda one: points[one][1])
    rank = int((lives < points[looks][1]).sum()) + 1
    under = [int((scores < 0).sum()) for scores in (tests, lives)]
    (test, live), best = points[looks], points[holds][1]
    style.show(
        figure,
        f"Below the noise floor: {under[0]} of {len(points)} test scores, {under[1]} of the live ones. "
        f"Best by the test: {looks[0]}, {looks[1]} rounds ({test:+,.0f} ms); live it has {live:+,.0f} ms and is number "
        f"{rank}. Best live: {holds[0]}, {holds[1]} rounds ({best:+,.0f} ms).",
    )


def _floor(line: object, floor_ms: float) -> None:
    line(floor_ms / 1000, color=style.INK, linestyle=":", linewidth=2)
