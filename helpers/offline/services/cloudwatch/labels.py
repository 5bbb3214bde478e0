"""Dynamic labels: values and properties of a metric, filled into the label of its result.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/graph-dynamic-labels.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

from helpers.offline.kernel import AwsError

LIVE = re.compile(r"\$\{(?:([A-Z_]+)|PROP\('([^']+)'\))\}")
NO_DATA = "--"

Points = Sequence[tuple[int, float]]  # (seconds since the epoch, value), oldest first

VALUES: dict[str, Callable[[Points], float]] = {
    "AVG": lambda points: sum(value for _, value in points) / len(points),
    "DATAPOINT_COUNT": lambda points: float(len(points)),
    "FIRST": lambda points: points[0][1],
    "FIRST_LAST_RANGE": lambda points: points[-1][1] - points[0][1],
    "LAST": lambda points: points[-1][1],
    "MAX": lambda points: max(value for _, value in points),
    "MIN": lambda points: min(value for _, value in points),
    "MIN_MAX_RANGE": lambda points: VALUES["MAX"](points) - VALUES["MIN"](points),
    "SUM": lambda points: sum(value for _, value in points),
}
TIMES: dict[str, Callable[[Points], int]] = {
    "FIRST_TIME": lambda points: points[0][0],
    "LAST_TIME": lambda points: points[-1][0],
    "MAX_TIME": lambda points: max(points, key=lambda point: point[1])[0],
    "MIN_TIME": lambda points: min(points, key=lambda point: point[1])[0],
}


def filled(label: str, points: Points, default: str, properties: Mapping[str, str]) -> str:
    """`label` with what it names; unknown names stay. Raises AwsError NotImplemented for spans of time."""

    def value(match: re.Match[str]) -> str:
        name, wanted = match.groups()
        if wanted is not None:
            return properties.get(wanted, match[0])
        if name == "LABEL":
            return default
        if name.endswith(("_RELATIVE", "_TIME_RANGE")):
            raise AwsError("NotImplemented", f"The offline AWS's dynamic labels have no {match[0]}.", 501)
        if name == "DATAPOINT_COUNT" or (name in VALUES and points):
            return number(VALUES[name](points))
        if name in TIMES and points:
            return datetime.fromtimestamp(TIMES[name](points), UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        return NO_DATA if name in VALUES or name in TIMES else match[0]

    return LIVE.sub(value, label)


def number(value: float) -> str:
    """With three decimals at the most."""
    return f"{value:.3f}".rstrip("0").rstrip(".")
