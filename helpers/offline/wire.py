"""Wire protocols: which service and operation a request is for, and how an error is written in its protocol."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote
from xml.sax.saxutils import escape

from helpers.offline import cbor, fallthrough
from helpers.offline.identifiers import random_uuid
from helpers.offline.kernel import Answer, AwsError, Call

# Signing name -> botocore's name of the service model, where the two differ.
MODELS = {"monitoring": "cloudwatch", "tagging": "resourcegroupstaggingapi"}
QUERY_COMPATIBLE = {"monitoring", "sqs"}
QUERY_SERVICES = {"sns", "iam", "sts", "sqs", "monitoring", "cloudformation"}


def request_id() -> str:
    return random_uuid()


def guess_service(headers: Mapping[str, str], path: str, query: str) -> str:
    """The signing name that the request claims; for one without a signature, what it looks like."""
    authorization = headers.get("authorization", "")
    if "Credential=" in authorization:
        parts = authorization.split("Credential=", 1)[1].split(",", 1)[0].split("/")
    elif "X-Amz-Credential=" in query:
        parts = unquote(query.split("X-Amz-Credential=", 1)[1].split("&", 1)[0]).split("/")
    else:
        parts = []
    if len(parts) == 5:
        return parts[3]
    if headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        return "sts"
    if "x-amz-target" in headers or path.startswith("/endpoints/"):
        return "sagemaker"
    return "lambda" if path.startswith(("/2015-03-31/", "/2021-")) else "s3"


def protocol_of(service: str, headers: Mapping[str, str], path: str) -> str:
    """query, json, cbor, rest-json or rest-xml."""
    if service == "s3":
        return "rest-xml"
    if "x-amz-target" in headers:
        return "json"
    if service in ("lambda", "apigateway") or (service == "sagemaker" and path.startswith("/endpoints/")):
        return "rest-json"
    if "smithy-protocol" in headers:
        return "cbor" if "cbor" in headers["smithy-protocol"] else "json"
    is_form = headers.get("content-type", "").startswith("application/x-www-form-urlencoded")
    return "query" if service in QUERY_SERVICES or is_form else "rest-json"


def name_operation(call: Call) -> None:
    """Sets the operation and the path parameters of `call`; the operation stays empty where there is none."""
    match call.protocol:
        case "rest-xml" | "rest-json":
            call.operation, call.path_parameters = _route(call)
        case "query":
            call.operation = _form_action(call.body if call.method == "POST" else call.query.encode())
        case _ if "x-amz-target" in call.headers:
            call.operation = call.headers["x-amz-target"].rsplit(".", 1)[-1]
        case _:  # Smithy RPC: /service/GraniteServiceVersion20100801/operation/PutMetricData
            call.operation = call.path.rsplit("/", 1)[-1]


def _form_action(form: bytes) -> str:
    if form.startswith(b"Action="):
        return form[7:].split(b"&", 1)[0].decode("utf-8", "replace")
    return parse_qs(form.decode("utf-8", "replace")).get("Action", [""])[0]


_INVOCATIONS: dict[tuple[str, str, str], tuple[str, dict[str, str]]] = {}


@lru_cache(32)
def _router(model: str) -> Any:
    from moto.core.routing import get_service_router

    return get_service_router(model)


def _route(call: Call) -> tuple[str, dict[str, str]]:
    from moto.core.request import Request

    # Invocations are many, and nothing but method and path says what they are.
    known = (call.service, call.method, call.path) if call.path.endswith("/invocations") else None
    if known in _INVOCATIONS:
        operation, parameters = _INVOCATIONS[known]
        return operation, dict(parameters)
    model = "sagemaker-runtime" if call.service == "sagemaker" else MODELS.get(call.service, call.service)
    try:
        operation, parameters = _router(model).match(Request(fallthrough.environment(call)))
    except Exception:
        return "", {}
    if known is not None and call.service in ("sagemaker", "lambda"):
        if len(_INVOCATIONS) >= 1000:
            _INVOCATIONS.clear()
        _INVOCATIONS[known] = operation.name, dict(parameters)
    return operation.name, dict(parameters)


@lru_cache(1)
def regions() -> frozenset[str]:
    """All that AWS has, of every partition."""
    from moto.core.base_backend import AccountSpecificBackend

    session = AccountSpecificBackend.get_session()
    found = [session.get_available_regions("ec2", partition) for partition in session.get_available_partitions()]
    return frozenset(region for of_partition in found for region in of_partition)


def unknown_region(region: str) -> AwsError:
    return AwsError("InvalidRegion", f"AWS has no region {region}; on AWS its host name would not be found.", 400)


def not_supported(call: Call, detail: str = "") -> AwsError:
    name = f"{call.service}:{call.operation}" if call.operation else f"{call.service} {call.method} {call.path}"
    return AwsError(
        "NotImplemented",
        f"The offline AWS does not support {name}{f' ({detail})' if detail else ''}. What it supports: "
        "docs/offline-aws.md, or `python -m helpers.offline operations`. On AWS this call may work.",
        501,
    )


def cannot_write(error: OSError, directory: Path) -> AwsError:
    """507 and not 500, which clients would try again and again."""
    return AwsError(
        "InsufficientStorage",
        f"The offline AWS could not keep this in {directory}: {error.strerror or error}. "
        "Make room or make the directory writable, then repeat the call.",
        507,
    )


def error_answer(error: AwsError, call: Call | None) -> Answer:
    """`error` as the caller's protocol writes it. Before the protocol is known, as JSON."""
    identity = request_id()
    headers = {"x-amzn-requestid": identity}
    protocol = call.protocol if call else "json"
    if protocol in ("json", "rest-json"):
        headers["content-type"] = "application/x-amz-json-1.1" if protocol == "json" else "application/json"
        headers["x-amzn-errortype"] = error.code
        if call is not None and call.service in QUERY_COMPATIBLE:
            headers["x-amzn-query-error"] = f"{error.code};{'Receiver' if error.status >= 500 else 'Sender'}"
        document = {"__type": error.code, "message": error.message, **error.extra}
        if protocol == "rest-json":
            document["Message"] = document.pop("message")
            document.pop("__type")
            document["message"] = error.message
        return Answer(error.status, headers, json.dumps(document).encode())
    if protocol == "cbor":
        headers |= {"content-type": "application/cbor", "smithy-protocol": "rpc-v2-cbor"}
        headers["x-amzn-query-error"] = f"{error.code};{'Receiver' if error.status >= 500 else 'Sender'}"
        return Answer(error.status, headers, cbor.error(error.code, error.message))
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
