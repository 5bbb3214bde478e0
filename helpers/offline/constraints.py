"""Checks of a request's members that clients leave to the service: patterns, lengths, bounds, enums.

The rules are those of botocore's service models, the words those of AWS's own validation.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from botocore.model import OperationModel, Shape

from helpers.offline import fallthrough, wire
from helpers.offline.kernel import AwsError, Call

# Signing name -> the code of its validation errors. SNS, SQS, API Gateway and S3 have words of their own.
CODES = {
    "firehose": "ValidationException",
    "lambda": "ValidationException",
    "events": "ValidationException",
    "logs": "InvalidParameterException",
    "iam": "ValidationError",
    "sts": "ValidationError",
    "monitoring": "ValidationError",
    "tagging": "InvalidParameterException",
}
# Members whose rule on AWS is not the model's: the service itself looks at them, in other words.
ELSEWHERE = {
    ("CreateFunction", "functionName"),  # 64 characters for the name, which may stand in an ARN
    ("CreateFunction", "runtime"),  # the services say which runtimes and protocols they have
    ("UpdateFunctionConfiguration", "runtime"),
    ("PutMetricAlarm", "period"),
    ("PutMetricAlarm", "metrics"),
    ("PutDashboard", "dashboardName"),
}

# Shapes that a client may have sent as something else; strings and structures are looked at where their rules are.
KINDS = {"list": list, "map": Mapping} | dict.fromkeys(("integer", "long", "float", "double"), (int, float))


def check_call(call: Call) -> None:
    """Raises AwsError, in the words of the call's service, where a member breaks a rule of the model."""
    code = CODES.get(call.service)
    if code is None:
        return
    operation = operation_of(call)
    shape = operation.input_shape
    if shape is None:
        return
    Findings(call.operation).of(shape, parameters(call, operation)).refuse(code)


def check(operation: str, request: Mapping[str, Any], model: str = "sagemaker") -> None:
    """Raises AwsError ValidationException that lists everything that is wrong."""
    shape = operation_model(model, operation).input_shape
    if shape is not None:
        Findings(operation, anchored=model == "sagemaker").of(shape, request).refuse("ValidationException")


def parameters(call: Call, operation: OperationModel) -> dict[str, Any]:
    """The call's members by their names in the model. Raises AwsError SerializationException for what is not JSON."""
    if call.protocol == "json":
        try:
            request = json.loads(call.body or b"{}")
        except ValueError:
            raise AwsError("SerializationException", "The request is not JSON.") from None
        if not isinstance(request, dict):
            raise AwsError("SerializationException", "The request is not a JSON object.")
        return request
    from moto.core.parse import PROTOCOL_PARSERS
    from moto.core.request import Request

    asked = Request(fallthrough.environment(call))
    given = {
        "method": call.method,
        "values": asked.values,
        "headers": asked.headers,
        "body": call.body,
        "url_path": call.path,
        "url_params": call.path_parameters,
    }
    try:
        return PROTOCOL_PARSERS[call.protocol](operation).parse(given)
    except ValueError as error:
        raise AwsError("SerializationException", f"The request could not be read: {error}") from None


def operation_of(call: Call) -> OperationModel:
    """The call's operation in botocore's model."""
    return operation_model(wire.MODELS.get(call.service, call.service), call.operation)


@lru_cache(512)
def operation_model(model: str, operation: str) -> OperationModel:
    from moto.core.utils import get_service_model

    return get_service_model(model).operation_model(operation)


class Findings:
    """What is wrong with one request. `anchored`: the service shows its patterns with a leading ^."""

    def __init__(self, operation: str, *, anchored: bool = False) -> None:
        self.operation = operation
        self.anchored = anchored
        self.problems: list[str] = []

    def of(self, shape: Shape, request: Mapping[str, Any]) -> Findings:
        """With what breaks a rule of `shape` in `request`."""
        self._structure(shape, request, "")
        return self

    def refuse(self, code: str) -> None:
        """Raises AwsError where something was found."""
        if self.problems:
            count = f"{len(self.problems)} validation error{'s' if len(self.problems) > 1 else ''} detected: "
            raise AwsError(code, count + "; ".join(self.problems))

    def _add(self, value: Any, path: str, rule: str) -> None:
        self.problems.append(f"Value '{_printed(value)}' at '{path}' failed to satisfy constraint: {rule}")

    def _structure(self, shape: Shape, value: Any, path: str) -> None:
        if not isinstance(value, Mapping):
            self._add(value, path, "Member must be a structure")
            return
        for name in shape.required_members:
            if value.get(name) is None:
                place = _at(path, name)
                self.problems.append(f"Value null at '{place}' failed to satisfy constraint: Member must not be null")
        for name, member in value.items():
            if name in shape.members and member is not None and (self.operation, _at(path, name)) not in ELSEWHERE:
                self._value(shape.members[name], member, _at(path, name))

    def _value(self, shape: Shape, value: Any, path: str) -> None:
        kind = KINDS.get(shape.type_name)
        if kind is not None and not isinstance(value, kind):
            self._add(value, path, f"Member must be a {shape.type_name}")
            return
        match shape.type_name:
            case "structure":
                self._structure(shape, value, path)
            case "list":
                self._length(shape, value, path)
                self._list(shape, value, path)
            case "map":
                self._length(shape, value, path)
                self._map(shape, value, path)
            case "string":
                for rule in self._broken(shape, value):
                    self._add(value, path, rule)
            case "integer" | "long" | "float" | "double":
                for rule in _of_number(shape, value):
                    self._add(value, path, rule)

    def _list(self, shape: Shape, value: Any, path: str) -> None:
        if shape.member.type_name != "string":
            for position, entry in enumerate(value, start=1):
                self._value(shape.member, entry, f"{path}.{position}.member")
        elif any(self._broken(shape.member, entry) for entry in value):
            rules = ", ".join(self._rules(shape.member))
            self._add(value, path, f"Member must satisfy constraint: [{rules}]")

    def _map(self, shape: Shape, value: Mapping[str, Any], path: str) -> None:
        sides: tuple[tuple[str, Shape, Iterable[Any]], ...] = (
            ("keys", shape.key, value),
            ("value", shape.value, value.values()),
        )
        for kind, of, entries in sides:
            if of.type_name == "string" and any(self._broken(of, entry) for entry in entries):
                self._add(value, path, f"Map {kind} must satisfy constraint: [{', '.join(self._rules(of))}]")

    def _length(self, shape: Shape, value: Any, path: str) -> None:
        rules = shape.metadata
        if "max" in rules and len(value) > rules["max"]:
            self._add(value, path, f"Member must have length less than or equal to {rules['max']}")
        if len(value) < rules.get("min", 0):
            self._add(value, path, f"Member must have length greater than or equal to {rules['min']}")

    def _broken(self, shape: Shape, value: Any) -> list[str]:
        """The rules of a string that `value` does not keep."""
        if not isinstance(value, str):
            return ["Member must be a string"]
        rules, found = shape.metadata, []
        if shape.enum and value not in shape.enum:
            found.append(self._enum(shape))
        if "max" in rules and len(value) > rules["max"]:
            found.append(f"Member must have length less than or equal to {rules['max']}")
        if len(value) < rules.get("min", 0):
            found.append(f"Member must have length greater than or equal to {rules['min']}")
        if "pattern" in rules and not _matches(rules["pattern"], value):
            found.append(self._pattern(shape))
        return found

    def _rules(self, shape: Shape) -> list[str]:
        rules, texts = shape.metadata, []
        if "max" in rules:
            texts.append(f"Member must have length less than or equal to {rules['max']}")
        if "min" in rules:
            texts.append(f"Member must have length greater than or equal to {rules['min']}")
        if "pattern" in rules:
            texts.append(f"Member must satisfy regular expression pattern: {rules['pattern']}")
        if shape.enum:
            texts.append(self._enum(shape))
        return texts

    def _enum(self, shape: Shape) -> str:
        return f"Member must satisfy enum value set: [{', '.join(shape.enum)}]"

    def _pattern(self, shape: Shape) -> str:
        pattern = shape.metadata["pattern"]
        start = "^" if self.anchored and not pattern.startswith("^") else ""
        return f"Member must satisfy regular expression pattern: {start}{pattern}"


def _of_number(shape: Shape, value: Any) -> list[str]:
    rules = shape.metadata
    if "max" in rules and value > rules["max"]:
        return [f"Member must have value less than or equal to {rules['max']}"]
    if "min" in rules and value < rules["min"]:
        return [f"Member must have value greater than or equal to {rules['min']}"]
    return []


@lru_cache(512)
def _compiled(pattern: str) -> re.Pattern[str] | None:
    try:
        return re.compile(pattern, re.DOTALL if pattern == ".*" else 0)
    except re.error:  # Java's \p{…}
        return None


def _matches(pattern: str, value: str) -> bool:
    compiled = _compiled(pattern)
    return compiled is None or compiled.fullmatch(value) is not None


def _printed(value: Any) -> str:
    """As Java prints it."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}={_printed(entry)}" for key, entry in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_printed, value)) + "]"
    return str(value)


def _at(path: str, name: str) -> str:
    name = name[0].lower() + name[1:]
    return f"{path}.{name}" if path else name
