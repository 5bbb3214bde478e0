"""API Gateway's REST APIs: kept by moto, and answered at their own addresses."""

from __future__ import annotations

from helpers.offline import fallthrough
from helpers.offline.kernel import Kernel, Support
from helpers.offline.services.apigateway.control import Control
from helpers.offline.services.apigateway.dataplane import Gateway, is_ours
from helpers.offline.services.apigateway.existing import guarded

REAL = Support("real")
ONE_PAGE = Support("simplified", "one page")
STORED = Support("stored")

OPERATIONS = {
    "CreateRestApi": Support("real", "no authorizers, no resource policies, no compression"),
    "GetRestApi": REAL,
    "GetRestApis": ONE_PAGE,
    "UpdateRestApi": Support("simplified", "policy and endpoint types are only kept"),
    "DeleteRestApi": REAL,
    "CreateResource": REAL,
    "GetResource": REAL,
    "GetResources": ONE_PAGE,
    "DeleteResource": REAL,
    "UpdateResource": REAL,
    "PutMethod": Support("real", "authorization NONE, with or without an API key; others answer 501"),
    "GetMethod": REAL,
    "UpdateMethod": Support("real", "API key, validator, parameters, models, name of the operation"),
    "DeleteMethod": REAL,
    "PutMethodResponse": STORED,
    "GetMethodResponse": STORED,
    "DeleteMethodResponse": STORED,
    "PutIntegration": Support("real", "AWS_PROXY with Lambda, and MOCK; HTTP, HTTP_PROXY and AWS answer 501"),
    "GetIntegration": REAL,
    "UpdateIntegration": Support("real", "URI, credentials, time-out, templates, parameters"),
    "DeleteIntegration": REAL,
    "PutIntegrationResponse": Support(
        "simplified", "for MOCK; templates with $context, $stageVariables and $input.params, no other Velocity"
    ),
    "GetIntegrationResponse": REAL,
    "DeleteIntegrationResponse": REAL,
    "CreateDeployment": Support("real", "keeps what the API is now; later changes need another deployment"),
    "GetDeployment": REAL,
    "GetDeployments": ONE_PAGE,
    "DeleteDeployment": REAL,
    "CreateStage": Support("real", "no cache, no canary"),
    "GetStage": REAL,
    "GetStages": REAL,
    "UpdateStage": Support("real", "deployment, variables, throttling, access log; cache and tracing are only kept"),
    "DeleteStage": REAL,
    "CreateRequestValidator": REAL,
    "GetRequestValidator": REAL,
    "GetRequestValidators": ONE_PAGE,
    "UpdateRequestValidator": REAL,
    "DeleteRequestValidator": REAL,
    "CreateModel": Support("real", "JSON schema draft 4"),
    "GetModel": REAL,
    "GetModels": ONE_PAGE,
    "DeleteModel": REAL,
    "CreateApiKey": REAL,
    "GetApiKey": REAL,
    "GetApiKeys": ONE_PAGE,
    "UpdateApiKey": REAL,
    "DeleteApiKey": REAL,
    "CreateUsagePlan": Support("real", "rate, burst and quota, also per method"),
    "GetUsagePlan": REAL,
    "GetUsagePlans": ONE_PAGE,
    "UpdateUsagePlan": Support("simplified", "not the throttles of single methods"),
    "DeleteUsagePlan": REAL,
    "CreateUsagePlanKey": REAL,
    "GetUsagePlanKey": REAL,
    "GetUsagePlanKeys": ONE_PAGE,
    "DeleteUsagePlanKey": REAL,
    "PutGatewayResponse": Support("real", "status, static headers, JSON template"),
    "GetGatewayResponse": REAL,
    "GetGatewayResponses": ONE_PAGE,
    "DeleteGatewayResponse": REAL,
    "GetAccount": REAL,
    "UpdateAccount": Support("real", "the role for logs"),
    "TagResource": REAL,
    "UntagResource": REAL,
    "GetTags": REAL,
}


def install(kernel: Kernel) -> None:
    from moto.apigateway.models import RestAPI

    # moto would register a mock URL for each method and deployment, which a server never asks.
    RestAPI.update_integration_mocks = lambda self, stage_name: None
    gateway = Gateway(kernel)
    kernel.public(is_ours, gateway.answer)
    handlers = Control(kernel).operations()
    for operation in OPERATIONS:
        kernel.hot("apigateway", operation, guarded(handlers.get(operation, fallthrough.ask_moto)), blocking=True)
    kernel.durable("apigateway-quotas", lambda: dict(gateway.limits.used), gateway.limits.used.update)
    usage = gateway.limits.journal
    kernel.before_snapshot["apigateway"] = [usage.begin_next]
    kernel.synced(usage.sync)
    kernel.on_start(gateway.limits.replay)
    kernel.on_start(gateway.reporter.start)
    kernel.on_stop(gateway.reporter.stop)
