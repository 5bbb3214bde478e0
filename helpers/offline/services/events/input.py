"""What a target gets of an event: all of it, a part, a constant, or a text with parts filled in."""

from __future__ import annotations

import json
import re
from typing import Any

STEP = re.compile(r"([^.\[\]]+)|\[(\d+)\]")
PLACEHOLDER = re.compile(r'"<([\w.]+)>"|<([\w.]+)>')


def input_of(target: dict[str, Any], event: dict[str, Any]) -> str:
    """The target's input as JSON text (a template may also give plain text)."""
    if target.get("Input") is not None:
        return target["Input"]
    if target.get("InputPath"):
        return json.dumps(part(event, target["InputPath"]))
    transformer = target.get("InputTransformer")
    if transformer:
        return filled(transformer["InputTemplate"], transformer.get("InputPathsMap", {}), event)
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


def filled(template: str, paths: dict[str, str], event: dict[str, Any]) -> str:
    """`<name>` becomes the value at its path, as JSON; within quotes as plain text."""

    def value(match: re.Match[str]) -> str:
        quoted, bare = match.groups()
        name = quoted or bare
        found = event if name == "aws.events.event" else part(event, paths.get(name, f"$.{name}"))
        if quoted:
            return json.dumps(found if isinstance(found, str) else json.dumps(found))
        inside_text = template[: match.start()].count('"') % 2 == 1
        return found if inside_text and isinstance(found, str) else json.dumps(found)

    return PLACEHOLDER.sub(value, template)
