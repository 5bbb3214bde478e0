"""EventBridge events of SageMaker: the state of a training job, a tuning job or an endpoint changed."""

from __future__ import annotations

import logging
from typing import Any

from helpers.offline.kernel import AwsError, Kernel

log = logging.getLogger("offline.sagemaker")


def with_tags(description: dict[str, Any], tags: list[dict[str, str]]) -> dict[str, Any]:
    """The detail of a job's event: its description, and its tags as a map."""
    return description | {"Tags": {tag["Key"]: tag["Value"] for tag in tags}}


def emit(kernel: Kernel, region: str, what: str, detail: dict[str, Any], arn: str) -> None:
    """`what` is "Training Job", "HyperParameter Tuning Job", "Endpoint" or "Endpoint Deployment"."""
    try:
        kernel.ports.events.emit(
            kernel.account_id,
            region,
            "aws.sagemaker",
            f"SageMaker {what} State Change",
            in_milliseconds(detail),
            [arn],
        )
    except AwsError as error:
        log.info("no event is sent: %s", error.message)


def in_milliseconds(value: Any) -> Any:
    """The times of a description (seconds), as events carry them."""
    if isinstance(value, dict):
        return {
            name: int(entry * 1000) if name.endswith("Time") and isinstance(entry, float) else in_milliseconds(entry)
            for name, entry in value.items()
        }
    return [in_milliseconds(entry) for entry in value] if isinstance(value, list) else value
