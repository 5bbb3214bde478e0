"""Drift over ten worlds: how far each scenario raises the error, what retraining restores, and when an alarm tells.

    python -m benchmarks.drift [--seeds 10] [--out FILE.json]

Per world: a reference model learns 100,000 ordinary samples. Under each scenario (fully arrived) it is measured on
60,000 new interactions, as are a model retrained on the 40,000 most recent samples, and one that had 100,000 samples
of the new regime alone. Then the alarm: means of the absolute error over periods of 50 interactions (10 s at 5 a
second), an alarm after M periods over the threshold; false alarms in ordinary times against delay in peak season.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import xgboost as xgb
from rich.console import Console
from rich.progress import track
from rich.table import Table

from helpers.fulfillment import FCS, FEATURES, PEAK_SEASON, SCENARIOS, WRONG_SCALE, generate, noise_floor
from helpers.fulfillment.parameters import NORMAL

LEARNED, RECENT, MEASURED = 100_000, 40_000, 60_000
SETTINGS = {"max_depth": 6, "eta": 0.1, "min_child_weight": 6, "subsample": 0.7, "nthread": 1, "seed": 0}
ROUNDS = 100
PERIOD = 50  # interactions
FACTORS = (1.05, 1.1, 1.15, 1.2, 1.3)  # thresholds, times the ordinary mean error
IN_A_ROW = (1, 2, 3, 5)
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
    return {"rmse": rmse(error), "mae": float(np.abs(error).mean())}


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
            result["alarm"] = alarms(np.abs(errors(reference, ordinary)), np.abs(errors(reference, new)))
    return result


def alarms(before, after):
    """Per threshold and periods in a row: false alarms per ordinary hour (at 5 a second) and delay in periods."""
    usual = before.mean()
    rows = []
    for factor in FACTORS:
        for periods in IN_A_ROW:
            over = before[: len(before) // PERIOD * PERIOD].reshape(-1, PERIOD).mean(axis=1) > factor * usual
            false = rises(over, periods)
            hours = len(over) * PERIOD / 5 / 3600
            rows.append((factor, periods, false / hours, delay(after, factor * usual, periods)))
    return rows


def rises(over, periods):
    """How often the alarm goes off: `periods` in a row over the threshold, after it had been off."""
    count, in_a_row = 0, 0
    for value in over:
        in_a_row = in_a_row + 1 if value else 0
        count += in_a_row == periods
    return count


def delay(after, threshold, periods):
    """Mean number of periods until the alarm goes off, over many moments at which the change may come."""
    over = after[: len(after) // PERIOD * PERIOD].reshape(-1, PERIOD).mean(axis=1) > threshold
    waits = []
    for begin in range(0, len(over) - 60, 10):
        in_a_row = 0
        for waited in range(60):
            in_a_row = in_a_row + 1 if over[begin + waited] else 0
            if in_a_row == periods:
                break
        waits.append(waited + 1)
    return float(np.mean(waits))


def report(results, console):
    def mean(pick):
        return float(np.mean([pick(result) for result in results]))

    usual = mean(lambda r: r["ordinary"]["mae"])
    console.print(
        f"Ordinary times: RMSE {mean(lambda r: r['ordinary']['rmse']):.3f} s, mean absolute error {usual:.3f} s, "
        f"noise floor {mean(lambda r: r['ordinary']['floor']):.3f} s; {len(results)} worlds"
    )
    table = Table("scenario", "RMSE before", "retrained", "only new", "floor", "MAE before", "retrained", "only new",
                  "MAE against ordinary", "retrained against only new (RMSE)", "worlds within 3 %")  # fmt: skip
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
        )  # fmt: skip
    console.print(table)
    usual, before, after = np.mean([result["at the wrong scale"] for result in results], axis=0)
    console.print(
        f"At the centre with the wrong scale: mean absolute error {usual:.3f} s ordinary, {before:.3f} s before "
        f"({100 * (before / usual - 1):+.1f} %), {after:.3f} s retrained"
    )
    table = Table("threshold / ordinary error", *(f"{m} in a row: false per h, delay" for m in IN_A_ROW))
    for i, factor in enumerate(FACTORS):
        cells = []
        for j in range(len(IN_A_ROW)):
            row = i * len(IN_A_ROW) + j
            false, late = mean(lambda r, k=row: r["alarm"][k][2]), mean(lambda r, k=row: r["alarm"][k][3])
            cells.append(f"{false:.2f}, {late * PERIOD / 5:.0f} s")
        table.add_row(f"{factor:.2f}", *cells)
    console.print(table)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    results = [one_world(world) for world in track(range(options.seeds), "worlds", console=Console(stderr=True))]
    if options.out:
        options.out.write_text(json.dumps(results))
    report(results, Console(width=180))


if __name__ == "__main__":
    main()
