"""The table of what the offline AWS supports: every operation of every service, and how far it goes."""

from __future__ import annotations

import importlib
import importlib.util
import logging
from pathlib import Path
from types import ModuleType

from helpers.offline.kernel import Support

log = logging.getLogger("offline")

# Package in helpers.offline.services -> the signing name of its service, in the order in which they are installed.
PACKAGES = {
    "s3": "s3",
    "iam": "iam",
    "sts": "sts",
    "tagging": "tagging",
    "sqs": "sqs",
    "logs": "logs",
    "cloudwatch": "monitoring",
    "events": "events",
    "sns": "sns",
    "firehose": "firehose",
    "functions": "lambda",
    "apigateway": "apigateway",
    "sagemaker": "sagemaker",
    "autoscaling": "application-autoscaling",
}

DOCUMENT = Path(__file__).parents[2] / "docs" / "offline-aws.md"
MARK = "<!-- Below: made by `python -m helpers.offline operations --write` -->"

# Signing name -> operation -> Support. Filled by `collect`.
OPERATIONS: dict[str, dict[str, Support]] = {}


def collect() -> dict[str, ModuleType]:
    """Imports the service packages that exist and fills OPERATIONS. Returns the packages by name."""
    modules = {}
    for package, signing_name in PACKAGES.items():
        name = f"helpers.offline.services.{package}"
        spec = importlib.util.find_spec(name)
        if spec is None or spec.origin is None:
            continue
        module = importlib.import_module(name)
        modules[package] = module
        OPERATIONS.setdefault(signing_name, {}).update(module.OPERATIONS)
    return modules


def document(current: str) -> str:
    """docs/offline-aws.md with the table as it now is, below what people wrote."""
    written, mark, _ = current.partition(MARK)
    return written + (mark or MARK) + "\n\n" + as_markdown().rstrip() + "\n"


def as_markdown() -> str:
    """The table for docs/offline-aws.md: one section per service, one row per operation."""
    modules = collect()
    lines: list[str] = []
    for package, module in modules.items():
        signing_name = PACKAGES[package]
        supported = OPERATIONS[signing_name]
        lines += [f"### {(module.__doc__ or package).strip().splitlines()[0].rstrip('.')}", ""]
        lines += ["| operation | offline | remark |", "|---|---|---|"]
        for operation, support in sorted(supported.items()):
            remark = support.note.replace("|", "\\|")
            lines.append(f"| `{signing_name}:{operation}` | {support.level} | {remark} |")
        lines.append("")
    return "\n".join(lines)
