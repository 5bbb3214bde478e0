"""The event that a Lambda proxy integration gives to its function (payload format 1.0)."""

from __future__ import annotations

import base64
import time
import uuid
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl

from helpers.offline.kernel import PublicRequest

# Not for the function: they are about the connection to the gateway.
HOP_BY_HOP = frozenset({"connection", "content-length"})


@dataclass(slots=True)
class Exchange:
    """One request on its way through the gateway, and what the access log wants to know of it afterwards."""

    request: PublicRequest
    api: Any
    region: str
    stage_name: str
    path: str  # after the stage
    stage: Any = None
    resource_id: str = ""
    resource_path: str = ""
    path_parameters: dict[str, str] = field(default_factory=dict)
    api_key: Any = None
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    extended_id: str = field(default_factory=lambda: base64.b64encode(uuid.uuid4().bytes[:11]).decode())
    begun: float = field(default_factory=time.time)
    integration_ms: float | None = None
    integration_status: str = "-"
    integration_request_id: str = "-"
    integration_error: str = "-"
    error_message: str = "-"
    error_type: str = "-"

    @property
    def trace_id(self) -> str:
        return f"Root=1-{int(self.begun):08x}-{self.id.replace('-', '')[:24]}"

    @property
    def query(self) -> list[tuple[str, str]]:
        return parse_qsl(self.request.query, keep_blank_values=True) if self.request.query else []

    @property
    def request_time(self) -> str:
        return time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(self.begun))

    @property
    def domain_name(self) -> str:
        return f"{self.api.id}.execute-api.{self.region}.amazonaws.com"


@lru_cache(1024)
def header_name(name: str) -> str:
    """HTTP header names arrive in lower case; on AWS most clients' come as Accept-Encoding."""
    return "-".join(part.capitalize() for part in name.split("-"))


def proxy_event(exchange: Exchange) -> dict[str, Any]:
    request, stage = exchange.request, exchange.stage
    query = exchange.query
    headers = {header_name(name): value for name, value in request.headers.items() if name not in HOP_BY_HOP}
    headers["X-Amzn-Trace-Id"] = exchange.trace_id
    headers["X-Forwarded-For"] = request.source_ip
    headers["X-Forwarded-Proto"] = "https"
    headers["X-Forwarded-Port"] = "443"
    multiple = {name: [value] for name, value in headers.items()}
    if len(request.raw_headers) > len(request.headers):  # some came more than once: the last is the header's value
        came = _lists(
            [(header_name(name.decode("latin-1")), value.decode("latin-1")) for name, value in request.raw_headers]
        )
        repeated = {name: values for name, values in came.items() if len(values) > 1 and name in headers}
        headers |= {name: values[-1] for name, values in repeated.items()}
        multiple |= repeated
    body, encoded = event_body(request, exchange.api.binaryMediaTypes)
    return {
        "resource": exchange.resource_path,
        "path": exchange.path or "/",
        "httpMethod": request.method,
        "headers": headers,
        "multiValueHeaders": multiple,
        "queryStringParameters": dict(query) or None,
        "multiValueQueryStringParameters": _lists(query) or None,
        "pathParameters": exchange.path_parameters or None,
        "stageVariables": dict(stage.variables) or None,
        "requestContext": request_context(exchange),
        "body": body,
        "isBase64Encoded": encoded,
    }


def request_context(exchange: Exchange) -> dict[str, Any]:
    request = exchange.request
    key = exchange.api_key
    identity: dict[str, Any] = dict.fromkeys(
        (
            "cognitoIdentityPoolId",
            "accountId",
            "cognitoIdentityId",
            "caller",
            "accessKey",
            "cognitoAuthenticationType",
            "cognitoAuthenticationProvider",
            "userArn",
            "user",
        )
    )
    identity["sourceIp"] = request.source_ip
    identity["userAgent"] = request.headers.get("user-agent")
    if key is not None:
        identity["apiKey"] = key.value
        identity["apiKeyId"] = key.id
    return {
        "resourceId": exchange.resource_id,
        "resourcePath": exchange.resource_path,
        "httpMethod": request.method,
        "extendedRequestId": exchange.extended_id,
        "requestTime": exchange.request_time,
        "path": f"/{exchange.stage_name}{exchange.path}",
        "accountId": exchange.api.account_id,
        "protocol": "HTTP/1.1",
        "stage": exchange.stage_name,
        "domainPrefix": exchange.api.id,
        "requestTimeEpoch": int(exchange.begun * 1000),
        "requestId": exchange.id,
        "identity": identity,
        "domainName": exchange.domain_name,
        "deploymentId": exchange.stage.deployment_id,
        "apiId": exchange.api.id,
    }


def event_body(request: PublicRequest, binary_types: list[str]) -> tuple[str | None, bool]:
    if not request.body:
        return None, False
    if is_binary(request.headers.get("content-type", ""), binary_types):
        return base64.b64encode(request.body).decode(), True
    return request.body.decode("utf-8", "replace"), False


def is_binary(content_type: str, binary_types: list[str]) -> bool:
    media_type = content_type.split(";", 1)[0].strip().lower()
    return any(fnmatchcase(media_type, pattern.lower()) for pattern in binary_types or [])


def _lists(pairs: list[tuple[str, str]]) -> dict[str, list[str]]:
    lists: dict[str, list[str]] = {}
    for name, value in pairs:
        lists.setdefault(name, []).append(value)
    return lists
