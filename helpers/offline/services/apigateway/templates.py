"""Templates and log formats, where they are plain substitution: $context, $stageVariables, $input.params."""

from __future__ import annotations

import json
import re
import time
from typing import Any

from helpers.offline.services.apigateway.event import Exchange, request_context

VARIABLE = re.compile(
    r"\$context\.(?P<context>[a-zA-Z][\w.]*\w)|\$stageVariables\.(?P<variable>\w+)|\$input\.params\('(?P<parameter>[^']+)'\)"
)
DIRECTIVE = re.compile(
    r"#(?:set|if|else|end|foreach|elseif|macro)\b|\$(?!context\.|stageVariables\.|input\.params\()\w"
)


def is_plain(template: str) -> bool:
    """Whether the template needs nothing but substitution. The rest of Velocity is not offline."""
    return DIRECTIVE.search(template) is None


def render(template: str, exchange: Exchange, extra: dict[str, Any] | None = None) -> str:
    values = context_values(exchange) | (extra or {})

    def replace(match: re.Match[str]) -> str:
        if match["context"]:
            value = values.get(match["context"])
            return "-" if value in (None, "") else str(value)
        if match["variable"]:
            return str(exchange.stage.variables.get(match["variable"], "")) if exchange.stage else ""
        return _parameter(match["parameter"], exchange)

    return VARIABLE.sub(replace, template)


def context_values(exchange: Exchange) -> dict[str, Any]:
    """$context variables by their dotted names."""
    values: dict[str, Any] = {}
    if exchange.stage is not None:
        described = request_context(exchange)
        identity = described.pop("identity")
        values |= {f"identity.{name}": "-" if value is None else value for name, value in identity.items()}
        values |= described
    latency_ms = "-" if exchange.integration_ms is None else round(exchange.integration_ms)
    return values | {
        "requestId": exchange.id,
        "extendedRequestId": exchange.extended_id,
        "error.message": exchange.error_message,
        "error.messageString": json.dumps(exchange.error_message),
        "error.responseType": exchange.error_type,
        "integrationLatency": latency_ms,
        "integration.latency": latency_ms,
        "integration.status": exchange.integration_status,
        "integrationStatus": exchange.integration_status,
        "integration.requestId": exchange.integration_request_id,
        "integrationErrorMessage": exchange.integration_error,
        "integration.error": exchange.integration_error,
        "responseLatency": round((time.time() - exchange.begun) * 1000),
    }


def _parameter(name: str, exchange: Exchange) -> str:
    if name in exchange.path_parameters:
        return exchange.path_parameters[name]
    query = dict(exchange.query)
    if name in query:
        return query[name]
    return exchange.request.headers.get(name.lower(), "")
