"""Which built-in algorithm an image URI names."""

from __future__ import annotations

import re
from dataclasses import dataclass

XGBOOST_VERSIONS = ("3.2-0", "3.0-5", "1.7-1", "1.5-1", "1.3-1", "1.2-2", "1.2-1", "1.0-1")
ONE_LINE = ("1.2-2", "1.2-1", "1.0-1")  # whose answers in CSV are one line, joined by commas
_URI = re.compile(r"(?P<registry>[^/]+)/(?P<repository>[^:@]+)(?::(?P<tag>[^@]+))?(?:@.+)?")


@dataclass(frozen=True, slots=True)
class Image:
    """`algorithm` is xgboost, linear-learner or knn."""

    algorithm: str
    version: str


def built_in(uri: str) -> Image | None:
    """None where the offline AWS does not serve the image."""
    match = _URI.fullmatch(uri)
    if match is None:
        return None
    tag = match["tag"] or "latest"
    match match["repository"]:
        case "sagemaker-xgboost" if tag.removesuffix("-cpu-py3") in XGBOOST_VERSIONS:
            return Image("xgboost", tag.removesuffix("-cpu-py3"))
        case "linear-learner" | "knn" as algorithm if tag in ("1", "latest"):
            return Image(algorithm, "1")
    return None


def why_not(uri: str) -> str:
    """One sentence for an image that `built_in` does not know."""
    return (
        f"The offline AWS cannot run the image {uri}. It runs the built-in algorithms sagemaker-xgboost "
        f"({', '.join(XGBOOST_VERSIONS)}), linear-learner:1 and knn:1."
    )
