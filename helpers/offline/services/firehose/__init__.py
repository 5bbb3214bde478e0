"""Firehose: records are buffered by size and time, and become one S3 object per flush."""

from __future__ import annotations

import base64
import binascii
import json
import os

from helpers.offline.kernel import Answer, AwsError, Call, Kernel, Support
from helpers.offline.services.firehose.control import Control
from helpers.offline.services.firehose.delivery import TICK_S, Delivery
from helpers.offline.services.firehose.quota import slow_down

RECORD_LIMIT_BYTES = 1_024_000
BATCH_LIMIT_RECORDS, BATCH_LIMIT_BYTES = 500, 4 * 1024 * 1024

OPERATIONS: dict[str, Support] = {
    "CreateDeliveryStream": Support(
        "real",
        "DirectPut to S3; prefix expressions of timestamp and firehose, GZIP, AppendDelimiterToRecord, transformation "
        "by Lambda when a batch is delivered; ACTIVE after 0.3 s, and until then no record is taken",
    ),
    "DeleteDeliveryStream": Support("real", "what is buffered is delivered first"),
    "DescribeDeliveryStream": Support("real"),
    "ListDeliveryStreams": Support("real"),
    "UpdateDestination": Support("real"),
    "PutRecord": Support("real", "an acknowledged record survives a crash of the server"),
    "PutRecordBatch": Support(
        "real",
        "beyond the quota of 5 MiB or 500,000 records a second (in most regions 1 MiB or "
        "100,000; bursts of 10 MiB) the rest of a batch fails with ServiceUnavailableException",
    ),
    "TagDeliveryStream": Support("real"),
    "UntagDeliveryStream": Support("real"),
    "ListTagsForDeliveryStream": Support("real"),
}
JSON = {"content-type": "application/x-amz-json-1.1"}


def decoded(record: dict[str, str]) -> bytes:
    try:
        data = base64.b64decode(record["Data"], validate=True)
    except (KeyError, binascii.Error, ValueError):
        raise AwsError("SerializationException", "Record.Data must be base64-encoded bytes.") from None
    if len(data) > RECORD_LIMIT_BYTES:
        raise AwsError(
            "ValidationException",
            "1 validation error detected: Value at 'record.data' failed to satisfy constraint: "
            f"Member must have length less than or equal to {RECORD_LIMIT_BYTES}",
        )
    return data


def record_ids(number: int) -> list[str]:
    batch = os.urandom(16).hex()
    return [f"{batch}{position:08x}" for position in range(number)]


class DataPlane:
    """PutRecord and PutRecordBatch."""

    def __init__(self, delivery: Delivery) -> None:
        self.delivery = delivery

    def put_record(self, call: Call) -> Answer:
        request = json.loads(call.body)
        records = [decoded(request["Record"])]
        self.delivery.put_records(call.account_id, call.region, request["DeliveryStreamName"], records)
        return Answer(200, dict(JSON), json.dumps({"RecordId": record_ids(1)[0], "Encrypted": False}).encode())

    def put_record_batch(self, call: Call) -> Answer:
        request = json.loads(call.body)
        entries = request["Records"]
        if not 1 <= len(entries) <= BATCH_LIMIT_RECORDS:
            way = "less than or equal to 500" if entries else "greater than or equal to 1"
            raise AwsError(
                "ValidationException",
                "1 validation error detected: Value at 'records' failed to satisfy constraint: "
                f"Member must have length {way}",
            )
        records = [decoded(entry) for entry in entries]
        if sum(map(len, records)) > BATCH_LIMIT_BYTES:
            raise AwsError("InvalidArgumentException", "Records size exceeds 4 MB limit")
        accepted = self.delivery.put_some(call.account_id, call.region, request["DeliveryStreamName"], records)
        failed = len(records) - accepted
        responses: list[dict[str, str]] = [{"RecordId": identity} for identity in record_ids(accepted)]
        if failed:
            error = slow_down()
            responses += [{"ErrorCode": error.code, "ErrorMessage": error.message}] * failed
        body = {"FailedPutCount": failed, "Encrypted": False, "RequestResponses": responses}
        return Answer(200, dict(JSON), json.dumps(body).encode())


def install(kernel: Kernel) -> None:
    delivery = Delivery(kernel)
    control = Control(kernel, delivery)
    data_plane = DataPlane(delivery)
    kernel.ports.streams = delivery
    kernel.hot("firehose", "PutRecord", data_plane.put_record)
    kernel.hot("firehose", "PutRecordBatch", data_plane.put_record_batch)
    kernel.hot("firehose", "CreateDeliveryStream", control.create, blocking=True)
    kernel.hot("firehose", "UpdateDestination", control.update, blocking=True)
    kernel.hot("firehose", "DeleteDeliveryStream", control.delete, blocking=True)
    kernel.hot("firehose", "DescribeDeliveryStream", control.describe, blocking=True)
    kernel.on_start(delivery.recover)
    kernel.every(TICK_S, delivery.tick, name="firehose delivery")
    kernel.synced(delivery.sync)
    kernel.on_stop(delivery.flush)
