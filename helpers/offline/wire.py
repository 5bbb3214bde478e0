"""Wire protocols: which service and operation a request is for, and how an error is written in its protocol."""

from __future__ import annotations

import json
import uuid
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qs, unquote
from xml.sax.saxutils import escape

from helpers.offline.kernel import Answer, AwsError, Call

# Signing name -> botocore's name of the service model, where the two differ.
MODELS = {"monitoring": "cloudwatch", "tagging": "resourcegroupstaggingapi", "events": "events"}
REST_SERVICES = {"lambda", "apigateway", "s3"}
QUERY_SERVICES = {"sns", "iam", "sts", "sqs", "monitoring", "cloudformation"}


def request_id() -> str:
    return str(uuid.uuid4())


def credential_scope(headers: dict[str, str], query: str) -> tuple[str, str]:
    """(signing name, region) from the Authorization header or a presigned URL."""
    credential = ""
    authorization = headers.get("authorization", "")
    if "Credential=" in authorization:
        credential = authorization.split("Credential=", 1)[1].split(",", 1)[0]
    elif "X-Amz-Credential=" in query:
        credential = unquote(query.split("X-Amz-Credential=", 1)[1].split("&", 1)[0])
    parts = credential.split("/")
    if len(parts) != 5:
        raise AwsError("MissingAuthenticationToken", "Request is missing Authentication Token", 403)
    return parts[3], parts[2]


def name_operation(call: Call) -> None:
    """Sets operation, protocol and path parameters of `call`."""
    target = call.headers.get("x-amz-target")
    if target and call.service != "s3":
        call.operation = target.rsplit(".", 1)[-1]
        call.protocol = "json"
        return
    path = call.path
    if call.service in REST_SERVICES or (call.service == "sagemaker" and path.startswith("/endpoints/")):
        model = "sagemaker-runtime" if call.service == "sagemaker" else MODELS.get(call.service, call.service)
        call.protocol = "rest-xml" if call.service == "s3" else "rest-json"
        call.operation, call.path_parameters = _route(model, call)
        return
    if "/operation/" in path and path.startswith("/service/"):
        call.operation = path.rsplit("/", 1)[-1]
        call.protocol = "cbor" if "cbor" in call.headers.get("smithy-protocol", "cbor") else "json"
        return
    call.protocol = "query"
    form = call.body if call.method == "POST" else call.query.encode()
    call.operation = _form_action(form)


def _form_action(form: bytes) -> str:
    if form.startswith(b"Action="):
        return form[7:].split(b"&", 1)[0].decode()
    return parse_qs(form.decode()).get("Action", [""])[0]


@lru_cache(32)
def _router(model: str) -> Any:
    from moto.core.routing import get_service_router

    return get_service_router(model)


def _route(model: str, call: Call) -> tuple[str, dict[str, str]]:
    from moto.core.request import Request

    from helpers.offline.fallthrough import _environment

    try:
        operation, parameters = _router(model).match(Request(_environment(call)))
    except Exception:
        return "", {}
    return operation.name, dict(parameters)


def not_supported(call: Call) -> AwsError:
    name = f"{call.service}:{call.operation}" if call.operation else f"{call.service} {call.method} {call.path}"
    return AwsError(
        "NotImplemented",
        f"The offline AWS does not support {name}. What it supports: docs/offline-aws.md, "
        "or `python -m helpers.offline operations`. On AWS this call may work.",
        501,
    )


def error_answer(error: AwsError, call: Call | None) -> Answer:
    """`error` as the caller's protocol writes it. Before the protocol is known, as JSON."""
    identity = request_id()
    headers = {"x-amzn-requestid": identity}
    protocol = call.protocol if call else "json"
    if protocol in ("json", "rest-json"):
        headers["content-type"] = "application/x-amz-json-1.1" if protocol == "json" else "application/json"
        headers["x-amzn-errortype"] = error.code
        document = {"__type": error.code, "message": error.message, **error.extra}
        if protocol == "rest-json":
            document["Message"] = document.pop("message")
            document.pop("__type")
            document["message"] = error.message
        return Answer(error.status, headers, json.dumps(document).encode())
    headers["content-type"] = "text/xml"
    fault = "Receiver" if error.status >= 500 else "Sender"
    if protocol == "rest-xml":
        extra = "".join(f"<{name}>{escape(str(value))}</{name}>" for name, value in error.extra.items())
        headers["content-type"] = "application/xml"
        text = (
            f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{error.code}</Code><Message>{escape(error.message)}'
            f"</Message>{extra}<RequestId>{identity}</RequestId><HostId>offline</HostId></Error>"
        )
    else:
        text = (
            f"<ErrorResponse><Error><Type>{fault}</Type><Code>{error.code}</Code><Message>{escape(error.message)}"
            f"</Message></Error><RequestId>{identity}</RequestId></ErrorResponse>"
        )
    return Answer(error.status, headers, text.encode())
