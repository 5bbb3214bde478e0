"""The checks of lab 4 accept what is right, say what is wrong, and leave blanks alone."""

from types import SimpleNamespace

import numpy as np
import pytest

from helpers.checks import Outcome, ____, lab4
from helpers.resources import retraining

WS = SimpleNamespace(name=lambda purpose: f"fulfillment-amber-falcon-{purpose}")
QUIET, DRIFTED = np.linspace(-600, 400, 50), np.linspace(-5200, -2600, 50)


def verdict(exercise, expected, *words, **variables):
    said = exercise.judge(variables)
    assert said.outcome is expected, said.message
    assert all(word in said.message for word in words), said.message


@pytest.mark.parametrize("exercise", lab4.EXERCISES, ids=lambda each: each.name)
def test_blanks_are_not_attempted(exercise):
    verdict(exercise, Outcome.NOT_ATTEMPTED, **dict.fromkeys(exercise.variables, ____))


@pytest.mark.parametrize("exercise", lab4.EXERCISES, ids=lambda each: each.name)
@pytest.mark.parametrize("nonsense", [None, "many", [1, 2], {"a": 1}, {"source": "aws.sagemaker"}, 7j, object()])
def test_nonsense_is_never_correct_and_never_raises(exercise, nonsense):
    known = {"quiet_means": QUIET, "drifted_means": DRIFTED, "ws": WS, "periods": 3}
    variables = known | {exercise.variables[0]: nonsense}
    assert exercise.judge(variables).outcome in (Outcome.INCORRECT, Outcome.UNCHECKABLE)


@pytest.mark.parametrize(
    ("threshold", "expected", "words"),
    [
        (-1500, Outcome.CORRECT, ""),
        (-2000.0, Outcome.CORRECT, ""),
        (1500, Outcome.INCORRECT, "sign"),
        (-100, Outcome.INCORRECT, "quiet periods"),
        (-4000, Outcome.INCORRECT, "unnoticed"),
        (float("nan"), Outcome.INCORRECT, "number"),
    ],
)
def test_the_threshold_lies_between_noise_and_drift(threshold, expected, words):
    verdict(lab4.threshold, expected, words, threshold_ms=threshold, quiet_means=QUIET, drifted_means=DRIFTED)


@pytest.mark.parametrize(
    ("datapoints", "periods", "expected", "words"),
    [
        (2, 3, Outcome.CORRECT, "after 20 s"),
        (2, 2, Outcome.CORRECT, "after 20 s"),
        (1, 1, Outcome.INCORRECT, "quiet periods raise an alarm"),
        (3, 5, Outcome.INCORRECT, "after 30 s"),
        (4, 3, Outcome.INCORRECT, "cannot be so many"),
        (2, 51, Outcome.INCORRECT, "only 50 quiet periods"),
        (0, 1, Outcome.INCORRECT, "whole number"),
        (2, 3.0, Outcome.INCORRECT, "whole number"),
    ],
)
def test_periods_trade_false_alarms_for_delay(datapoints, periods, expected, words):
    quiet = np.where(np.arange(50) % 5 == 0, -600.0, 100.0)  # one of five quiet periods lies below -500
    answers = {"datapoints": datapoints, "periods": periods, "quiet_means": quiet, "drifted_means": DRIFTED}
    verdict(lab4.periods, expected, words, **answers)


def test_the_pattern_that_the_course_uses_is_right():
    verdict(lab4.pattern, Outcome.CORRECT, pattern=retraining.completed(WS), ws=WS)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"detail": {"TrainingJobStatus": ["Completed"]}}, "also fits"),
        ({"detail": {"TrainingJobName": [{"prefix": WS.name("retraining-")}]}}, "has begun"),
        ({"detail-type": ["SageMaker Endpoint State Change"]}, "does not fit"),
        ({"source": "aws.sagemaker"}, "list of the values"),
        ({"source": ["aws.sagemaker", "my.test"]}, "source"),
    ],
)
def test_patterns_that_fit_too_much_or_too_little_are_told(changes, words):
    verdict(lab4.pattern, Outcome.INCORRECT, words, pattern={**retraining.completed(WS), **changes}, ws=WS)


def test_a_pattern_without_a_source_is_told():
    pattern = {key: value for key, value in retraining.completed(WS).items() if key != "source"}
    verdict(lab4.pattern, Outcome.INCORRECT, "source", pattern=pattern, ws=WS)


@pytest.mark.parametrize(
    ("rule", "expected", "words"),
    [
        (lambda new, live: new < 0.99 * live, Outcome.CORRECT, ""),
        (lambda new, live: np.bool_(new < 0.99 * live), Outcome.CORRECT, ""),
        (lambda new, live: new < live, Outcome.INCORRECT, "chance"),
        (lambda new, live: new > live, Outcome.INCORRECT, "smaller"),
        (lambda new, live: True, Outcome.INCORRECT, "larger"),
        (lambda new: True, Outcome.INCORRECT, "TypeError"),
        (lambda new, live: ____, Outcome.NOT_ATTEMPTED, "____"),
    ],
)
def test_the_decision_is_tried_on_cases(rule, expected, words):
    verdict(lab4.decision, expected, words, is_better=rule)


def test_the_solutions_are_right():
    known = {"ws": WS, "quiet_means": QUIET, "drifted_means": DRIFTED}
    known["quiet_means"] = np.where(np.arange(50) % 5 == 0, -600.0, 100.0)
    for exercise in lab4.EXERCISES:
        exec(exercise.code, known)
        verdict(exercise, Outcome.CORRECT, **known)
