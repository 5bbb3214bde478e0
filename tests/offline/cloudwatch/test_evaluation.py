"""AWS's own examples of how alarms treat missing data, one by one."""

import pytest

from helpers.offline.services.cloudwatch.evaluation import next_state

KEEP = None
INSUFFICIENT = "INSUFFICIENT_DATA"
# Points (newest right; 0 fine, X breaching, - missing), then the state for missing, ignore, breaching, notBreaching.
THREE_OF_THREE = [
    ("0 - X - X", "OK", "OK", "OK", "OK"),
    ("0 - - - -", "OK", "OK", "OK", "OK"),
    ("- - - - -", INSUFFICIENT, KEEP, "ALARM", "OK"),
    ("0 X X - X", "ALARM", "ALARM", "ALARM", "ALARM"),
    ("- - X - -", "ALARM", KEEP, "ALARM", "OK"),
]
TWO_OF_THREE = [
    ("0 - X - X", "ALARM", "ALARM", "ALARM", "ALARM"),
    ("0 0 X 0 X", "ALARM", "ALARM", "ALARM", "ALARM"),
    ("0 - X - -", "OK", "OK", "ALARM", "OK"),
    ("- - - - 0", "OK", "OK", "ALARM", "OK"),
    ("- - - X -", "ALARM", KEEP, "ALARM", "OK"),
]
ROWS = [(3, *row) for row in THREE_OF_THREE] + [(2, *row) for row in TWO_OF_THREE]
TREATMENTS = ("missing", "ignore", "breaching", "notBreaching")
CASES = [
    pytest.param(m, text, treatment, expected, id=f"{m} of 3: {text} {treatment}")
    for m, text, *states in ROWS
    for treatment, expected in zip(TREATMENTS, states, strict=True)
]


def points_of(text):
    return [{"0": False, "X": True, "-": None}[mark] for mark in text.split()]


@pytest.mark.parametrize(("m", "text", "treatment", "expected"), CASES)
def test_the_truth_table(m, text, treatment, expected):
    assert next_state(points_of(text), 3, m, treatment) == expected


@pytest.mark.parametrize("text", ["- - - - X", "- - - X -"])
def test_one_fresh_breaching_point_is_no_alarm_yet(text):
    assert next_state(points_of(text), 3, 3, "missing") is None
