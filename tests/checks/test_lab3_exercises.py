"""The exercises of lab 3 with right, wrong and blank answers."""

import pandas as pd
import pytest

from helpers.checks import Outcome, ____, lab3
from helpers.fulfillment import FEATURES

FEATURES_ASKED = [8535, 212, 140, 61, 1, 388, 1100, 440, 280, 450, 63, 35]
KNOWN = {
    "features": FEATURES_ASKED,
    "FEATURES": FEATURES,
    "ask": lambda values: 5.0 * values[FEATURES.index("bin_location")],
    "rmse_model": 5600.0,
    "rmse_fc_average": 7000.0,
    "ahead": pd.Series([4.0, -1.0, 3.0, 2.0] * 25),
}


def outcome(exercise, **answers):
    return exercise.judge(KNOWN | answers).outcome


def test_the_solutions_of_all_exercises_are_correct():
    for exercise in lab3.EXERCISES:
        names = dict(KNOWN)
        exec(exercise.code, names)
        assert exercise.judge(names).outcome is Outcome.CORRECT, exercise.name


@pytest.mark.parametrize(
    "actions",
    [["*"], ["sagemaker:*"], [], ["sagemaker:InvokeEndpoint", "s3:GetObject"], "sagemaker:CreateEndpoint", 3, [3]],
)
def test_too_many_rights_too_few_and_wrong_ones_are_not_let_pass(actions):
    assert outcome(lab3.rights, actions=actions) is Outcome.INCORRECT


@pytest.mark.parametrize(
    "raised",
    [
        FEATURES_ASKED,
        FEATURES_ASKED[:-1],
        [9, *FEATURES_ASKED[1:6], 1850, *FEATURES_ASKED[7:]],
        [*FEATURES_ASKED[:6], 350, *FEATURES_ASKED[7:]],
    ],
    ids=["unchanged", "one too few", "two changed", "lower"],
)
def test_a_bin_that_is_not_just_higher_is_not_let_pass(raised):
    assert outcome(lab3.question, raised=raised, slower_ms=100.0) is Outcome.INCORRECT


def test_a_difference_that_is_no_number_is_not_let_pass():
    raised = [*FEATURES_ASKED[:6], 1850, *FEATURES_ASKED[7:]]
    assert outcome(lab3.question, raised=raised, slower_ms=float("nan")) is Outcome.INCORRECT
    assert outcome(lab3.question, raised=raised, slower_ms="more") is Outcome.INCORRECT


@pytest.mark.parametrize(("slower_ms", "why"), [(-3750.0, "sign"), (9250.0, "less the one")])
def test_a_number_that_is_not_the_difference_is_told_why(slower_ms, why):
    raised = [*FEATURES_ASKED[:6], 1850, *FEATURES_ASKED[7:]]
    said = lab3.question.judge(KNOWN | {"raised": raised, "slower_ms": slower_ms})
    assert said.outcome is Outcome.INCORRECT and why in said.message


@pytest.mark.parametrize(("answer", "why"), [(0.2, "share"), (-20.0, "sign"), (25.0, "compare"), ("20 %", "number")])
def test_a_wrong_worth_is_told_why(answer, why):
    verdict = lab3.worth.judge(KNOWN | {"better_percent": answer})
    assert verdict.outcome is Outcome.INCORRECT
    assert why in verdict.message


@pytest.mark.parametrize("exercise", lab3.EXERCISES, ids=lambda each: each.name)
def test_blanks_are_not_attempted(exercise):
    asked = [name for name in exercise.variables if name not in KNOWN]
    assert exercise.judge(KNOWN | dict.fromkeys(asked, ____)).outcome is Outcome.NOT_ATTEMPTED
    assert exercise.judge(KNOWN | {name: [____] for name in asked}).outcome is Outcome.NOT_ATTEMPTED


@pytest.mark.parametrize(
    ("answer", "why"), [(1.064, "standard deviations"), (-10.64, "sign"), (2.0, "divide"), ("9", "number")]
)
def test_a_wrong_count_of_standard_errors_is_told_why(answer, why):
    verdict = lab3.chance.judge(KNOWN | {"standard_errors": answer})
    assert verdict.outcome is Outcome.INCORRECT
    assert why in verdict.message
