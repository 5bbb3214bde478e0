"""Drift over ten worlds: how far each scenario raises the error, what retraining restores, and when an alarm tells.

    python -m benchmarks.drift [--seeds 10] [--out FILE.json]
    python -m benchmarks.drift --in FILE.json      # the tables of a run that was kept

Per world: a reference model learns 100,000 ordinary samples. Under each scenario (fully arrived) it is measured on
60,000 new interactions, as are a model retrained on the 40,000 most recent samples, and one that had 100,000 samples
of the new regime alone.

Then the alarm, as in lab 4: the edge compute of one fulfillment centre, 40 interactions a second, the metric's mean
over periods of 10 s (400 interactions), alarm when M of the last N periods are beyond the threshold. For the signed
error (prediction minus duration, the metric that lab 4 watches) and for the absolute error: false alarms per hour of
ordinary times, delay after a sudden peak season, and how much of the time the alarm is on with the old model, with the
retrained one, and when the noise grows.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import pandas as pd
import xgboost as xgb
from rich.console import Console
from rich.progress import track
from rich.table import Table

from helpers.fulfillment import (
    FCS,
    FEATURES,
    GROWING_NOISE,
    PEAK_SEASON,
    SCENARIOS,
    WRONG_SCALE,
    generate,
    noise_floor,
)
from helpers.fulfillment.interactions import Interactions
from helpers.fulfillment.parameters import NORMAL

LEARNED, RECENT, MEASURED = 100_000, 40_000, 60_000
SETTINGS = {"max_depth": 6, "eta": 0.1, "min_child_weight": 6, "subsample": 0.7, "nthread": 1, "seed": 0}
ROUNDS = 100
FC, RATE, SPEED, PERIOD_S = FCS[0], 40, 60, 10  # lab 4's edge compute, and its alarm's period
PERIOD = RATE * PERIOD_S  # interactions
ORDINARY, CHANGED = 600 * PERIOD, 150 * PERIOD  # interactions of each world's streams: 100 minutes, 25 minutes
SIGNED_MS = (-500, -1000, -1500, -2500, -4000)
FACTORS = (1.05, 1.1, 1.2, 1.3, 1.4)  # thresholds for the absolute error, times its ordinary mean
M_OF_N = ((1, 1), (2, 3), (3, 5), (5, 5))
RAMP_S = 86_400.0  # of a gradual peak season, warehouse time: 24 minutes of the edge compute
PATIENCE = 20  # periods until an alarm counts as missed
LATER_S = 1_767_571_200.0 + 60 * 86_400.0  # two months after the reference model's samples begin


def learn(frame):
    data = xgb.DMatrix(frame[list(FEATURES)].to_numpy(np.float32), frame["duration"].to_numpy(float) / 1000)
    return xgb.train(SETTINGS, data, ROUNDS)


def errors(model, frame):
    predicted = model.predict(xgb.DMatrix(frame[list(FEATURES)].to_numpy(np.float32)))
    return predicted - frame["duration"].to_numpy(float) / 1000


def rmse(error):
    return float(np.sqrt(np.mean(error**2)))


def measured(model, frame):
    error = errors(model, frame)
    return {"rmse": rmse(error), "mae": float(np.abs(error).mean()), "signed": float(error.mean())}


def one_world(world):
    """All figures of one world, in seconds."""
    reference = learn(generate(LEARNED, 0, world=world))
    ordinary = generate(MEASURED, 1, world=world, start_s=LATER_S)
    result = {"world": world, "ordinary": measured(reference, ordinary), "scenarios": {}}
    result["ordinary"]["floor"] = noise_floor(ordinary, world=world) / 1000
    for name, scenario in SCENARIOS.items():
        arrived = scenario.sudden()
        new = generate(MEASURED, 2, arrived, world=world, start_s=LATER_S)
        recent = generate(RECENT, 3, arrived, world=world, start_s=LATER_S)
        only = generate(LEARNED, 4, arrived, world=world, start_s=LATER_S)
        result["scenarios"][name] = {
            "before": measured(reference, new),
            "retrained": measured(learn(recent), new),
            "only new": measured(learn(only), new),
            "floor": noise_floor(new, arrived, world=world) / 1000,
        }
        if scenario is WRONG_SCALE:
            here = FCS[NORMAL.scale_fc]
            result["at the wrong scale"] = [
                measured(model, frame[frame["fc"] == here])["mae"]
                for model, frame in ((reference, ordinary), (reference, new), (learn(recent), new))
            ]
        if scenario is PEAK_SEASON:
            retrained = learn(recent)
        if scenario is GROWING_NOISE:
            retrained_on_noise = learn(recent)
    result["alarm"] = alarms(reference, retrained, retrained_on_noise, world)
    return result


def stream(world, interactions, scenario=None):
    """So many interactions of lab 4's edge compute, as the columns of FEATURES and the duration."""
    source = Interactions(FC, RATE / SPEED, 42, scenario, world=world)
    rows = [next(source) for _ in range(interactions)]
    return pd.DataFrame({name: [row[name] for row in rows] for name in ("duration", *FEATURES)})


def alarms(reference, retrained, retrained_on_noise, world):
    """What an alarm on the signed and on the absolute error would have done, in seconds and shares."""
    streams = {
        "ordinary": (reference, stream(world, ORDINARY)),
        "peak": (reference, stream(world, CHANGED, PEAK_SEASON)),
        "gradual": (reference, stream(world, round(1.2 * RAMP_S * RATE / SPEED), PEAK_SEASON.gradual(RAMP_S))),
        "noise": (reference, stream(world, CHANGED, GROWING_NOISE)),
    }
    streams["peak, retrained"] = (retrained, streams["peak"][1])
    streams["noise, retrained"] = (retrained_on_noise, streams["noise"][1])
    found = {name: errors(model, frame) for name, (model, frame) in streams.items()}
    usual = float(np.abs(found["ordinary"]).mean())
    result = {"usual": usual, "signed": [], "absolute": []}
    for threshold in SIGNED_MS:
        beyond = {name: -error for name, error in found.items()}
        result["signed"].append(one_threshold(beyond, -threshold / 1000))
    for factor in FACTORS:
        beyond = {name: np.abs(error) for name, error in found.items()}
        result["absolute"].append(one_threshold(beyond, factor * usual))
    result["means"] = {
        name: {"signed": float(error.mean()), "absolute": float(np.abs(error).mean())} for name, error in found.items()
    }
    return result


def one_threshold(value, threshold):
    """Figures of one threshold: an alarm is due where the mean of `value` over a period is above it."""
    over = {name: periods(values) > threshold for name, values in value.items()}
    rows = {"on": {name: float(of.mean()) for name, of in over.items()}, "m of n": []}
    hours = len(over["ordinary"]) * PERIOD_S / 3600
    for m, n in M_OF_N:
        on = on_after(over["ordinary"], m, n)
        false = float((on[1:] & ~on[:-1]).sum() + on[0]) / hours
        gradual = np.flatnonzero(on_after(over["gradual"], m, n))
        come = (gradual[0] + 1) * PERIOD_S * SPEED / RAMP_S if len(gradual) else float("nan")
        rows["m of n"].append((false, *delay(value["ordinary"], value["peak"], threshold, m, n), min(come, 1.0)))
    return rows


def periods(values):
    """Mean of each whole period."""
    return values[: len(values) // PERIOD * PERIOD].reshape(-1, PERIOD).mean(axis=1)


def on_after(over, m, n):
    """Is the alarm on after each period: m of the last n over the threshold."""
    return np.convolve(over.astype(int), np.ones(n, int))[: len(over)] >= m


def delay(before, after, threshold, m, n):
    """Mean seconds from the change to the alarm, and share of changes noticed within PATIENCE periods.

    The change may come at any moment of a period: the first one holds interactions of both regimes.
    """
    waits, noticed, tries = [], 0, 0
    for begin in range(PERIOD, len(after) - (PATIENCE + 1) * PERIOD, 2 * PERIOD):
        for old in (0, PERIOD // 4, PERIOD // 2, 3 * PERIOD // 4):
            values = np.concatenate([before[begin - old : begin], after[begin : begin + PATIENCE * PERIOD]])
            on = np.flatnonzero(on_after(periods(values) > threshold, m, n))
            tries += 1
            if len(on):
                noticed += 1
                waits.append(((on[0] + 1) * PERIOD - old) / RATE)
    return (float(np.mean(waits)) if waits else float("nan")), noticed / tries


def report(results, console):
    def mean(pick):
        return float(np.mean([pick(result) for result in results]))

    usual = mean(lambda r: r["ordinary"]["mae"])
    console.print(
        f"Ordinary times: RMSE {mean(lambda r: r['ordinary']['rmse']):.3f} s, mean absolute error {usual:.3f} s, "
        f"noise floor {mean(lambda r: r['ordinary']['floor']):.3f} s; {len(results)} worlds"
    )
    table = Table("scenario", "RMSE before", "retrained", "only new", "floor", "MAE before", "retrained", "only new",
                  "MAE against ordinary", "retrained against only new (RMSE)", "worlds within 3 %",
                  "signed before", "retrained")  # fmt: skip
    for name in results[0]["scenarios"]:
        found = [result["scenarios"][name] for result in results]

        def of(state, measure, found=found):
            return float(np.mean([values[state][measure] for values in found]))

        apart = [values["retrained"]["rmse"] / values["only new"]["rmse"] - 1 for values in found]
        table.add_row(
            name, *(f"{of(state, 'rmse'):.3f}" for state in ("before", "retrained", "only new")),
            f"{np.mean([values['floor'] for values in found]):.3f}",
            *(f"{of(state, 'mae'):.3f}" for state in ("before", "retrained", "only new")),
            f"{100 * (of('before', 'mae') / usual - 1):+.1f} %", f"{100 * np.mean(apart):+.1f} %",
            f"{sum(abs(a) <= 0.03 for a in apart)} of {len(apart)}",
            *(f"{of(state, 'signed'):+.2f}" for state in ("before", "retrained")),
        )  # fmt: skip
    console.print(table)
    usual, before, after = np.mean([result["at the wrong scale"] for result in results], axis=0)
    console.print(
        f"At the centre with the wrong scale: mean absolute error {usual:.3f} s ordinary, {before:.3f} s before "
        f"({100 * (before / usual - 1):+.1f} %), {after:.3f} s retrained"
    )
    report_alarms(results, console)


def report_alarms(results, console):
    """The two tables of each metric."""
    found = [result["alarm"] for result in results]
    usual = float(np.mean([alarm["usual"] for alarm in found]))
    streams = ("ordinary", "peak", "peak, retrained", "noise", "noise, retrained")
    for metric in ("signed", "absolute"):
        told = [f"{name} {np.mean([alarm['means'][name][metric] for alarm in found]):.2f} s" for name in streams]
        console.print(f"Mean {metric} error at {FC}: {', '.join(told)}")
        names = (
            [f"{ms:,} ms" for ms in SIGNED_MS] if metric == "signed" else [f"{f:.2f} x {usual:.2f} s" for f in FACTORS]
        )
        table = Table(
            f"{metric} error: threshold", *(f"{m} of {n}" for m, n in M_OF_N),
            title="alarm after M of N periods: false alarms per hour, delay after a sudden peak (how many are noticed)",
        )  # fmt: skip
        shares = Table(
            f"{metric} error: threshold",
            *streams,
            "a gradual peak has come (3 of 5)",
            title="periods beyond the threshold",
        )
        for i, name in enumerate(names):
            rows = np.array([alarm[metric][i]["m of n"] for alarm in found])  # worlds, m of n, figures
            false, noticed = rows[..., 0].mean(axis=0), rows[..., 2].mean(axis=0)
            late, come = np.nanmean(rows[..., 1], axis=0), np.nanmean(rows[..., 3], axis=0)
            table.add_row(
                name,
                *(f"{false[k]:.1f} per h, {late[k]:.0f} s ({100 * noticed[k]:.0f} %)" for k in range(len(M_OF_N))),
            )
            on = [np.mean([alarm[metric][i]["on"][name_] for alarm in found]) for name_ in streams]
            shares.add_row(name, *(f"{100 * share:.1f} %" for share in on), f"{100 * come[2]:.0f} %")
        console.print(table)
        console.print(shares)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--in", dest="kept", type=Path, help="print the tables of a run that --out kept")
    options = parser.parse_args()
    if options.kept:
        return report(json.loads(options.kept.read_text()), Console(width=180))
    results = [one_world(world) for world in track(range(options.seeds), "worlds", console=Console(stderr=True))]
    if options.out:
        options.out.write_text(json.dumps(results))
    report(results, Console(width=180))


if __name__ == "__main__":
    main()
