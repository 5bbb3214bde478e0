"""Resource Groups Tagging: resources by their tags."""

from __future__ import annotations

from helpers.offline.kernel import Kernel, Support
from helpers.offline.services.tagging.apis import include_apis

OPERATIONS: dict[str, Support] = {
    "GetResources": Support("real"),
    "GetTagKeys": Support("real"),
    "GetTagValues": Support("real"),
    "TagResources": Support("real"),
    "UntagResources": Support("real"),
}


def install(kernel: Kernel) -> None:
    """It has no state but its pages; what it changes belongs to the tagged services, and is kept with them."""
    include_apis()
