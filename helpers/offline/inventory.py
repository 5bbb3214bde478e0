"""What the offline AWS holds: how many of each resource, and how much room they take."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

# What is counted: name -> (moto's package, attribute of its backend that holds the resources).
COUNTED: dict[str, tuple[str, str]] = {
    "buckets": ("s3", "buckets"),
    "topics": ("sns", "topics"),
    "streams": ("firehose", "delivery_streams"),
    "functions": ("awslambda", "_lambdas"),
    "apis": ("apigateway", "apis"),
    "training_jobs": ("sagemaker", "training_jobs"),
    "models": ("sagemaker", "_models"),
    "endpoints": ("sagemaker", "endpoints"),
    "alarms": ("cloudwatch", "alarms"),
    "dashboards": ("cloudwatch", "dashboards"),
    "log_groups": ("logs", "groups"),
    "roles": ("iam", "roles"),
}


def count(account_id: str) -> dict[str, int]:
    """Number of resources by kind, over all regions; kinds without any are left out."""
    numbers = {name: _count(account_id, package, attribute) for name, (package, attribute) in COUNTED.items()}
    return {name: number for name, number in numbers.items() if number}


def _count(account_id: str, package: str, attribute: str) -> int:
    from moto.backends import get_backend

    total = 0
    for backend in list(get_backend(package)[account_id].values()):
        held: Any = getattr(backend, attribute, None)
        if attribute == "_lambdas":
            held = getattr(held, "_functions", None)
        if held is not None:
            total += len(held)
    return total


def state_bytes(directory: Path) -> int:
    return _tree_bytes(directory / "state", os.scandir)


def object_bytes(directory: Path) -> int:
    return _tree_bytes(directory / "objects", os.scandir)


def _tree_bytes(directory: Path, scan: Callable[[Path], Any]) -> int:
    total = 0
    try:
        with scan(directory) as entries:
            for entry in entries:
                total += _tree_bytes(Path(entry.path), scan) if entry.is_dir() else entry.stat().st_size
    except FileNotFoundError:
        return 0
    return total
