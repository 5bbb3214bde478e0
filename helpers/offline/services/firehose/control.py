"""Creating, changing and deleting delivery streams: checked as AWS checks, kept by moto."""

from __future__ import annotations

import json
import re
import time
import zoneinfo
from typing import Any

from moto.firehose.models import firehose_backends

from helpers.offline import fallthrough, service_roles
from helpers.offline.kernel import Answer, AwsError, Call, Kernel
from helpers.offline.services.firehose import prefix, transformation
from helpers.offline.services.firehose.delivery import (
    DEFAULT_INTERVAL_S,
    DEFAULT_SIZE_MB,
    SERVICE,
    Delivery,
    is_creating,
)

BUCKET_ARN = re.compile(r"arn:aws[a-z-]*:s3:::[\w.\-]{1,255}")
FUNCTION_ARN = re.compile(r"arn:aws[a-z-]*:lambda:[a-z0-9-]+:\d{12}:function:[\w-]+(:[\w$-]+)?")
ROLE_ARN = re.compile(r"arn:aws[a-z-]*:iam::(\d{12}):role/(.+)")
DESTINATIONS = {"S3DestinationConfiguration", "ExtendedS3DestinationConfiguration"}
PROCESSORS = {"AppendDelimiterToRecord", "Lambda"}
CREATING_S = 0.3  # AWS takes half a minute


class Control:
    def __init__(self, kernel: Kernel, delivery: Delivery) -> None:
        self.kernel = kernel
        self.delivery = delivery

    def create(self, call: Call) -> Answer:
        request = json.loads(call.body)
        name = request.get("DeliveryStreamName", "")
        if request.get("DeliveryStreamType", "DirectPut") != "DirectPut":
            raise not_offline(f"delivery streams of type {request['DeliveryStreamType']}")
        for key in request:
            if key.endswith("DestinationConfiguration") and key not in DESTINATIONS:
                raise not_offline(key.removesuffix("Configuration"))
        for key in DESTINATIONS & request.keys():
            self._check(request[key])
            defaults = {"SizeInMBs": DEFAULT_SIZE_MB, "IntervalInSeconds": DEFAULT_INTERVAL_S}
            request[key]["BufferingHints"] = defaults | (request[key].get("BufferingHints") or {})
            request[key].setdefault("CompressionFormat", "UNCOMPRESSED")
        call.body = json.dumps(request).encode()
        answer = fallthrough.ask_moto(call)
        if answer.status < 400:
            self._held(call, name).active_from = time.time() + CREATING_S
        return answer

    def describe(self, call: Call) -> Answer:
        stream = self._held(call, json.loads(call.body).get("DeliveryStreamName", ""))
        if stream is not None:
            stream.delivery_stream_status = "CREATING" if is_creating(stream) else "ACTIVE"
        return fallthrough.ask_moto(call)

    def _held(self, call: Call, name: str) -> Any:
        return firehose_backends[call.account_id][call.region].delivery_streams.get(name)

    def update(self, call: Call) -> Answer:
        request = json.loads(call.body)
        for key in ("S3DestinationUpdate", "ExtendedS3DestinationUpdate"):
            if key in request:
                self._check(request[key], is_update=True)
        self.delivery.flush(call.region, request.get("DeliveryStreamName", ""))
        return fallthrough.ask_moto(call)

    def delete(self, call: Call) -> Answer:
        name = json.loads(call.body).get("DeliveryStreamName", "")
        stream = self._held(call, name)
        if stream is not None and is_creating(stream):
            raise AwsError("ResourceInUseException", f"Firehose {name} is in state CREATING and cannot be deleted.")
        self.delivery.flush(call.region, name)
        answer = fallthrough.ask_moto(call)
        if answer.status < 400:
            self.delivery.forget(call.region, name)
        return answer

    def _check(self, destination: dict[str, Any], *, is_update: bool = False) -> None:
        bucket, role = destination.get("BucketARN"), destination.get("RoleARN")
        if bucket is not None and not BUCKET_ARN.fullmatch(bucket):
            raise constraint(bucket, "bucketARN", r"arn:.*:s3:::[\w\.\-]{1,255}")
        if role is not None:
            self._check_role(role)
        hints = destination.get("BufferingHints") or {}
        within(hints, "SizeInMBs", 1, 128)
        within(hints, "IntervalInSeconds", 0, 900)
        wrong = prefix.problem(destination.get("Prefix") or "", destination.get("ErrorOutputPrefix"))
        if wrong:
            raise AwsError("InvalidArgumentException", wrong)
        if destination.get("CompressionFormat", "UNCOMPRESSED") not in ("UNCOMPRESSED", "GZIP"):
            raise not_offline(f"compression {destination['CompressionFormat']}")
        if destination.get("S3BackupMode", "Disabled") != "Disabled":
            raise not_offline("a backup of the source records (S3BackupMode)")
        zone = destination.get("CustomTimeZone")
        if zone and zone not in zoneinfo.available_timezones():
            raise AwsError("InvalidArgumentException", f"{zone} is no time zone.")
        for key in ("DataFormatConversionConfiguration", "DynamicPartitioningConfiguration"):
            if (destination.get(key) or {}).get("Enabled"):
                raise not_offline(key)
        for processor in (destination.get("ProcessingConfiguration") or {}).get("Processors", []):
            if processor.get("Type") not in PROCESSORS:
                raise not_offline(f"the processor {processor.get('Type')}")
            if processor["Type"] == "Lambda":
                check_function(transformation.parameters(processor))

    def _check_role(self, arn: str) -> None:
        """Firehose takes on the role when the stream is made, to see that it may."""
        if ROLE_ARN.fullmatch(arn) is None:
            raise constraint(arn, "roleARN", "arn:.*")
        if not service_roles.trusts(self.kernel.account_id, arn, SERVICE):
            raise AwsError(
                "InvalidArgumentException",
                f"Firehose is unable to assume role {arn}. Please check the role provided.",
            )


def check_function(parameters: dict[str, str]) -> None:
    """Raises AwsError InvalidArgumentException. Whether there is such a function is seen when records come."""
    if FUNCTION_ARN.fullmatch(parameters.get("LambdaArn", "")) is None:
        raise AwsError("InvalidArgumentException", "The Lambda processor needs the parameter LambdaArn.")
    for name, least, most in (
        ("NumberOfRetries", 0, 300),
        ("BufferSizeInMBs", 0.2, 3),
        ("BufferIntervalInSeconds", 0, 900),
    ):
        value = parameters.get(name)
        try:
            is_well = value is None or least <= float(value) <= most
        except ValueError:
            is_well = False
        if not is_well:
            raise AwsError("InvalidArgumentException", f"{name} must be from {least} to {most}, not {value}.")


def within(hints: dict[str, Any], name: str, least: int, most: int) -> None:
    value = hints.get(name)
    if value is not None and not least <= value <= most:
        way, bound = ("greater", least) if value < least else ("less", most)
        member = name[0].lower() + name[1:]
        raise AwsError(
            "ValidationException",
            f"1 validation error detected: Value '{value}' at 'bufferingHints.{member}' failed to satisfy constraint: "
            f"Member must have value {way} than or equal to {bound}",
        )


def constraint(value: str, member: str, pattern: str) -> AwsError:
    return AwsError(
        "ValidationException",
        f"1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: "
        f"Member must satisfy regular expression pattern: {pattern}",
    )


def not_offline(what: str) -> AwsError:
    return AwsError("NotImplemented", f"The offline AWS's Firehose does not support {what}.", 501)
