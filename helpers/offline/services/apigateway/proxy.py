"""The AWS_PROXY integration: the request becomes an event, the function's answer the response."""

from __future__ import annotations

import asyncio
import json
import re
import time
from typing import Any

from helpers.offline.kernel import Answer, AwsError, Kernel
from helpers.offline.services.apigateway.answers import from_function, internal_error, not_offline, timed_out
from helpers.offline.services.apigateway.event import Exchange, proxy_event

URI = re.compile(r"arn:aws[\w-]*:apigateway:[\w-]+:lambda:path/[\d-]+/functions/(?P<function>.+)/invocations")
STAGE_VARIABLE = re.compile(r"\$\{stageVariables\.(\w+)\}")
PRINCIPAL = "apigateway.amazonaws.com"
LONGEST_S = 29.0


async def answer(kernel: Kernel, exchange: Exchange, integration: dict[str, Any]) -> Answer:
    """Raises Refusal: 500 without permission, 502 for a function that fails or answers otherwise, 504 too late."""
    function_arn = function_of(integration, exchange)
    if integration.get("httpMethod") != "POST":  # the gateway calls Lambda's API with it, which has no other
        exchange.integration_error = "Unable to determine service/operation name to be authorized"
        raise internal_error()
    functions: Any = kernel.ports.functions
    begun = time.perf_counter()
    try:
        if not integration.get("credentials") and not functions.permits(function_arn, PRINCIPAL, source_arn(exchange)):
            exchange.integration_error = "Invalid permissions on Lambda function"
            raise internal_error()
        payload = json.dumps(proxy_event(exchange)).encode()
        async with asyncio.timeout(float(integration.get("timeoutInMillis") or LONGEST_S * 1000) / 1000):
            # Shielded: on AWS, too, the function goes on when the gateway waits no longer.
            invocation = await asyncio.shield(functions.ainvoke(function_arn, payload))
    except TimeoutError:
        exchange.integration_error = "Execution failed due to a timeout error"
        raise timed_out() from None
    except AwsError as error:
        exchange.integration_error = error.message
        raise internal_error() from error
    finally:
        exchange.integration_ms = (time.perf_counter() - begun) * 1000
    exchange.integration_status = str(invocation.status_code)
    if invocation.function_error:
        exchange.integration_error = invocation.payload.decode("utf-8", "replace")
        raise internal_error(502)
    return from_function(invocation.payload, exchange)


def function_of(integration: dict[str, Any], exchange: Exchange) -> str:
    variables = exchange.stage.variables
    uri = STAGE_VARIABLE.sub(lambda match: str(variables.get(match[1], "")), integration.get("uri") or "")
    match = URI.fullmatch(uri)
    if match is None:
        raise not_offline(f"the integration {uri}")
    return match["function"]


def source_arn(exchange: Exchange) -> str:
    """What the function's policy is asked about: stage, method and path, with a star for what is a parameter."""
    path = re.sub(r"\{[^}]+\}", "*", exchange.resource_path)
    api = exchange.api
    return (
        f"arn:aws:execute-api:{exchange.region}:{api.account_id}:{api.id}"
        f"/{exchange.stage_name}/{exchange.request.method}{path}"
    )
