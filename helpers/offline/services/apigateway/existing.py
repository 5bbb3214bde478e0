"""What a path names must be there: looked up before moto, which would fail without words."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

from helpers.offline import fallthrough
from helpers.offline.kernel import Answer, AwsError, Call
from helpers.offline.services.apigateway.dataplane import backend_of


def guarded(handler: Callable[[Call], Answer] = fallthrough.ask_moto) -> Callable[[Call], Answer]:
    """`handler`, which may rely on it that everything in the path exists and that a patch is a list."""

    def handle(call: Call) -> Answer:
        check(call)
        if call.method == "PATCH":
            with_operations(call)
        return handler(call)

    return handle


def check(call: Call) -> None:
    """Raises AwsError NotFoundException, in API Gateway's words."""
    backend = backend_of(call.account_id, call.region)
    match [unquote(part) for part in call.path.strip("/").split("/")]:
        case ["restapis", api_id, *rest]:
            api = backend.apis.get(api_id)
            if api is None:
                raise missing(f"API identifier specified {call.account_id}:{api_id}")
            _check_api(api, rest, call.operation)
        case ["usageplans", plan_id, *rest]:
            if plan_id not in backend.usage_plans:
                raise missing("Usage Plan ID specified")
            if len(rest) == 2 and rest[1] not in backend.usage_plan_keys.get(plan_id, {}):
                raise missing("API Key identifier specified")
        case ["apikeys", key_id]:
            if key_id not in backend.keys:
                raise missing("API Key identifier specified")


def _check_api(api: Any, rest: list[str], operation: str) -> None:
    match rest:
        case ["resources", resource_id, *below]:
            resource = api.resources.get(resource_id)
            if resource is None:
                raise missing("Resource identifier specified")
            if len(below) > 1 and below[0] == "methods" and operation != "PutMethod":
                method = resource.resource_methods.get(below[1])
                if method is None:
                    raise missing("Method identifier specified")
                if below[2:3] == ["integration"] and operation != "PutIntegration" and not method.method_integration:
                    raise missing("Integration identifier specified")
        case ["stages", name]:
            if name not in api.stages:
                raise missing("stage identifier specified")
        case ["deployments", deployment_id]:
            if deployment_id not in api.deployments:
                raise missing("Deployment identifier specified")


def with_operations(call: Call) -> None:
    """A patch without operations changes nothing."""
    try:
        request = json.loads(call.body or b"{}")
    except ValueError:
        raise AwsError("SerializationException", "The request is not JSON.") from None
    if not isinstance(request.get("patchOperations"), list):
        call.body = json.dumps(request | {"patchOperations": []}).encode()


def missing(what: str) -> AwsError:
    return AwsError("NotFoundException", f"Invalid {what}", 404)
