"""What the offline AWS holds: how many of each resource, and how much room they take."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

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


# Where services keep what is not in their snapshot or journal, below the workspace.
_FOLDERS = {"objects": "s3", "uploads": "s3", "firehose": "firehose", "functions": "lambda", "sagemaker": "sagemaker"}
_JOURNALS = {"objects": "s3", "messages": "sqs", "metrics": "monitoring", "capture": "sagemaker"}
_JOURNALS |= {"published": "sns", "usage": "apigateway"}


def service_bytes(directory: Path) -> dict[str, int]:
    """Signing name -> bytes on disk: snapshot, journals, objects, unpacked code, jobs. What is set aside by itself."""
    sizes: dict[str, int] = {}
    for path in (directory / "state").glob("*"):
        name = path.stem.partition("-")[0] if path.suffix == ".journal" else path.stem
        service = _JOURNALS.get(name, name)
        sizes[service] = sizes.get(service, 0) + _file_bytes(path)
    for folder, service in _FOLDERS.items():
        if held := _tree_bytes(directory / folder, os.scandir):
            sizes[service] = sizes.get(service, 0) + held
    if aside := _tree_bytes(directory / "set-aside", os.scandir):
        sizes["set-aside"] = aside
    return dict(sorted(sizes.items(), key=lambda entry: -entry[1]))


def processes() -> dict[str, int]:
    """Processes of functions and jobs beside the server's own, by kind, and their memory in MB (shared pages twice)."""
    counts: dict[str, int] = {}
    memory = 0
    for child in psutil.Process().children(recursive=True):
        try:
            command, held = " ".join(child.cmdline()), child.memory_info().rss
        except psutil.Error:
            continue
        kind = "training" if "sagemaker" in command else "functions"
        counts[kind] = counts.get(kind, 0) + 1
        memory += held
    return counts | ({"memory_mb": round(memory / 1e6)} if counts else {})


def _file_bytes(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _tree_bytes(directory: Path, scan: Callable[[Path], Any]) -> int:
    total = 0
    try:
        with scan(directory) as entries:
            for entry in entries:
                is_folder = entry.is_dir(follow_symlinks=False)
                total += _tree_bytes(Path(entry.path), scan) if is_folder else _file_bytes(Path(entry.path))
    except (FileNotFoundError, NotADirectoryError):
        return total
    return total
