"""Transformation by a Lambda function: records go through it before they become an object; what fails goes aside.

https://docs.aws.amazon.com/firehose/latest/dev/data-transformation.html
"""

from __future__ import annotations

import base64
import binascii
import json
import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from helpers.offline import service_roles
from helpers.offline.identifiers import random_uuid
from helpers.offline.kernel import AwsError, Invocation, Kernel

# https://docs.aws.amazon.com/firehose/latest/dev/data-transformation.html: the buffer hint of the processor, at most.
PAYLOAD_LIMIT_BYTES = 3 * 1024 * 1024
RECORDS_LIMIT = 10_000
DEFAULT_RETRIES = 3
PAUSE_S = 0.2
# What the guide calls the errors, and its words for them.
# https://docs.aws.amazon.com/firehose/latest/dev/monitoring-with-cloudwatch-logs.html
WORDS = {
    "Lambda.FunctionError": "The Lambda function was successfully invoked but it returned an error result.",
    "Lambda.InvokeAccessDenied": (
        "Access was denied. Ensure that the access policy allows access to the Lambda function."
    ),
    "Lambda.ResourceNotFound": "The Lambda function does not exist. Use a different function that does exist.",
    "Lambda.InvokeLimitExceeded": (
        "The Lambda concurrent execution limit is exceeded. Increase the concurrent execution limit."
    ),
    "Lambda.JsonProcessingException": (
        "There was an error parsing returned records from the Lambda function. Ensure that the returned records follow "
        "the status model required by Amazon Data Firehose."
    ),
    "Lambda.MissingRecordId": (
        "One or more record IDs were not returned. Ensure that the Lambda function returns all received record IDs."
    ),
    "Lambda.DuplicatedRecordId": (
        "Multiple records were returned with the same record ID. Ensure that the Lambda function returns unique record "
        "IDs for each record."
    ),
    "Lambda.ProcessingFailedStatus": "ProcessingFailed status set for record",
}
RETRIED = ("Lambda.FunctionError", "Lambda.InvokeAccessDenied", "Lambda.InvokeLimitExceeded", "Lambda.ResourceNotFound")

log = logging.getLogger("offline.firehose")


@dataclass(frozen=True, slots=True)
class Processor:
    function_arn: str
    retries: int


@dataclass(frozen=True, slots=True)
class Failure:
    """A record that did not come through. `arrived` in seconds since the epoch."""

    data: bytes
    code: str
    attempts: int
    arrived: float
    ended: float

    def line(self, function_arn: str) -> bytes:
        document = {
            "attemptsMade": self.attempts,
            "arrivalTimestamp": int(self.arrived * 1000),
            "errorCode": self.code,
            "errorMessage": WORDS[self.code],
            "attemptEndingTimestamp": int(self.ended * 1000),
            "rawData": base64.b64encode(self.data).decode(),
            "lambdaArn": function_arn,
        }
        return json.dumps(document, separators=(",", ":")).encode() + b"\n"


class Stopping(Exception):
    """The server ends: the records stay where they are, and go through the function at the next start."""


def of(destination: dict[str, Any]) -> Processor | None:
    """The stream's processor of type Lambda, if it has one that is switched on."""
    processing = destination.get("ProcessingConfiguration") or {}
    if not processing.get("Enabled"):
        return None
    for processor in processing.get("Processors") or []:
        if processor.get("Type") == "Lambda":
            values = parameters(processor)
            retries = values.get("NumberOfRetries", "")
            return Processor(values.get("LambdaArn", ""), int(retries) if retries.isdigit() else DEFAULT_RETRIES)
    return None


def parameters(processor: dict[str, Any]) -> dict[str, str]:
    return {one["ParameterName"]: one["ParameterValue"] for one in processor.get("Parameters") or []}


def transformed(
    kernel: Kernel, stream: Any, region: str, role: str, processor: Processor, records: Sequence[bytes], arrived: float
) -> tuple[list[bytes], list[Failure]]:
    """What the function made of the records, in their order, and those that failed. Blocks. Raises Stopping."""
    made: list[bytes] = []
    failures: list[Failure] = []
    for part in _parts(records):
        ids = [f"{random_uuid().replace('-', '')}{number:08x}" for number in range(len(part))]
        request = {
            "invocationId": random_uuid(),
            "deliveryStreamArn": stream.delivery_stream_arn,
            "region": region,
            "records": [
                {
                    "recordId": identity,
                    "approximateArrivalTimestamp": int(arrived * 1000),
                    "data": base64.b64encode(record).decode(),
                }
                for identity, record in zip(ids, part, strict=True)
            ],
        }
        payload = json.dumps(request).encode()
        attempts = 0
        while True:
            attempts += 1
            code, answer = _invoke(kernel, role, stream.delivery_stream_name, processor.function_arn, payload)
            if code not in RETRIED or attempts > processor.retries:
                break
            if kernel.stopping.wait(PAUSE_S * attempts):
                raise Stopping
        results = None
        if not code:
            code, results = _read(answer, ids)
        ended = time.time()
        if results is None:
            log.warning("%s: %s of %s", stream.delivery_stream_name, code, processor.function_arn)
            failures += [Failure(record, code, attempts, arrived, ended) for record in part]
            continue
        for identity, record in zip(ids, part, strict=True):
            result, data = results[identity]
            if result == "Ok":
                made.append(data)
            elif result != "Dropped":
                failures.append(Failure(record, "Lambda.ProcessingFailedStatus", attempts, arrived, ended))
    return made, failures


def _invoke(kernel: Kernel, role: str, session: str, arn: str, payload: bytes) -> tuple[str, bytes]:
    """The code of what went wrong, or "", and the function's answer."""
    if kernel.stopping.is_set():
        raise Stopping
    if service_roles.refusal(kernel, role, session, "lambda:InvokeFunction", arn):
        return "Lambda.InvokeAccessDenied", b""
    try:
        invocation: Invocation = kernel.ports.functions.invoke(arn, payload)
    except AwsError as error:
        if kernel.stopping.is_set():
            raise Stopping from error
        if error.status == 404:
            return "Lambda.ResourceNotFound", b""
        return "Lambda.InvokeLimitExceeded" if error.status == 429 else "Lambda.FunctionError", b""
    return "Lambda.FunctionError" if invocation.function_error else "", invocation.payload


def _read(answer: bytes, ids: Sequence[str]) -> tuple[str, dict[str, tuple[str, bytes]] | None]:
    """By record id the result and the data; or what is wrong with the answer as a whole."""
    try:
        entries = json.loads(answer)["records"]
        found = [
            (str(one["recordId"]), one["result"], base64.b64decode(one.get("data") or "", validate=True))
            for one in entries
        ]
    except (ValueError, TypeError, KeyError, AttributeError, binascii.Error):
        return "Lambda.JsonProcessingException", None
    results = {identity: (result, data) for identity, result, data in found}
    if len(results) < len(found):
        return "Lambda.DuplicatedRecordId", None
    if not results.keys() >= set(ids):
        return "Lambda.MissingRecordId", None
    return "", results


def _parts(records: Sequence[bytes]) -> Iterator[list[bytes]]:
    part: list[bytes] = []
    size = 0
    for record in records:
        if part and (size + len(record) > PAYLOAD_LIMIT_BYTES or len(part) == RECORDS_LIMIT):
            yield part
            part, size = [], 0
        part.append(record)
        size += len(record)
    if part:
        yield part
