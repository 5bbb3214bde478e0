"""Whatever a learner puts where an answer goes, the check says a sentence: it never breaks, and never lets it pass."""

import math
from decimal import Decimal
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from helpers.checks import Outcome, lab1, lab2, lab3, lab4
from helpers.fulfillment import generate

TABLE = generate(4_000, seed=3)
FEATURES_ASKED = [8535, 212, 140, 61, 1, 388, 1100, 440, 280, 450, 63, 35]
RIGHT = {  # what stands in the notebook beside the odd answer
    **dict.fromkeys(("train", "validation", "test", "table"), TABLE),
    "features": FEATURES_ASKED,
    "raised": [*FEATURES_ASKED[:6], 1850, *FEATURES_ASKED[7:]],
    "ask": lambda values: 5.0 * values[6],
    "slower_ms": 3750.0,
    "rmse_model": 5600.0,
    "rmse_fc_average": 7000.0,
    "ahead": pd.Series([4.0, -1.0, 3.0, 2.0] * 25),
    "ws": SimpleNamespace(name=lambda purpose: f"fulfillment-amber-falcon-{purpose}"),
    "quiet_means": np.linspace(-600, 400, 50),
    "drifted_means": np.linspace(-5200, -2600, 50),
    "datapoints": 2,
    "periods": 2,
}
ANSWERS = {
    lab1.features: ("chosen",),
    lab1.batching: ("objects_per_hour",),
    lab1.stray: ("is_sample",),
    lab2.split: ("train", "validation", "test"),
    lab2.noise_floor: ("floor_ms",),
    lab2.imputation: ("medians",),
    lab2.hyperparameters: ("xgboost_hyperparameters",),
    lab3.rights: ("actions",),
    lab3.question: ("raised", "slower_ms"),
    lab3.worth: ("better_percent",),
    lab3.chance: ("standard_errors",),
    lab4.threshold: ("threshold_ms",),
    lab4.periods: ("datapoints", "periods"),
    lab4.decision: ("is_better",),
    lab4.pattern: ("pattern",),
}


class NothingToShow:
    def __repr__(self):
        raise RuntimeError("no repr")


class NothingToCompare:
    def __eq__(self, other):
        raise RuntimeError("no comparison")

    __hash__ = None


itself = []
itself.append(itself)
ODD = {
    "None": None,
    "True": True,
    "text": "many",
    "no text": "",
    "bytes": b"many",
    "complex": 7j,
    "object": object(),
    "NaN": math.nan,
    "infinity": math.inf,
    "Decimal": Decimal("NaN"),
    "too large for a float": 10**400,
    "more digits than Python prints": 10**5000,
    "empty list": [],
    "list of None": [None],
    "list of lists": [[1]],
    "list that holds itself": itself,
    "list of NaN": [math.nan] * 12,
    "list of a table": [TABLE],
    "twelve letters": list("abcdefghijkl"),
    "set": {1, 2},
    "range": range(12),
    "slice": slice(1),
    "empty dictionary": {},
    "dictionary": {"a": 1},
    "numbers of no kind": {"num_round": math.nan, "early_stopping_rounds": "1", "max_depth": None, "eta": 1j},
    "pattern of a number": {"source": [{"prefix": 3}]},
    "pattern of nothing": {"source": [{}], "detail": {1: 2}},
    "array": np.array([1.0, 2.0]),
    "array of one": np.array(3.0),
    "column": pd.Series([1, 2]),
    "column of texts": TABLE.median(numeric_only=True).astype(str),
    "table": TABLE,
    "table without rows": TABLE.head(0),
    "table of nothing": pd.DataFrame(),
    "class": dict,
    "lambda": lambda: 1,
    "function that fails": lambda *values: 1 / 0,
    "function that says None": lambda *values: None,
    "function that says an array": lambda *values: np.array([1, 2]),
    "function that says a table": lambda *values: TABLE,
    "shows nothing": NothingToShow(),
    "in a list, shows nothing": [NothingToShow()],
    "cannot be compared": NothingToCompare(),
}
CASES = [(exercise, name) for exercise, names in ANSWERS.items() for name in names]


def test_every_exercise_is_tried():
    assert set(ANSWERS) == {*lab1.EXERCISES, *lab2.EXERCISES, *lab3.EXERCISES, *lab4.EXERCISES}


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
@pytest.mark.parametrize(("exercise", "name"), CASES, ids=[f"{exercise.name}-{name}" for exercise, name in CASES])
def test_an_odd_answer_gets_a_sentence(exercise, name, odd):
    said = exercise.judge(RIGHT | {name: odd})
    assert said.outcome is Outcome.INCORRECT, said.message
    assert said.message.rstrip("\n").endswith("helps.") and "Traceback" not in said.message
