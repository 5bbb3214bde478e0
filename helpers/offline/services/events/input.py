"""What a target gets of an event: all of it, a part, a constant, or a text with parts filled in."""

from __future__ import annotations

import json
import re
from typing import Any

STEP = re.compile(r"([^.\[\]]+)|\[(\d+)\]")
PLACEHOLDER = re.compile(r'"<([\w.-]+)>"|<([\w.-]+)>')


def input_of(target: dict[str, Any], event: dict[str, Any], rule_arn: str = "") -> str:
    """The target's input as JSON text (a template may also give plain text)."""
    if target.get("Input") is not None:
        return target["Input"]
    if target.get("InputPath"):
        return json.dumps(part(event, target["InputPath"]))
    transformer = target.get("InputTransformer")
    if transformer:
        reserved = reserved_of(event, rule_arn)
        return filled(transformer["InputTemplate"], transformer.get("InputPathsMap", {}), event, reserved)
    return json.dumps(event)


def part(event: dict[str, Any], path: str) -> Any:
    """The value at `$.detail.name` or `$.resources[0]`; None where there is none."""
    value: Any = event
    for name, position in STEP.findall(path.removeprefix("$")):
        if position:
            value = value[int(position)] if isinstance(value, list) and int(position) < len(value) else None
        else:
            value = value.get(name) if isinstance(value, dict) else None
    return value


def reserved_of(event: dict[str, Any], rule_arn: str) -> dict[str, Any]:
    """https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html#eb-transform-input-predefined"""
    return {
        "aws.events.rule-arn": rule_arn,
        "aws.events.rule-name": rule_arn.rpartition("/")[2],
        "aws.events.event.ingestion-time": event.get("time"),
        "aws.events.event": {name: value for name, value in event.items() if name != "detail"},
        "aws.events.event.json": event,
    }


def filled(template: str, paths: dict[str, str], event: dict[str, Any], reserved: dict[str, Any] | None = None) -> str:
    """`<name>` becomes the value at its path, as JSON; within quotes as plain text."""

    def value(match: re.Match[str]) -> str:
        quoted, bare = match.groups()
        name = quoted or bare
        found = reserved[name] if reserved and name in reserved else part(event, paths.get(name, f"$.{name}"))
        if quoted:
            return json.dumps(found if isinstance(found, str) else json.dumps(found))
        inside_text = template[: match.start()].count('"') % 2 == 1
        return found if inside_text and isinstance(found, str) else json.dumps(found)

    return PLACEHOLDER.sub(value, template)
