"""Pages of Application Auto Scaling's Describe operations: MaxResults and NextToken."""

from __future__ import annotations

from typing import Any

from helpers.offline.kernel import AwsError

MOST = 50  # https://docs.aws.amazon.com/autoscaling/application/APIReference/API_DescribeScalableTargets.html


def paged(request: dict[str, Any], member: str, items: list[dict[str, Any]], key: str) -> dict[str, Any]:
    """The items after the one whose `key` the token tells. Raises AwsError for a token of an item that is not there."""
    token, size = request.get("NextToken"), min(MOST, max(1, request.get("MaxResults") or MOST))
    keys = [item[key] for item in items]
    if token is not None and token not in keys:
        raise AwsError("InvalidNextTokenException", "The next token is invalid.")
    start = 0 if token is None else keys.index(token) + 1
    answer: dict[str, Any] = {member: items[start : start + size]}
    if start + size < len(items):
        answer["NextToken"] = keys[start + size - 1]
    return answer
