"""The exercises of lab 1 with right, wrong and blank answers."""

import pytest

from helpers.checks import Outcome, ____, lab1
from helpers.fulfillment import COLUMNS, FEATURES


def outcome(exercise, **answers):
    return exercise.judge(answers).outcome


def test_the_solutions_of_all_exercises_are_correct():
    candidates = dict.fromkeys([*COLUMNS, "units_found", "damage_report", "screen_looks"], "meaning")
    for exercise in lab1.EXERCISES:
        names = {"candidates": candidates}
        exec(exercise.code, names)
        assert exercise.judge(names).outcome is Outcome.CORRECT, exercise.name


@pytest.mark.parametrize(
    ("chosen", "why"),
    [
        (list(COLUMNS), "what the model has to predict"),
        ([*FEATURES, "screen_looks"], "'screen_looks' is not known before"),
        (FEATURES[:-2], "2 more columns"),
        ("duration", "a list is needed"),
    ],
)
def test_a_wrong_choice_of_features_is_told_why(chosen, why):
    verdict = lab1.features.judge({"chosen": chosen})
    assert verdict.outcome is Outcome.INCORRECT
    assert why in verdict.message


@pytest.mark.parametrize("answer", [720_000, 0.2, 103, "many", None])
def test_a_wrong_number_of_objects_is_not_let_pass(answer):
    assert outcome(lab1.batching, objects_per_hour=answer) is Outcome.INCORRECT


@pytest.mark.parametrize(
    "is_sample",
    [
        lambda line: True,
        lambda line: False,
        lambda line: line.count(",") >= 12,
        lambda line: line[:1].isdigit(),
        lambda line: all(cell.isdigit() for cell in line.split(",")[:13]),  # turns samples with a gap away
        lambda line: 1 / 0,
        "not a function",
    ],
)
def test_a_wrong_sieve_for_samples_is_not_let_pass(is_sample):
    assert outcome(lab1.stray, is_sample=is_sample) is Outcome.INCORRECT


@pytest.mark.parametrize("exercise", lab1.EXERCISES, ids=lambda each: each.name)
def test_blanks_are_not_attempted(exercise):
    answers = dict.fromkeys(exercise.variables, ____)
    assert exercise.judge(answers).outcome is Outcome.NOT_ATTEMPTED
    assert exercise.judge({"is_sample": lambda line: ____} | {}).outcome is Outcome.NOT_ATTEMPTED


def test_hints_do_not_hold_the_solution():
    for exercise in lab1.EXERCISES:
        assert exercise.hints
        assert not any(exercise.code in hint for hint in exercise.hints)
