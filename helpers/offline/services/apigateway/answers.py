"""What the gateway answers: the errors that it has itself, and a function's answer turned into HTTP."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any

from helpers.offline.kernel import Answer
from helpers.offline.services.apigateway import templates
from helpers.offline.services.apigateway.deployment import Deployed
from helpers.offline.services.apigateway.event import Exchange, header_name, is_binary

JSON = "application/json"
# https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-known-issues.html
REMAPPED = frozenset({"Connection", "Content-Length", "Date", "Server", "Transfer-Encoding", "Www-Authenticate"})
PROXY_MEMBERS = frozenset({"statusCode", "headers", "multiValueHeaders", "body", "isBase64Encoded"})


class Refusal(Exception):
    """The gateway answers itself. `kind` is the type of its gateway response."""

    def __init__(self, status: int, message: str, error_type: str, kind: str) -> None:
        super().__init__(message)
        self.status, self.message, self.error_type, self.kind = status, message, error_type, kind


def missing_token() -> Refusal:
    return Refusal(
        403, "Missing Authentication Token", "MissingAuthenticationTokenException", "MISSING_AUTHENTICATION_TOKEN"
    )


def forbidden() -> Refusal:
    return Refusal(403, "Forbidden", "ForbiddenException", "ACCESS_DENIED")


def invalid_key() -> Refusal:
    return Refusal(403, "Forbidden", "ForbiddenException", "INVALID_API_KEY")


def throttled() -> Refusal:
    return Refusal(429, "Too Many Requests", "TooManyRequestsException", "THROTTLED")


def quota_exceeded() -> Refusal:
    return Refusal(429, "Limit Exceeded", "LimitExceededException", "QUOTA_EXCEEDED")


def missing_parameters(names: list[str]) -> Refusal:
    text = f"Missing required request parameters: [{', '.join(names)}]"
    return Refusal(400, text, "BadRequestException", "BAD_REQUEST_PARAMETERS")


def invalid_body() -> Refusal:
    return Refusal(400, "Invalid request body", "BadRequestException", "BAD_REQUEST_BODY")


def too_long() -> Refusal:
    text = "HTTP content length exceeded 10485760 bytes."
    return Refusal(413, text, "RequestEntityTooLargeException", "REQUEST_TOO_LARGE")


def internal_error(status: int = 500) -> Refusal:
    return Refusal(status, "Internal server error", "InternalServerErrorException", "API_CONFIGURATION_ERROR")


def timed_out() -> Refusal:
    return Refusal(504, "Endpoint request timed out", "InternalServerErrorException", "INTEGRATION_TIMEOUT")


def not_offline(what: str) -> Refusal:
    text = f"The offline AWS's API Gateway does not support {what}. On AWS this may work."
    return Refusal(501, text, "NotImplementedException", "NOT_OFFLINE")


def refuse(refusal: Refusal, exchange: Exchange, deployed: Deployed | None) -> Answer:
    """The refusal, in the words and with the headers of the API's gateway responses where it has any."""
    exchange.error_message, exchange.error_type = refusal.message, refusal.kind
    answer = Answer(refusal.status, {"content-type": JSON}, json.dumps({"message": refusal.message}).encode())
    answer.headers["x-amzn-errortype"] = refusal.error_type
    responses = deployed.gateway_responses if deployed else {}
    custom = responses.get(refusal.kind) or responses.get(f"DEFAULT_{refusal.status // 100}XX")
    if custom:
        if custom.get("statusCode") and refusal.kind in responses:
            answer.status = int(custom["statusCode"])
        for name, value in (custom.get("responseParameters") or {}).items():
            place, _, header = name.rpartition(".")
            if place == "gatewayresponse.header" and value.startswith("'"):
                answer.headers[header.lower()] = value.strip("'")
        template = (custom.get("responseTemplates") or {}).get(JSON)
        if template:
            answer.body = templates.render(template, exchange).encode()
    return answer


def from_function(payload: bytes, exchange: Exchange) -> Answer:
    """Raises Refusal 502 where the function's answer is not of the form that a proxy integration needs."""
    try:
        document = json.loads(payload)
    except ValueError:
        raise internal_error(502) from None
    if not isinstance(document, dict) or not PROXY_MEMBERS.issuperset(document):
        raise internal_error(502)
    status, body = document.get("statusCode", 200), document.get("body")  # none of the members is a must
    if isinstance(status, str) and status.isdigit():
        status = int(status)
    if not isinstance(status, int) or isinstance(status, bool) or not 100 <= status <= 599:
        raise internal_error(502)
    if body is not None and not isinstance(body, str):
        raise internal_error(502)
    headers, more = _headers(document)
    headers.setdefault("content-type", JSON)
    content = (body or "").encode()
    wanted = exchange.request.headers.get("accept", "").split(",")[0] or headers["content-type"]
    binary_types = exchange.api.binaryMediaTypes
    if document.get("isBase64Encoded") and (
        is_binary(wanted, binary_types) or is_binary(headers["content-type"], binary_types)
    ):
        try:
            content = base64.b64decode(body or "", validate=True)
        except (binascii.Error, ValueError):
            exchange.integration_error = "Unable to base64 decode the body."
            raise internal_error() from None
    return Answer(status, headers, content, more_headers=more)


def _headers(document: dict[str, Any]) -> tuple[dict[str, str], list[tuple[str, str]]]:
    """By name, and the further values of those that have several."""
    headers: dict[str, str] = {}
    more: list[tuple[str, str]] = []
    single, multiple = document.get("headers") or {}, document.get("multiValueHeaders") or {}
    if not isinstance(single, dict) or not isinstance(multiple, dict):
        raise internal_error(502)
    values = {name: [value] for name, value in single.items()} | multiple
    for name, each in values.items():
        if not isinstance(each, list) or not all(isinstance(value, (str, bool)) for value in each):
            raise internal_error(502)
        texts = [str(value).lower() if isinstance(value, bool) else value for value in each]
        if not texts:
            continue
        if any("\r" in text or "\n" in text or not text.isprintable() for text in (name, *texts)):
            raise internal_error(502)
        proper = header_name(name)
        if proper in REMAPPED:
            name = f"x-amzn-remapped-{name}"
        try:
            ", ".join((name, *texts)).encode("latin-1")
        except UnicodeEncodeError:
            raise internal_error(502) from None
        headers[name.lower()] = texts[0]
        more += [(name.lower(), text) for text in texts[1:]]
    return headers, more
