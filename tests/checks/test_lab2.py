"""The checks of lab 2 accept what is right, say what is wrong, and leave blanks alone."""

import numpy as np
import pytest

from helpers.checks import Outcome, ____, lab2
from helpers.fulfillment import FEATURES, expected_duration, generate


@pytest.fixture(scope="module")
def table():
    return generate(12_000, seed=3)


@pytest.fixture(scope="module")
def parts(table):
    visits = table["visit"].unique()
    drawn = np.random.default_rng(2).choice(["train", "validation", "test"], size=len(visits), p=[0.8, 0.1, 0.1])
    part = table["visit"].map(dict(zip(visits, drawn, strict=True)))
    return {name: table[part == name] for name in ("train", "validation", "test")}


def verdict(exercise, expected, *words, **variables):
    said = exercise.judge(variables)
    assert said.outcome is expected, said.message
    assert all(word in said.message for word in words), said.message


@pytest.mark.parametrize("exercise", lab2.EXERCISES, ids=lambda each: each.name)
def test_blanks_are_not_attempted(exercise):
    verdict(exercise, Outcome.NOT_ATTEMPTED, **dict.fromkeys(exercise.variables, ____))


@pytest.mark.parametrize("exercise", lab2.EXERCISES, ids=lambda each: each.name)
@pytest.mark.parametrize("nonsense", [None, "many", [1, 2], {"a": 1}, 7j, object()])
def test_nonsense_is_never_correct_and_never_raises(exercise, nonsense, table, parts):
    variables = {**parts, "table": table} | {exercise.variables[0]: nonsense}
    assert exercise.judge(variables).outcome in (Outcome.INCORRECT, Outcome.UNCHECKABLE)


def test_a_split_by_visit_is_right(table, parts):
    verdict(lab2.split, Outcome.CORRECT, "no visit is shared", table=table, **parts)


def test_a_split_by_row_shares_visits(table):
    drawn = np.random.default_rng(2).choice(3, size=len(table), p=[0.8, 0.1, 0.1])
    train, validation, test = (table[drawn == number] for number in range(3))
    verdict(
        lab2.split, Outcome.INCORRECT, "share", "visits", table=table, train=train, validation=validation, test=test
    )


def test_lost_rows_and_wrong_shares_are_told(table, parts):
    some = {**parts, "test": parts["test"].head(10)}
    verdict(lab2.split, Outcome.INCORRECT, "rows together", table=table, **some)
    swapped = {"train": parts["test"], "validation": parts["validation"], "test": parts["train"]}
    verdict(lab2.split, Outcome.INCORRECT, "`train` has", table=table, **swapped)


def test_the_noise_floor_and_its_near_misses(parts):
    rows = parts["validation"]
    errors = expected_duration(rows) - rows["duration"]
    right = float(np.sqrt(np.mean(errors**2)))
    verdict(lab2.noise_floor, Outcome.CORRECT, floor_ms=right, validation=rows)
    verdict(lab2.noise_floor, Outcome.CORRECT, floor_ms=np.float64(right), validation=rows)
    verdict(lab2.noise_floor, Outcome.INCORRECT, "root", floor_ms=right**2, validation=rows)
    verdict(lab2.noise_floor, Outcome.INCORRECT, "seconds", floor_ms=right / 1000, validation=rows)
    verdict(lab2.noise_floor, Outcome.INCORRECT, "absolute", floor_ms=float(np.abs(errors).mean()), validation=rows)
    assert f"{right:.0f}" not in lab2.noise_floor.judge({"floor_ms": 1.0, "validation": rows}).message


def test_medians_of_the_training_rows_alone_are_right(table, parts):
    train, names = parts["train"], list(FEATURES)
    given = {"train": train, "table": table}
    verdict(lab2.imputation, Outcome.CORRECT, medians=train[names].median(), **given)
    verdict(lab2.imputation, Outcome.INCORRECT, "all rows", medians=table[names].median(), **given)
    verdict(lab2.imputation, Outcome.INCORRECT, "means", medians=train[names].mean(), **given)
    verdict(lab2.imputation, Outcome.INCORRECT, "item_weight", medians=train[names[:4]].median(), **given)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"eta": 3}, "`xgboost_hyperparameters['eta']` is 3"),
        ({"max_depth": 4.5}, "whole number"),
        ({"num_round": "100"}, "'100'"),
        ({"colour": 1}, "colour"),
    ],
)
def test_hyperparameters_outside_the_table_are_told(changes, words):
    right = {"num_round": 100, "early_stopping_rounds": 5, "max_depth": 5, "eta": 0.2}
    verdict(lab2.hyperparameters, Outcome.CORRECT, xgboost_hyperparameters=right)
    verdict(lab2.hyperparameters, Outcome.INCORRECT, words, xgboost_hyperparameters={**right, **changes})
    blank = {**right, "eta": ____}
    verdict(lab2.hyperparameters, Outcome.NOT_ATTEMPTED, xgboost_hyperparameters=blank)


def test_the_solutions_are_right(table, parts):
    def rmse(predicted, actual):
        return float(np.sqrt(np.mean((np.asarray(predicted) - np.asarray(actual)) ** 2)))

    known = {"np": np, "table": table, "visits": table["visit"].unique(), "FEATURES": FEATURES, "rmse": rmse}
    known["expected_duration"] = expected_duration
    for exercise in lab2.EXERCISES:
        exec(exercise.code, known)
        verdict(exercise, Outcome.CORRECT, **known)
