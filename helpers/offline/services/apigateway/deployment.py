"""Deployments: a snapshot of an API's resources, and the way from a request's path to one of its methods."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

MODEL_REFERENCE = "https://apigateway.amazonaws.com/restapis/"


@dataclass(frozen=True, slots=True)
class Route:
    """One resource, ready to be compared with a path."""

    resource_id: str
    template: str
    segments: tuple[str, ...]
    methods: dict[str, dict[str, Any]]

    @property
    def rank(self) -> tuple[int, ...]:
        """Literal segments go before parameters, parameters before greedy ones."""
        return tuple(_kind(segment) for segment in self.segments)

    def match(self, parts: list[str]) -> dict[str, str] | None:
        """The path parameters, or None where the path is another one."""
        found: dict[str, str] = {}
        for number, segment in enumerate(self.segments):
            kind = _kind(segment)
            if kind == 2:
                if number >= len(parts):
                    return None
                found[segment[1:-2]] = "/".join(parts[number:])
                return found
            if number >= len(parts) or (kind == 0 and segment != parts[number]):
                return None
            if kind == 1:
                found[segment[1:-1]] = parts[number]
        return found if len(parts) == len(self.segments) else None


class Deployed:
    """What a stage serves."""

    def __init__(self, snapshot: dict[str, Any]) -> None:
        self.models: dict[str, str] = snapshot["models"]
        self.validators: dict[str, dict[str, bool]] = snapshot["validators"]
        self.gateway_responses: dict[str, dict[str, Any]] = snapshot["gateway_responses"]
        self.routes = sorted((Route(**route) for route in snapshot["routes"]), key=lambda route: route.rank)
        self._schemas: dict[str, Any] = {}

    def find(self, path: str, method: str) -> tuple[Route, dict[str, Any], dict[str, str]] | None:
        """(route, method, path parameters) of the most specific resource that has such a method."""
        parts = [unquote(part) for part in path.split("/")[1:]] if path not in ("", "/") else []
        if parts and parts[-1] == "":
            parts.pop()
        for route in self.routes:
            parameters = route.match(parts)
            if parameters is not None:
                found = route.methods.get(method) or route.methods.get("ANY")
                return (route, found, parameters) if found else None
        return None

    def schema(self, model: str) -> Any:
        """A JSON schema validator for a model, its references to other models resolved."""
        validator = self._schemas.get(model)
        if validator is None:
            from jsonschema import Draft4Validator

            validator = self._schemas[model] = Draft4Validator(self._resolved(self.models.get(model) or "{}", 0))
        return validator

    def _resolved(self, text: str, depth: int) -> Any:
        def walk(node: Any) -> Any:
            if isinstance(node, dict):
                reference = node.get("$ref", "")
                if reference.startswith(MODEL_REFERENCE) and depth < 8:
                    return self._resolved(self.models.get(reference.rsplit("/", 1)[-1]) or "{}", depth + 1)
                return {key: walk(value) for key, value in node.items()}
            return [walk(value) for value in node] if isinstance(node, list) else node

        return walk(json.loads(text))


def take_snapshot(api: Any) -> dict[str, Any]:
    """What moto's RestAPI is now, as plain values."""
    return {
        "routes": [
            {
                "resource_id": resource.id,
                "template": (template := resource.get_path()),
                "segments": tuple(part for part in template.split("/") if part),
                "methods": {name: _method(method) for name, method in list(resource.resource_methods.items())},
            }
            for resource in list(api.resources.values())
            if resource.resource_methods
        ],
        "models": {name: model.schema for name, model in list(api.models.items())},
        "validators": {
            validator.id: {
                "body": bool(validator.validate_request_body),
                "parameters": bool(validator.validate_request_parameters),
            }
            for validator in list(api.request_validators.values())
        },
        "gateway_responses": {
            name: response.to_json() for name, response in list((api.gateway_responses or {}).items())
        },
    }


def _method(method: Any) -> dict[str, Any]:
    described = method.to_json()
    integration = method.method_integration
    described["integration"] = integration.to_json() if integration else None
    required = [name for name, needed in (method.request_parameters or {}).items() if needed in (True, "true")]
    described["required"] = [tuple(name.split(".")[2:4]) for name in required]
    return described


def _kind(segment: str) -> int:
    if segment.startswith("{"):
        return 2 if segment.endswith("+}") else 1
    return 0
