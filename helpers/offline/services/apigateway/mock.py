"""The MOCK integration: a status code from the request template, a response from the integration responses."""

from __future__ import annotations

import json
import re
from typing import Any

from helpers.offline.kernel import Answer
from helpers.offline.services.apigateway import templates
from helpers.offline.services.apigateway.answers import JSON, internal_error, not_offline
from helpers.offline.services.apigateway.event import Exchange

BARE_NAME = re.compile(r"([{,]\s*)(\w+)\s*:")


def answer(exchange: Exchange, integration: dict[str, Any]) -> Answer:
    """Raises Refusal where the templates are wrong, or need more of Velocity than there is offline."""
    media_type = exchange.request.headers.get("content-type", JSON).split(";", 1)[0].strip()
    requests = integration.get("requestTemplates") or {}
    status = _status(requests.get(media_type) or requests.get(JSON) or "", exchange)
    chosen = _choose(integration.get("integrationResponses") or {}, status)
    if chosen is None:
        raise internal_error()
    headers = {"content-type": JSON}
    for name, value in (chosen.get("responseParameters") or {}).items():
        place, _, header = name.rpartition(".")
        if place == "method.response.header":
            if not value.startswith("'"):
                raise not_offline(f"the response parameter {value} of a MOCK integration")
            headers[header.lower()] = value.strip("'")
    bodies = chosen.get("responseTemplates") or {}
    body = bodies.get(JSON) or next((text for text in bodies.values() if text), "") or ""
    if not bodies.get(JSON) and bodies:
        headers["content-type"] = next(iter(bodies))
    return Answer(int(chosen["statusCode"]), headers, _rendered(body, exchange).encode())


def _status(template: str, exchange: Exchange) -> str:
    text = BARE_NAME.sub(r'\1"\2":', _rendered(template, exchange))
    try:
        return str(json.loads(text)["statusCode"])
    except (ValueError, KeyError, TypeError):
        raise internal_error() from None


def _choose(responses: dict[str, dict[str, Any]], status: str) -> dict[str, Any] | None:
    default = None
    for response in responses.values():
        pattern = response.get("selectionPattern")
        if not pattern:
            default = response
        elif re.fullmatch(pattern, status):
            return response
    return default


def _rendered(template: str, exchange: Exchange) -> str:
    if not templates.is_plain(template):
        raise not_offline("mapping templates beyond $context, $stageVariables and $input.params")
    return templates.render(template, exchange)
