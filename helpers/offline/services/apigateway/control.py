"""Changes to APIs beyond what moto does: refusals by name, snapshots at deployment, stages that keep their settings."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from helpers.offline import fallthrough
from helpers.offline.kernel import Answer, AwsError, Call, Kernel
from helpers.offline.services.apigateway.dataplane import backend_of
from helpers.offline.services.apigateway.deployment import take_snapshot

INTEGRATIONS = ("AWS_PROXY", "MOCK")


class Control:
    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel

    def operations(self) -> dict[str, Callable[[Call], Answer]]:
        return {
            "CreateModel": self.create_model,
            "CreateResource": self.create_resource,
            "PutMethod": self.put_method,
            "PutIntegration": self.put_integration,
            "CreateDeployment": self.create_deployment,
            "CreateStage": self.create_stage,
            "UpdateStage": self.update_stage,
        }

    def create_model(self, call: Call) -> Answer:
        from jsonschema import Draft4Validator
        from jsonschema.exceptions import SchemaError

        try:
            Draft4Validator.check_schema(json.loads(json.loads(call.body).get("schema") or "{}"))
        except (ValueError, SchemaError) as error:
            raise AwsError("BadRequestException", "Invalid model schema specified", 400) from error
        return self._ask_moto(call)

    def create_resource(self, call: Call) -> Answer:
        api, parent = self._api(call), call.path.split("/")[4]
        part = json.loads(call.body).get("pathPart")
        siblings = api.resources.values() if api is not None else ()
        if any(each.parent_id == parent and each.path_part == part for each in list(siblings)):
            raise conflict(f"Another resource with the same parent already has this name: {part}")
        return self._ask_moto(call)

    def put_method(self, call: Call) -> Answer:
        api, (resource_id, method) = self._api(call), call.path.split("/")[4:7:2]
        resource = api.resources.get(resource_id) if api is not None else None
        if resource is not None and method in resource.resource_methods:
            raise conflict("Method already exists for this resource")
        kind = json.loads(call.body).get("authorizationType", "NONE")
        if kind != "NONE":
            raise unsupported(f"methods with authorization {kind}")
        return self._ask_moto(call)

    def put_integration(self, call: Call) -> Answer:
        request = json.loads(call.body)
        kind = request.get("type")
        if kind not in INTEGRATIONS:
            raise unsupported(f"integrations of type {kind} (only {' and '.join(INTEGRATIONS)})")
        timeout_ms = request.get("timeoutInMillis")
        if timeout_ms is not None and not 50 <= timeout_ms <= 29_000:
            raise AwsError("BadRequestException", "Timeout should be between 50 ms and 29000 ms", 400)
        if kind == "AWS_PROXY" and ":lambda:path/" not in request.get("uri", ""):
            raise unsupported(f"the integration {request.get('uri')} (only Lambda functions)")
        return self._ask_moto(call)

    def create_deployment(self, call: Call) -> Answer:
        """Keeps what the API is now. A stage that exists goes on with its settings, as on AWS."""
        request = json.loads(call.body or b"{}")
        api = self._api(call)
        stage_name = request.get("stageName")
        earlier = api.stages.get(stage_name) if api is not None else None
        answer = self._ask_moto(call)
        if answer.status < 300 and api is not None:
            deployment_id = json.loads(answer.body)["id"]
            api.deployments[deployment_id].snapshot = take_snapshot(api)
            if earlier is not None:
                earlier.deployment_id = deployment_id
                earlier.variables |= request.get("variables") or {}
                api.stages[stage_name] = earlier
            elif stage_name:
                api.stages[stage_name].description = request.get("stageDescription", "")
        return answer

    def create_stage(self, call: Call) -> Answer:
        api = self._api(call)
        if api is not None and json.loads(call.body).get("deploymentId") not in api.deployments:
            raise AwsError("NotFoundException", "Invalid Deployment identifier specified", 404)
        return self._ask_moto(call)

    def update_stage(self, call: Call) -> Answer:
        paths = {operation["path"]: operation.get("value") for operation in json.loads(call.body)["patchOperations"]}
        api = self._api(call)
        if api is not None and paths.get("/deploymentId", next(iter(api.deployments), "")) not in api.deployments:
            raise AwsError("NotFoundException", "Invalid Deployment identifier specified", 404)
        backend = backend_of(call.account_id, call.region)
        if "/accessLogSettings/destinationArn" in paths and not backend.account.cloudwatch_role_arn:
            raise AwsError(
                "BadRequestException", "CloudWatch Logs role ARN must be set in account settings to enable logging", 400
            )
        return self._ask_moto(call)

    def _api(self, call: Call) -> Any:
        return backend_of(call.account_id, call.region).apis.get(call.path.split("/")[2])

    def _ask_moto(self, call: Call) -> Answer:
        self.kernel.mark_dirty("apigateway")
        return fallthrough.ask_moto(call)


def conflict(message: str) -> AwsError:
    return AwsError("ConflictException", message, 409)


def unsupported(what: str) -> AwsError:
    return AwsError(
        "NotImplemented", f"The offline AWS's API Gateway does not support {what}. On AWS this may work.", 501
    )
