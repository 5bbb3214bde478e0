"""SageMaker's checks of a request's members, which clients leave to the service: patterns, maxima, enums."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from helpers.offline.kernel import AwsError

Shape = dict[str, Any]


@lru_cache(4)
def shapes(model: str) -> dict[str, Shape]:
    """botocore's service model, without its documentation."""
    from botocore.loaders import Loader

    loaded = Loader().load_service_model(model, "service-2")
    inputs = {name: operation.get("input", {}).get("shape") for name, operation in loaded["operations"].items()}
    kept = {name: _bare(shape) for name, shape in loaded["shapes"].items()}
    kept["/inputs"] = inputs
    return kept


def _bare(shape: Shape) -> Shape:
    return {name: value for name, value in shape.items() if name != "documentation"} | (
        {"members": {name: {"shape": member["shape"]} for name, member in shape["members"].items()}}
        if "members" in shape
        else {}
    )


def check(operation: str, request: dict[str, Any], model: str = "sagemaker") -> None:
    """Raises AwsError ValidationException that lists everything that is wrong."""
    known = shapes(model)
    shape = known["/inputs"].get(operation)
    problems: list[str] = []
    if shape:
        _structure(known, known[shape], request, "", problems)
    if problems:
        count = f"{len(problems)} validation error{'s' if len(problems) > 1 else ''} detected: "
        raise AwsError("ValidationException", count + "; ".join(problems))


def _structure(known: dict[str, Shape], shape: Shape, value: Any, path: str, problems: list[str]) -> None:
    if not isinstance(value, dict):
        problems.append(_problem(value, path, "Member must be a structure"))
        return
    for name in shape.get("required", ()):
        if value.get(name) is None:
            problems.append(f"Value null at '{_at(path, name)}' failed to satisfy constraint: Member must not be null")
    for name, member in value.items():
        if name in shape["members"] and member is not None:
            _value(known, known[shape["members"][name]["shape"]], member, _at(path, name), problems)


def _value(known: dict[str, Shape], shape: Shape, value: Any, path: str, problems: list[str]) -> None:
    match shape["type"]:
        case "structure":
            _structure(known, shape, value, path, problems)
        case "list":
            _length(shape, value, path, problems)
            member = known[shape["member"]["shape"]]
            for position, entry in enumerate(value, start=1):
                _value(known, member, entry, f"{path}.{position}.member", problems)
        case "map":
            _length(shape, value, path, problems)
            _map(known, shape, value, path, problems)
        case "string":
            problems += [_problem(value, path, text) for text in _of_string(shape, value)]
        case "integer" | "long" | "float" | "double":
            problems += [_problem(value, path, text) for text in _of_number(shape, value)]


def _map(known: dict[str, Shape], shape: Shape, value: dict[str, Any], path: str, problems: list[str]) -> None:
    for kind, entries in (("keys", value), ("value", value.values())):
        of = known[shape["key" if kind == "keys" else "value"]["shape"]]
        if of["type"] != "string":
            continue
        for entry in entries:
            failed = _of_string(of, entry)
            if failed:
                texts = ", ".join(_all_of_string(of))
                problems.append(_problem(value, path, f"Map {kind} must satisfy constraint: [{texts}]"))
                break


def _of_string(shape: Shape, value: Any) -> list[str]:
    if not isinstance(value, str):
        return ["Member must be a string"]
    found = []
    if "enum" in shape and value not in shape["enum"]:
        found.append(f"Member must satisfy enum value set: [{', '.join(shape['enum'])}]")
    if "max" in shape and len(value) > shape["max"]:
        found.append(f"Member must have length less than or equal to {shape['max']}")
    if len(value) < shape.get("min", 0):
        found.append(f"Member must have length greater than or equal to {shape['min']}")
    if "pattern" in shape and not _matches(shape["pattern"], value):
        found.append(f"Member must satisfy regular expression pattern: {_shown(shape['pattern'])}")
    return found


def _all_of_string(shape: Shape) -> list[str]:
    texts = []
    if "max" in shape:
        texts.append(f"Member must have length less than or equal to {shape['max']}")
    if "min" in shape:
        texts.append(f"Member must have length greater than or equal to {shape['min']}")
    if "pattern" in shape:
        texts.append(f"Member must satisfy regular expression pattern: {shape['pattern']}")
    return texts


def _of_number(shape: Shape, value: Any) -> list[str]:
    if "max" in shape and value > shape["max"]:
        return [f"Member must have value less than or equal to {shape['max']}"]
    if "min" in shape and value < shape["min"]:
        return [f"Member must have value greater than or equal to {shape['min']}"]
    return []


def _length(shape: Shape, value: Any, path: str, problems: list[str]) -> None:
    if "max" in shape and len(value) > shape["max"]:
        problems.append(_problem(value, path, f"Member must have length less than or equal to {shape['max']}"))
    if len(value) < shape.get("min", 0):
        problems.append(_problem(value, path, f"Member must have length greater than or equal to {shape['min']}"))


@lru_cache(512)
def _compiled(pattern: str) -> re.Pattern[str] | None:
    try:
        return re.compile(pattern, re.DOTALL if pattern == ".*" else 0)
    except re.error:  # Java's \p{…}
        return None


def _matches(pattern: str, value: str) -> bool:
    compiled = _compiled(pattern)
    return compiled is None or compiled.fullmatch(value) is not None


def _shown(pattern: str) -> str:
    return pattern if pattern.startswith("^") else "^" + pattern


def _problem(value: Any, path: str, text: str) -> str:
    return f"Value '{value}' at '{path}' failed to satisfy constraint: {text}"


def _at(path: str, name: str) -> str:
    name = name[0].lower() + name[1:]
    return f"{path}.{name}" if path else name
