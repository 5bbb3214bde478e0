"""An alarm's next state from its datapoints, by CloudWatch's rules for missing data.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/AlarmThatSendsEmail.html
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

OK, ALARM, INSUFFICIENT_DATA = "OK", "ALARM", "INSUFFICIENT_DATA"
EXTRA_PERIODS = 2  # the evaluation range is longer than the evaluation periods: 5 for 3 in AWS's examples

COMPARISONS: dict[str, tuple[Callable[[float, float], bool], str]] = {
    "GreaterThanThreshold": (lambda value, threshold: value > threshold, "greater than"),
    "GreaterThanOrEqualToThreshold": (lambda value, threshold: value >= threshold, "greater than or equal to"),
    "LessThanThreshold": (lambda value, threshold: value < threshold, "less than"),
    "LessThanOrEqualToThreshold": (lambda value, threshold: value <= threshold, "less than or equal to"),
}


def next_state(
    points: Sequence[bool | None], evaluation_periods: int, datapoints_to_alarm: int, treat_missing_data: str
) -> str | None:
    """The state that the datapoints ask for; None keeps the present one.

    Parameters
    ----------
    points : breaching (True), not breaching (False) or missing (None), oldest first, over the evaluation range
    treat_missing_data : missing, ignore, breaching or notBreaching
    """
    real = [point for point in reversed(points) if point is not None][:evaluation_periods]
    breaching = sum(real)
    if breaching >= datapoints_to_alarm:
        return ALARM
    gap = evaluation_periods - len(real)
    if gap <= 0 or treat_missing_data == "notBreaching":
        return OK
    if treat_missing_data == "breaching":
        return ALARM if breaching + gap >= datapoints_to_alarm else OK
    if not real:
        return INSUFFICIENT_DATA if treat_missing_data == "missing" else None
    if not all(real):
        return OK
    # Only breaching points, fewer than asked for: an alarm if the oldest is old enough, so that data that stops
    # coming does not keep an alarm from going off.
    age = len(points) - next(position for position, point in enumerate(points) if point is not None)
    return ALARM if treat_missing_data == "missing" and age >= datapoints_to_alarm else None
