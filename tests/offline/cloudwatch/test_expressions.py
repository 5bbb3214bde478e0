"""Metric math, function by function."""

import math

import pytest

from helpers.offline.kernel import AwsError
from helpers.offline.services.cloudwatch.expressions import evaluate

M1 = {0: 1.0, 60: 2.0, 120: 4.0}
M2 = {0: 10.0, 120: 20.0}
KNOWN = {"m1": M1, "m2": M2}


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("m1", M1),
        ("m1 + 1", {0: 2, 60: 3, 120: 5}),
        ("-m1", {0: -1, 60: -2, 120: -4}),
        ("m1 ^ 2", {0: 1, 60: 4, 120: 16}),
        ("m1 / m2", {0: 0.1, 120: 0.2}),
        ("m2 / (m1 - 1)", {120: 20 / 3}),  # nothing where the divisor is 0
        ("m1 > 1", {0: 0, 60: 1, 120: 1}),
        ("m1 > 1 && m1 < 4", {0: 0, 60: 1, 120: 0}),
        ("m1 == 1 OR m1 >= 4", {0: 1, 60: 0, 120: 1}),
        ("ABS(0 - m1)", M1),
        ("CEIL(m1 / 3)", {0: 1, 60: 1, 120: 2}),
        ("FLOOR(m1 / 3)", {0: 0, 60: 0, 120: 1}),
        ("LOG10(m2)", {0: 1, 120: math.log10(20)}),
        ("SUM([m1, m2])", {0: 11, 60: 2, 120: 24}),
        ("MAX(METRICS())", {0: 10, 60: 2, 120: 20}),
        ("AVG(METRICS())", {0: 5.5, 60: 2, 120: 12}),
        ("m1 - MIN(m1)", {0: 0, 60: 1, 120: 3}),  # of one series, a number
        ("m1 * 0 + STDDEV(m2)", {0: 5, 60: 5, 120: 5}),
        ("m1 / PERIOD(m1)", {0: 1 / 60, 60: 2 / 60, 120: 4 / 60}),
        ("DIFF(m1)", {60: 1, 120: 2}),
        ("RATE(m1)", {60: 1 / 60, 120: 2 / 60}),
        ("RUNNING_SUM(m1)", {0: 1, 60: 3, 120: 7}),
        ("FILL(m2, 0)", {0: 10, 60: 0, 120: 20}),
        ("FILL(m2, REPEAT)", {0: 10, 60: 10, 120: 20}),
        ("FILL(m2, LINEAR)", {0: 10, 60: 15, 120: 20}),
        ("IF(m1 > 1, m1, 0)", {0: 0, 60: 2, 120: 4}),
        ("IF(m1 > 1, m2)", {120: 20}),
        ("m1 * 0 + METRIC_COUNT(METRICS())", {0: 2, 60: 2, 120: 2}),
        ("m1 * 0 + DATAPOINT_COUNT(m2)", {0: 2, 60: 2, 120: 2}),
        ("MINUTE(m1)", {0: 0, 60: 1, 120: 2}),
        ("TIME_SERIES(7)", {0: 7, 60: 7, 120: 7}),
    ],
)
def test_value(expression, expected):
    assert evaluate(expression, KNOWN, metrics=("m1", "m2")) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("expression", "code", "words"),
    [
        ("m1 +", "ValidationError", "Syntax error"),
        ("m3 * 2", "ValidationError", "m3 is not the Id of a query"),
        ("MAX(m1)", "ValidationError", "one time series"),
        ("METRICS()", "ValidationError", "one time series"),
        ("7", "ValidationError", "one time series"),
        ("MEDIAN(m1)", "ValidationError", "Unsupported function MEDIAN"),
        ("__import__(m1)", "ValidationError", "Unsupported function"),
        ("m1.real", "ValidationError", "is not metric math"),
        ("ABS(m1, m2)", "ValidationError", "does not take 2 arguments"),
        ("SEARCH('x', 'Sum', 60)", "NotImplemented", "SEARCH"),
        ("SELECT AVG(x) FROM y", "NotImplemented", "SELECT"),
        ("ANOMALY_DETECTION_BAND(m1, 2)", "NotImplemented", "ANOMALY_DETECTION_BAND"),
    ],
)
def test_what_cannot_be_evaluated_says_why(expression, code, words):
    with pytest.raises(AwsError, match=words) as caught:
        evaluate(expression, KNOWN, metrics=("m1", "m2"))
    assert caught.value.code == code
