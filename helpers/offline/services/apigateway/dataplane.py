"""The gateway itself: an unsigned HTTP request to a deployed stage, from its address to its answer."""

from __future__ import annotations

import json
import logging
import re
from typing import Any

from helpers.offline import fallthrough
from helpers.offline.journals import Journal
from helpers.offline.kernel import Answer, Kernel, PublicRequest
from helpers.offline.services.apigateway import access_log, answers, mock, proxy
from helpers.offline.services.apigateway.answers import Refusal
from helpers.offline.services.apigateway.deployment import Deployed, take_snapshot
from helpers.offline.services.apigateway.event import Exchange
from helpers.offline.services.apigateway.limits import Limits

log = logging.getLogger("offline.apigateway")

BY_PATH = re.compile(r"/restapis/(?P<api>[a-z0-9]+)/(?P<stage>[\w-]+)/_user_request_(?P<path>/.*)?")
BY_HOST = re.compile(r"(?P<api>[a-z0-9]+)\.execute-api\..*")
REQUEST_LIMIT_BYTES = 10_485_760


def is_ours(request: PublicRequest) -> bool:
    return ".execute-api." in request.host or ("/_user_request_" in request.path and request.path[:10] == "/restapis/")


class Gateway:
    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.limits = Limits(Journal(kernel.workspace.dir / "state", "usage", lambda: kernel.mark_dirty("apigateway")))
        self._deployed: dict[tuple[str, str], tuple[Any, Deployed]] = {}
        self.reporter = access_log.Reporter(kernel)

    async def answer(self, request: PublicRequest) -> Answer:
        exchange = self._exchange(request)
        if exchange is None:
            return Answer(403, {"content-type": answers.JSON}, b'{"message":"Forbidden"}')
        deployed = None
        try:
            deployed = self._deployed_of(exchange)
            answer = await self._through(exchange, deployed)
        except Refusal as refusal:
            answer = answers.refuse(refusal, exchange, deployed)
        except Exception:
            log.exception("%s %s failed", request.method, request.path)
            answer = answers.refuse(answers.internal_error(), exchange, deployed)
        answer.headers["x-amzn-requestid"] = exchange.id
        answer.headers["x-amz-apigw-id"] = exchange.extended_id
        answer.headers.setdefault("x-amzn-trace-id", exchange.trace_id)
        self.reporter.report(exchange, answer)
        return answer

    # --- where the request goes ---

    def _exchange(self, request: PublicRequest) -> Exchange | None:
        """None where there is no such API."""
        if match := BY_PATH.fullmatch(request.path):
            api_id, stage_name, path = match["api"], match["stage"], match["path"] or ""
        elif match := BY_HOST.match(request.host):
            _, stage_name, *rest = request.path.split("/", 2)
            api_id, path = match["api"], f"/{rest[0]}" if rest else ""
        else:
            return None
        found = find_api(self.kernel.account_id, api_id)
        return Exchange(request, found[0], found[1], stage_name, path) if found else None

    def _deployed_of(self, exchange: Exchange) -> Deployed:
        api = exchange.api
        stage = exchange.stage = api.stages.get(exchange.stage_name)
        if stage is None or api.disableExecuteApiEndpoint:
            exchange.stage = None
            raise answers.forbidden()
        key = (api.id, stage.deployment_id)
        deployment = api.deployments.get(stage.deployment_id)
        known = self._deployed.get(key)
        if known is None or known[0] is not deployment:
            snapshot = getattr(deployment, "snapshot", None) or take_snapshot(api)
            known = self._deployed[key] = (deployment, Deployed(snapshot))
        return known[1]

    # --- what happens to it ---

    async def _through(self, exchange: Exchange, deployed: Deployed) -> Answer:
        request = exchange.request
        found = deployed.find(exchange.path, request.method)
        if found is None:
            raise answers.missing_token()
        route, method, exchange.path_parameters = found
        exchange.resource_id, exchange.resource_path = route.resource_id, route.template
        if (method.get("authorizationType") or "NONE") != "NONE":
            raise answers.not_offline(f"methods with authorization {method['authorizationType']}")
        if method.get("apiKeyRequired"):
            self._admit_key(exchange)
        self._admit_rate(exchange)
        if len(request.body) > REQUEST_LIMIT_BYTES:
            raise answers.too_long()
        validate(exchange, method, deployed)
        integration = method.get("integration")
        kind = integration["type"] if integration else None
        if kind == "AWS_PROXY":
            return await proxy.answer(self.kernel, exchange, integration)
        if kind == "MOCK":
            return mock.answer(exchange, integration)
        if kind is None:
            raise answers.internal_error()
        raise answers.not_offline(f"integrations of type {kind}")

    def _admit_key(self, exchange: Exchange) -> None:
        backend = backend_of(self.kernel.account_id, exchange.region)
        value = exchange.request.headers.get("x-api-key")
        key = next((key for key in list(backend.keys.values()) if value and key.value == value and key.enabled), None)
        if key is None:
            raise answers.invalid_key()
        served = f"{exchange.api.id}:{exchange.stage_name}"
        for plan in list(backend.usage_plans.values()):
            stage = next((each for each in plan.api_stages if f"{each['apiId']}:{each['stage']}" == served), None)
            if stage is None or key.id not in (backend.usage_plan_keys.get(plan.id) or {}):
                continue
            exchange.api_key = key
            own = (stage.get("throttle") or {}).get(f"{exchange.resource_path}/{exchange.request.method}")
            if own and not self.limits.within_rate((plan.id, key.id, exchange.resource_path), own):
                raise answers.throttled()
            if not self.limits.within_rate((plan.id, key.id), plan.throttle):
                raise answers.throttled()
            if not self.limits.within_quota(plan.id, key.id, plan.quota):
                raise answers.quota_exceeded()
            return
        raise answers.invalid_key()

    def _admit_rate(self, exchange: Exchange) -> None:
        """The throttle of the stage's method settings."""
        settings = exchange.stage.method_settings
        if not settings:
            return
        own = f"{exchange.resource_path.replace('/', '~1')}/{exchange.request.method}"
        chosen = next((name for name in (own, "*/*") if name in settings), None)
        if chosen is None:
            return
        limit = {
            "rateLimit": settings[chosen].get("throttlingRateLimit"),
            "burstLimit": settings[chosen].get("throttlingBurstLimit"),
        }
        if not self.limits.within_rate((exchange.api.id, exchange.stage_name, chosen), limit):
            raise answers.throttled()


def validate(exchange: Exchange, method: dict[str, Any], deployed: Deployed) -> None:
    """The method's request validator: parameters first, then the body against the model of its content type."""
    validator = deployed.validators.get(method.get("requestValidatorId") or "")
    if validator is None:
        return
    request = exchange.request
    if validator["parameters"]:
        query = dict(exchange.query)
        places = {"querystring": query.get, "path": exchange.path_parameters.get}
        places["header"] = lambda name: request.headers.get(name.lower())
        missing = [name for place, name in method["required"] if not places[place](name)]
        if missing:
            raise answers.missing_parameters(missing)
    models = method.get("requestModels")
    if validator["body"] and models:
        media_type = request.headers.get("content-type", answers.JSON).split(";", 1)[0].strip()
        model = models.get(media_type) or models.get("$default")
        if model is None:
            return
        try:
            document = json.loads(request.body)
        except ValueError:
            raise answers.invalid_body() from None
        if not deployed.schema(model).is_valid(document):
            raise answers.invalid_body()


def backend_of(account_id: str, region: str) -> Any:
    from moto.apigateway.models import apigateway_backends

    return apigateway_backends[account_id][region]


def find_api(account_id: str, api_id: str) -> tuple[Any, str] | None:
    """(moto's RestAPI, region): an API's id tells no region, but there is only one of it."""
    from moto.apigateway.models import apigateway_backends

    for region, backend in fallthrough.regions_in_use(apigateway_backends, account_id).items():
        if (api := backend.apis.get(api_id)) is not None:
            return api, region
    return None
