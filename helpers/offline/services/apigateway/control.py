"""Changes to APIs beyond what moto does: refusals by name, snapshots at deployment, stages that keep their settings."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

from helpers.offline import fallthrough
from helpers.offline.kernel import Answer, AwsError, Call, Kernel
from helpers.offline.services.apigateway import patches
from helpers.offline.services.apigateway.dataplane import backend_of
from helpers.offline.services.apigateway.deployment import take_snapshot

INTEGRATIONS = ("AWS_PROXY", "MOCK")
PATH_PART = re.compile(r"[a-zA-Z0-9._-]+|\{[a-zA-Z0-9._-]+\+?\}")
METHODS = ("GET", "PUT", "POST", "DELETE", "PATCH", "OPTIONS", "HEAD", "ANY")
# https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html
GATEWAY_RESPONSES = (
    "DEFAULT_4XX",
    "DEFAULT_5XX",
    "RESOURCE_NOT_FOUND",
    "UNAUTHORIZED",
    "INVALID_API_KEY",
    "ACCESS_DENIED",
    "AUTHORIZER_FAILURE",
    "AUTHORIZER_CONFIGURATION_ERROR",
    "INVALID_SIGNATURE",
    "EXPIRED_TOKEN",
    "MISSING_AUTHENTICATION_TOKEN",
    "INTEGRATION_FAILURE",
    "INTEGRATION_TIMEOUT",
    "API_CONFIGURATION_ERROR",
    "UNSUPPORTED_MEDIA_TYPE",
    "BAD_REQUEST_PARAMETERS",
    "BAD_REQUEST_BODY",
    "REQUEST_TOO_LARGE",
    "THROTTLED",
    "QUOTA_EXCEEDED",
    "WAF_FILTERED",
)


class Control:
    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel

    def operations(self) -> dict[str, Callable[[Call], Answer]]:
        return {
            "CreateRestApi": self.create_rest_api,
            "CreateModel": self.create_model,
            "CreateResource": self.create_resource,
            "PutMethod": self.put_method,
            "DeleteResource": self.delete_resource,
            "UpdateResource": self.update_resource,
            "DeleteUsagePlan": self.delete_usage_plan,
            "PutIntegration": self.put_integration,
            "PutIntegrationResponse": self.put_integration_response,
            "UpdateMethod": self.update_method,
            "UpdateIntegration": self.update_integration,
            "PutGatewayResponse": self.put_gateway_response,
            "CreateUsagePlan": self.create_usage_plan,
            "CreateDeployment": self.create_deployment,
            "CreateStage": self.create_stage,
            "UpdateStage": self.update_stage,
        }

    def create_rest_api(self, call: Call) -> Answer:
        answer = self._ask_moto(call)
        types = json.loads(call.body).get("binaryMediaTypes")
        if answer.status < 300 and types:  # which moto does not read here
            made = json.loads(answer.body)
            backend_of(call.account_id, call.region).apis[made["id"]].binaryMediaTypes = list(types)
            answer.body = json.dumps(made | {"binaryMediaTypes": types}).encode()
        return answer

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
        above = api.resources.get(parent) if api is not None else None
        if above is not None and (above.path_part or "").endswith("+}"):
            raise bad_request(f"Cannot create a child of a resource with a greedy path variable: {above.path_part}")
        for each in list(siblings):
            if str(part).startswith("{") and each.parent_id == parent and each.path_part.startswith("{"):
                raise bad_request(
                    f"A sibling ({each.path_part}) of this resource already has a variable path part -- only one is "
                    "allowed"
                )
        return self._ask_moto(call)

    def delete_resource(self, call: Call) -> Answer:
        resource = self._api(call).resources[call.path.split("/")[4]]
        if resource.parent_id is None:
            raise bad_request("Cannot delete root resource.")
        return self._ask_moto(call)

    def put_method(self, call: Call) -> Answer:
        api, (resource_id, method) = self._api(call), call.path.split("/")[4:7:2]
        if method not in METHODS:
            raise bad_request(f"Invalid HttpMethod specified. Valid options are {','.join(METHODS)}")
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

    def put_integration_response(self, call: Call) -> Answer:
        """A status and headers that the method response declares."""
        method = self._method(call)
        declared = method.method_responses.get(unquote(call.path.rstrip("/").rpartition("/")[2]))
        if declared is None:
            raise AwsError("NotFoundException", "Invalid Response status code specified", 404)
        parameters = json.loads(call.body or b"{}").get("responseParameters") or {}
        for name in parameters:
            if name not in (declared.response_parameters or {}):
                raise bad_request(
                    "Invalid mapping expression specified: Validation Result: warnings : [], errors : [Invalid mapping "
                    f"expression parameter specified: {name}]"
                )
        return self._ask_moto(call)

    def update_method(self, call: Call) -> Answer:
        method = self._method(call)
        patches.apply_to_method(method, json.loads(call.body)["patchOperations"])
        return self._kept(method)

    def update_integration(self, call: Call) -> Answer:
        integration = self._method(call).method_integration
        patches.apply_to_integration(integration, json.loads(call.body)["patchOperations"])
        return self._kept(integration)

    def put_gateway_response(self, call: Call) -> Answer:
        kind = call.path.rstrip("/").rpartition("/")[2]
        if kind not in GATEWAY_RESPONSES:
            raise AwsError(
                "BadRequestException",
                f"1 validation error detected: Value '{kind}' at 'responseType' failed to satisfy constraint: Member "
                f"must satisfy enum value set: [{', '.join(GATEWAY_RESPONSES)}]",
            )
        return self._ask_moto(call)

    def create_usage_plan(self, call: Call) -> Answer:
        apis = backend_of(call.account_id, call.region).apis
        for each in json.loads(call.body).get("apiStages") or []:
            api = apis.get(each.get("apiId"))
            if api is None or each.get("stage") not in api.stages:
                raise AwsError(
                    "NotFoundException", f"API Stage not found: {each.get('apiId')}:{each.get('stage')}", 404
                )
        return self._ask_moto(call)

    def delete_usage_plan(self, call: Call) -> Answer:
        backend = backend_of(call.account_id, call.region)
        plan = backend.usage_plans[call.path.rstrip("/").rpartition("/")[2]]
        served = [each for each in plan.api_stages if each["apiId"] in backend.apis]
        if any(each["stage"] in backend.apis[each["apiId"]].stages for each in served):
            raise bad_request(f"Cannot delete Usage Plan {plan.id} because there are API Stages associated with it")
        return self._ask_moto(call)

    def update_resource(self, call: Call) -> Answer:
        """Another name or another place; effective with the next deployment, as all of an API."""
        api, resource_id = self._api(call), call.path.rstrip("/").rpartition("/")[2]
        resource = api.resources[resource_id]
        fresh = {"parentId": resource.parent_id, "pathPart": resource.path_part}
        for operation in json.loads(call.body)["patchOperations"]:
            member = str(operation.get("path")).removeprefix("/")
            if operation.get("op") != "replace" or member not in fresh or resource.parent_id is None:
                path, kind = operation.get("path"), operation.get("op")
                allowed = "[/parentId, /pathPart]"
                raise bad_request(f"Invalid patch path '{path}' specified for op '{kind}'. Must be one of: {allowed}")
            fresh[member] = operation.get("value") or ""
        if not PATH_PART.fullmatch(fresh["pathPart"]):
            raise bad_request(
                "Resource's path part only allow a-zA-Z0-9._- and curly braces at the beginning and the end and an "
                "optional plus sign before the closing brace."
            )
        if fresh["parentId"] not in api.resources:
            raise AwsError("NotFoundException", "Invalid Resource identifier specified", 404)
        above = fresh["parentId"]
        while above is not None:
            if above == resource.id:
                raise bad_request("A resource cannot be placed below itself")
            above = api.resources[above].parent_id
        for each in list(api.resources.values()):
            if each is not resource and (each.parent_id, each.path_part) == (fresh["parentId"], fresh["pathPart"]):
                raise conflict(f"Another resource with the same parent already has this name: {fresh['pathPart']}")
        resource.parent_id, resource.path_part = fresh["parentId"], fresh["pathPart"]
        self.kernel.mark_dirty("apigateway")
        return Answer(200, {"content-type": "application/json"}, json.dumps(resource.to_dict()).encode())

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
        if not re.fullmatch(r"[\w-]{1,128}", str(json.loads(call.body).get("stageName")), re.ASCII):
            raise bad_request("Stage name only allows a-zA-Z0-9_-")
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

    def _method(self, call: Call) -> Any:
        """Of /restapis/{api}/resources/{resource}/methods/{method}/…, which is there."""
        parts = call.path.split("/")
        return self._api(call).resources[parts[4]].resource_methods[parts[6]]

    def _kept(self, changed: Any) -> Answer:
        self.kernel.mark_dirty("apigateway")
        document = {name: value for name, value in changed.to_json().items() if value is not None}
        return Answer(200, {"content-type": "application/json"}, json.dumps(document).encode())

    def _api(self, call: Call) -> Any:
        return backend_of(call.account_id, call.region).apis.get(call.path.split("/")[2])

    def _ask_moto(self, call: Call) -> Answer:
        self.kernel.mark_dirty("apigateway")
        return fallthrough.ask_moto(call)


def bad_request(message: str) -> AwsError:
    return AwsError("BadRequestException", message)


def conflict(message: str) -> AwsError:
    return AwsError("ConflictException", message, 409)


def unsupported(what: str) -> AwsError:
    return AwsError(
        "NotImplemented", f"The offline AWS's API Gateway does not support {what}. On AWS this may work.", 501
    )
