"""Checks of lab 4: threshold and periods between noise and drift, the right events, a careful decision."""

import math
from numbers import Integral

import numpy as np

from helpers.checks.exercise import IncorrectError, exercise, holds, number, wrong
from helpers.checks.exercise import summary as show_summary

FALSE_ALARMS = 0.001  # share of quiet periods that may be over the threshold
MISSED = 0.02  # share of drifted periods that may be within it


@exercise(
    "lab4.threshold",
    "Set the alarm's threshold",
    [
        "Look at the two ranges: where do quiet periods end, and where do periods in peak season begin?",
        "A threshold near the quiet periods gives false alarms; one near the drifted ones gives late alarms.",
        "Take a round number about half-way between the two, with its sign.",
    ],
    "threshold_ms = -2500",
)
def threshold(threshold_ms: object, quiet_means: object, drifted_means: object) -> str:
    number("threshold_ms", threshold_ms, "one number in milliseconds is needed.")
    quiet, drifted = np.asarray(quiet_means, dtype=float), np.asarray(drifted_means, dtype=float)
    if threshold_ms > 0:
        wrong("threshold_ms", threshold_ms, "in peak season the predictions are too short: which sign has that error?")
    false_alarms, missed = float(np.mean(quiet < threshold_ms)), float(np.mean(drifted >= threshold_ms))
    if false_alarms > FALSE_ALARMS:
        wrong("threshold_ms", threshold_ms, f"{false_alarms:.1%} of the quiet periods would raise an alarm.")
    if missed > MISSED:
        wrong("threshold_ms", threshold_ms, f"{missed:.0%} of the periods in peak season would pass unnoticed.")
    return "Quiet periods stay above it, periods in peak season fall below it."


SMALL_DRIFT_MS = -500  # the threshold of the second question
MOST_FALSE, LONGEST_DELAY_S, PERIOD_S = 0.1, 20, 10


@exercise(
    "lab4.periods",
    "Choose how many periods must agree",
    [
        "The alarm cannot come before so many periods are over: 20 seconds are two periods of 10 seconds.",
        "So `datapoints` is at most 2. Of 3 periods, two are low by chance too often: of how many are they rarer?",
        "`in_alarm(quiet_means, -500, datapoints, periods).mean()` tells the share of false alarms for any choice.",
    ],
    "datapoints, periods = 2, 2",
)
def periods(datapoints: object, periods: object, quiet_means: object, drifted_means: object) -> str:
    for name, value in {"datapoints": datapoints, "periods": periods}.items():
        if isinstance(value, bool) or not isinstance(value, Integral) or value < 1:
            wrong(name, value, "a whole number from 1 on is needed.")
    if datapoints > periods:
        wrong("datapoints", datapoints, f"of {periods} periods there cannot be so many.")
    quiet, drifted = np.asarray(quiet_means, dtype=float), np.asarray(drifted_means, dtype=float)
    if periods > len(quiet):
        wrong("periods", periods, f"there are only {len(quiet)} quiet periods to look at.")
    false_alarms = float(np.mean(_in_alarm(quiet < SMALL_DRIFT_MS, datapoints, periods)))
    if false_alarms >= MOST_FALSE:
        raise IncorrectError(f"With {datapoints} of {periods}, {false_alarms:.0%} of the quiet periods raise an alarm.")
    seen = np.concatenate([np.zeros(periods, dtype=bool), drifted < SMALL_DRIFT_MS])
    alarms = np.flatnonzero(_in_alarm(seen, datapoints, periods))
    delay_s = PERIOD_S * int(alarms[0]) if len(alarms) else math.inf
    if delay_s > LONGEST_DELAY_S:
        raise IncorrectError(f"With {datapoints} of {periods}, the alarm comes after {delay_s:.0f} s.")
    return f"{false_alarms:.0%} of the quiet periods raise an alarm, and peak season is found after {delay_s} s."


def _in_alarm(below: np.ndarray, datapoints: int, periods: int) -> np.ndarray:
    """For each stretch of so many periods: whether so many datapoints of it are below the threshold."""
    return np.convolve(below.astype(int), np.ones(periods, dtype=int), "valid") >= datapoints


JOB, ENDPOINT = "SageMaker Training Job State Change", "SageMaker Endpoint State Change"
EVENTS = {  # an event as EventBridge gets it, and whether the function should be called for it
    "a retraining job of yours is completed": (JOB, "{jobs}20260101", "Completed", True),
    "a retraining job of yours has begun": (JOB, "{jobs}20260101", "InProgress", False),
    "a retraining job of yours has failed": (JOB, "{jobs}20260101", "Failed", False),
    "another training job of yours is completed": (JOB, "{prefix}xgboost-1", "Completed", False),
    "somebody else's retraining job is completed": (JOB, "fulfillment-other-name-retraining-1", "Completed", False),
    "an endpoint has changed": (ENDPOINT, "{jobs}20260101", "Completed", False),
}


@exercise(
    "lab4.pattern",
    "Write the event pattern",
    [
        "A pattern has the shape of the event; each field holds a list of the values that fit.",
        "The source of SageMaker's events is `aws.sagemaker`; the detail type stands in the event above.",
        'Inside `detail`: `"TrainingJobStatus": ["Completed"]`, and for names that begin alike '
        '`"TrainingJobName": [{"prefix": ...}]`.',
    ],
    """
    pattern = {
        "source": ["aws.sagemaker"],
        "detail-type": ["SageMaker Training Job State Change"],
        "detail": {
            "TrainingJobName": [{"prefix": ws.name("retraining-")}],
            "TrainingJobStatus": ["Completed"],
        },
    }
    """,
)
def pattern(pattern: object, ws: object) -> str:
    if not isinstance(pattern, dict) or not pattern:
        wrong("pattern", pattern, "a dictionary is needed, with the shape of the event.")
    for described, (kind, job, status, expected) in EVENTS.items():
        name = job.format(jobs=ws.name("retraining-"), prefix=ws.name(""))
        detail = {"TrainingJobName": name, "TrainingJobStatus": status}
        event = {"source": "aws.sagemaker", "detail-type": kind, "detail": detail}
        if fits(event, pattern) != expected:
            raise IncorrectError(f"`pattern` {'does not fit' if expected else 'also fits'} this event: {described}.")
    foreign = {"source": "my.test", "detail-type": JOB, "detail": {"TrainingJobName": ws.name("retraining-1")}}
    foreign["detail"]["TrainingJobStatus"] = "Completed"
    if fits(foreign, pattern):
        raise IncorrectError("`pattern` also fits an event of another source than SageMaker.")
    return "It fits the completion of your retraining jobs, and nothing else."


def fits(event: dict, pattern: dict) -> bool:
    """Whether an event fits a pattern of exact values and prefixes (the part of EventBridge's language used here).

    Raises IncorrectError for a pattern that EventBridge would refuse.
    """
    for field, allowed in pattern.items():
        if isinstance(allowed, dict):
            if not isinstance(event.get(field), dict) or not fits(event[field], allowed):
                return False
        elif not isinstance(allowed, list):
            wrong(f"pattern[...]['{field}']", allowed, "EventBridge wants a list of the values that fit.")
        elif not any(_value_fits(event.get(field), one) for one in allowed):
            return False
    return True


def _value_fits(value: object, allowed: object) -> bool:
    if isinstance(allowed, dict):
        prefix = allowed.get("prefix", "")
        if not isinstance(prefix, str):
            wrong("pattern[...]['prefix']", prefix, "a prefix is a text.")
        return isinstance(value, str) and "prefix" in allowed and value.startswith(prefix)
    return value == allowed


@exercise(
    "lab4.decision",
    "Decide whether to promote",
    [
        "Smaller is better. What should happen when both are equal?",
        "The error is measured on a few hundred samples, so a tiny gain may be chance: ask for at least one percent.",
    ],
    """
    def is_better(new_ms, live_ms):
        return new_ms < 0.99 * live_ms
    """,
)
def decision(is_better: object) -> str:
    cases = (
        (8000.0, 10000.0, True, "the new error is clearly smaller"),
        (10000.0, 8000.0, False, "the new error is larger"),
        (9000.0, 9000.0, False, "both are equal"),
        (8990.0, 9000.0, False, "the gain is so small that it may be chance"),
        (4900.0, 5000.0, True, "the new error is smaller by two percent"),
    )
    for new_ms, live_ms, expected, why in cases:
        answer = holds("is_better", is_better, new_ms, live_ms)
        if answer != expected:
            wrong(f"is_better({new_ms:.0f}, {live_ms:.0f})", answer, f"{why}.")
    return "It promotes what is better by enough, and leaves the rest alone."


EXERCISES = (threshold, periods, decision, pattern)


def summary() -> None:
    """Shows which exercises of lab 4 are done."""
    show_summary("Lab 4", EXERCISES)
