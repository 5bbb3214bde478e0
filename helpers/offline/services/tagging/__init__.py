"""Resource Groups Tagging: resources by their tags."""

from __future__ import annotations

from helpers.offline.kernel import Kernel, Support

OPERATIONS: dict[str, Support] = {
    "GetResources": Support("real"),
    "GetTagKeys": Support("real"),
    "GetTagValues": Support("real"),
    "TagResources": Support("real"),
    "UntagResources": Support("real"),
}


def install(kernel: Kernel) -> None:
    """Nothing to hook in: moto answers."""
