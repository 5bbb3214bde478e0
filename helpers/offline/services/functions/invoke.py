"""The Invoke operation, answered on the server's event loop."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any
from urllib.parse import parse_qs, unquote

from helpers.offline.kernel import Answer, AwsError, Call, Kernel
from helpers.offline.services.functions import lookup
from helpers.offline.services.functions.events import EventQueue
from helpers.offline.services.functions.service import FunctionService, tail

REQUEST_LIMIT_BYTES = 6_291_456
EVENT_LIMIT_BYTES = 1_048_576


class Invoke:
    def __init__(self, kernel: Kernel, service: FunctionService, events: EventQueue) -> None:
        self.kernel = kernel
        self.service = service
        self.events = events

    async def __call__(self, call: Call) -> Answer:
        reference = unquote(call.path_parameters.get("FunctionName") or call.path.split("/")[3])
        qualifier = parse_qs(call.query).get("Qualifier", [None])[0] if call.query else None
        kind = call.headers.get("x-amz-invocation-type", "RequestResponse")
        target = lookup.find(reference, call.account_id, call.region, qualifier)
        payload = check_payload(call.body, EVENT_LIMIT_BYTES if kind == "Event" else REQUEST_LIMIT_BYTES)
        if kind == "Event":
            request_id = self.events.put(target.invoked_arn, payload)
            return Answer(202, {"x-amzn-requestid": request_id})
        if kind == "DryRun":
            return Answer(204, {"x-amz-executed-version": str(target.function.version)})
        if kind != "RequestResponse":
            raise AwsError("InvalidParameterValueException", f"Unknown invocation type {kind}", 400, Type="User")
        context = client_context(call.headers.get("x-amz-client-context"))
        outcome = await self.service.run(target, payload, client_context=context)
        headers = {
            "content-type": "application/json",
            "x-amzn-requestid": outcome.request_id,
            "x-amz-executed-version": str(target.function.version),
        }
        if outcome.error:
            headers["x-amz-function-error"] = outcome.error
        if call.headers.get("x-amz-log-type") == "Tail":
            headers["x-amz-log-result"] = tail(outcome)
        return Answer(200, headers, outcome.payload)


def check_payload(body: bytes, limit_bytes: int) -> bytes:
    if len(body) > limit_bytes:
        raise AwsError(
            "RequestTooLargeException",
            f"Request must be smaller than {limit_bytes} bytes for the InvokeFunction operation",
            413,
            Type="User",
        )
    if not body:
        return b"{}"
    try:
        json.loads(body)
    except ValueError as error:
        raise AwsError(
            "InvalidRequestContentException",
            f"Could not parse request body into json: Could not parse payload into json: {error}",
            400,
            Type="User",
        ) from error
    return body


def client_context(header: str | None) -> dict[str, Any] | None:
    if not header:
        return None
    try:
        return json.loads(base64.b64decode(header))
    except (binascii.Error, ValueError) as error:
        raise AwsError(
            "InvalidRequestContentException", "Client context must be a valid Base64-encoded JSON object.", 400
        ) from error
