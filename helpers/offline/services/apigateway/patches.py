"""Patch operations on a method or its integration.

https://docs.aws.amazon.com/apigateway/latest/api/patch-operations.html
"""

from __future__ import annotations

from typing import Any

from helpers.offline.kernel import AwsError

# Path of a member -> moto's attribute. A mapping's path has the key as its second part.
OF_METHOD = {
    "apiKeyRequired": "api_key_required",
    "operationName": "operation_name",
    "requestValidatorId": "request_validator_id",
}
MAPPINGS_OF_METHOD = {"requestParameters": "request_parameters", "requestModels": "request_models"}
OF_INTEGRATION = {
    "uri": "uri",
    "httpMethod": "http_method",
    "credentials": "credentials",
    "timeoutInMillis": "timeout_in_millis",
    "passthroughBehavior": "passthrough_behaviour",
    "contentHandling": "content_handling",
}
MAPPINGS_OF_INTEGRATION = {"requestTemplates": "request_templates", "requestParameters": "request_parameters"}


def apply_to_method(method: Any, operations: list[dict[str, Any]]) -> None:
    """Raises AwsError BadRequestException, with nothing changed."""
    for operation in operations:
        if operation.get("path") == "/authorizationType" and operation.get("value") != "NONE":
            raise AwsError(
                "NotImplemented",
                f"The offline AWS's API Gateway does not support methods with authorization {operation.get('value')}. "
                "On AWS this may work.",
                501,
            )
    flags = {"apiKeyRequired": _flag, "requestParameters": _flag}
    _apply(method, operations, OF_METHOD | {"authorizationType": "authorization_type"}, MAPPINGS_OF_METHOD, flags)


def apply_to_integration(integration: Any, operations: list[dict[str, Any]]) -> None:
    """Raises AwsError BadRequestException, with nothing changed."""
    of = {"timeoutInMillis": _timeout_ms}
    _apply(integration, operations, OF_INTEGRATION, MAPPINGS_OF_INTEGRATION, of)


def _apply(
    changed: Any,
    operations: list[dict[str, Any]],
    members: dict[str, str],
    mappings: dict[str, str],
    converters: dict[str, Any],
) -> None:
    fresh: dict[str, Any] = {}
    for operation in operations:
        kind, path, value = operation.get("op"), str(operation.get("path")), operation.get("value")
        member, _, key = path.removeprefix("/").partition("/")
        if kind not in ("add", "replace", "remove") or member not in (mappings if key else members):
            allowed = ", ".join(f"/{name}" for name in (*members, *(f"{name}/{{name}}" for name in mappings)))
            raise AwsError(
                "BadRequestException",
                f"Invalid patch path '{path}' specified for op '{kind}'. Must be one of: [{allowed}]",
            )
        if kind != "remove" and member in converters:
            value = converters[member](value)
        if not key:
            fresh[members[member]] = None if kind == "remove" else value
            continue
        name = mappings[member]
        held = fresh.setdefault(name, dict(getattr(changed, name) or {}))
        key = key.replace("~1", "/").replace("~0", "~")
        if kind == "remove":
            held.pop(key, None)
        else:
            held[key] = value
    for name, value in fresh.items():
        setattr(changed, name, value)


def _flag(value: Any) -> bool:
    return str(value).lower() == "true"


def _timeout_ms(value: Any) -> int:
    if not str(value).isdigit() or not 50 <= int(value) <= 29_000:
        raise AwsError("BadRequestException", "Timeout should be between 50 ms and 29000 ms")
    return int(value)
