"""Checks of lab 2: an honest split, the noise floor, medians of the right rows, hyperparameters in their ranges."""

import math
from numbers import Integral

import numpy as np
import pandas as pd

from helpers.checks.exercise import IncorrectError, exercise, number, wrong
from helpers.checks.exercise import summary as show_summary
from helpers.fulfillment import FEATURES, expected_duration

SHARES = {"train": (0.75, 0.85), "validation": (0.07, 0.13), "test": (0.07, 0.13)}
RANGES = {"num_round": (20, 200), "early_stopping_rounds": (1, 10), "max_depth": (3, 6), "eta": (0.1, 1.0)}


@exercise(
    "lab2.split",
    "Split the table by visit",
    [
        "`visits` holds each visit once. Draw one of three names for each of them, with the probabilities you want.",
        "`np.random.default_rng(2).choice([...], size=len(visits), p=[...])` draws; "
        "`table['visit'].map(...)` carries what was drawn for a visit to each of its rows.",
        "`part` has one name per row of the table, so `table[part == 'train']` is the first of the three parts.",
    ],
    """
    part_of_visit = np.random.default_rng(2).choice(
        ["train", "validation", "test"], size=len(visits), p=[0.8, 0.1, 0.1]
    )
    part = table["visit"].map(dict(zip(visits, part_of_visit)))
    train, validation, test = (table[part == name] for name in ("train", "validation", "test"))
    """,
)
def split(train: object, validation: object, test: object, table: pd.DataFrame) -> str:
    parts = {"train": train, "validation": validation, "test": test}
    for name, part in parts.items():
        if not isinstance(part, pd.DataFrame) or "visit" not in part:
            wrong(name, part, "it must hold rows of the table, with all columns.")
    rows = sum(map(len, parts.values()))
    if rows != len(table):
        raise IncorrectError(f"The three parts have {rows:,} rows together, the table has {len(table):,}.")
    for first, second in (("train", "validation"), ("train", "test"), ("validation", "test")):
        shared = len(np.intersect1d(parts[first]["visit"].unique(), parts[second]["visit"].unique()))
        if shared:
            raise IncorrectError(
                f"`{first}` and `{second}` share {shared:,} visits: a visit must be whole in one part."
            )
    for name, part in parts.items():
        low, high = SHARES[name]
        if not low <= len(part) / rows <= high:
            raise IncorrectError(f"`{name}` has {len(part) / rows:.0%} of the rows, which is not the share asked for.")
    return f"{len(train):,} rows to train, {len(validation):,} to validate, {len(test):,} to test; no visit is shared."


@exercise(
    "lab2.noise_floor",
    "Compute the noise floor",
    [
        "The noise floor is the RMSE of a prediction that knows the true mean of each interaction.",
        "`rmse(predicted, actual)` is defined above; which function gives the true means of the validation rows?",
    ],
    'floor_ms = rmse(expected_duration(validation), validation["duration"])',
)
def noise_floor(floor_ms: object, validation: pd.DataFrame) -> str:
    number("floor_ms", floor_ms, "one number in milliseconds is needed.")
    truth, actual = expected_duration(validation), validation["duration"]
    right = float(np.sqrt(np.mean((truth - actual) ** 2)))
    if math.isclose(floor_ms, right, rel_tol=1e-6):
        return f"No model that knows the twelve features gets below {floor_ms:,.0f} ms on these samples."
    if math.isclose(floor_ms, right**2, rel_tol=1e-6):
        wrong("floor_ms", floor_ms, "that is the mean of the squared errors; RMSE is its root.")
    if math.isclose(floor_ms, right / 1000, rel_tol=1e-6):
        wrong("floor_ms", floor_ms, "that is in seconds; milliseconds are asked for.")
    if math.isclose(floor_ms, float(np.mean(np.abs(truth - actual))), rel_tol=1e-6):
        wrong("floor_ms", floor_ms, "that is the mean absolute error; RMSE squares before it averages.")
    wrong("floor_ms", floor_ms, "this is not the RMSE of the true mean on the validation rows.")


@exercise(
    "lab2.imputation",
    "Choose the medians for the gaps",
    [
        "What is used to prepare the data belongs to the model. Which rows may a model learn from?",
        "A frame has `.median()`; take only the columns in `FEATURES`.",
    ],
    "medians = train[list(FEATURES)].median()",
)
def imputation(medians: object, train: pd.DataFrame, table: pd.DataFrame) -> str:
    if not isinstance(medians, pd.Series):
        wrong("medians", medians, "one median per feature is needed, as `.median()` of a frame gives them.")
    missing = [feature for feature in FEATURES if feature not in medians.index]
    if missing:
        raise IncorrectError(f"`medians` has no value for {', '.join(missing)}.")
    if not pd.api.types.is_numeric_dtype(medians):
        wrong("medians", medians, "each median must be a number.")
    given = medians[list(FEATURES)].astype(float)
    if np.allclose(given, train[list(FEATURES)].median()):
        return "They come from the training rows alone, so nothing of the other parts leaks into the model."
    if np.allclose(given, table[list(FEATURES)].median()):
        raise IncorrectError("`medians` come from all rows, so they know something of the test rows.")
    if np.allclose(given, train[list(FEATURES)].mean()):
        raise IncorrectError("`medians` holds means: a few huge items pull them up.")
    different = [
        feature for feature in FEATURES if not math.isclose(given[feature], train[feature].median(), rel_tol=1e-6)
    ]
    wrong(f"medians['{different[0]}']", given[different[0]], "that is not the median of this feature.")


@exercise(
    "lab2.hyperparameters",
    "Choose XGBoost's hyperparameters",
    [
        "Each of the four needs a number from its range in the table above.",
        "Small steps (`eta`) need many trees (`num_round`); early stopping then ends in time.",
    ],
    'xgboost_hyperparameters = {"num_round": 200, "early_stopping_rounds": 10, "max_depth": 6, "eta": 0.1}',
)
def hyperparameters(xgboost_hyperparameters: object) -> str:
    name = "xgboost_hyperparameters"
    if not isinstance(xgboost_hyperparameters, dict):
        wrong(name, xgboost_hyperparameters, "a dictionary is needed: name to value.")
    for key, (low, high) in RANGES.items():
        if key not in xgboost_hyperparameters:
            raise IncorrectError(f"`{name}` has no `{key}`.")
        value = xgboost_hyperparameters[key]
        shown = f"{name}['{key}']"
        number(shown, value, "a number is needed.")
        if key != "eta" and not isinstance(value, Integral):
            wrong(shown, value, "a whole number is needed.")
        if not low <= value <= high:
            wrong(shown, value, f"the range here is {low} to {high}.")
    if extra := set(xgboost_hyperparameters) - set(RANGES):
        raise IncorrectError(f"`{name}` also has {', '.join(sorted(map(str, extra)))}; keep to the four of the table.")
    return "All four are in their ranges; the comparison will show what they are worth."


EXERCISES = (split, noise_floor, imputation, hyperparameters)


def summary() -> None:
    """Shows which exercises of lab 2 are done."""
    show_summary("Lab 2", EXERCISES)
