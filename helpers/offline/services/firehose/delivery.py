"""Delivery of records to S3: buffer by size and time, then one object per flush."""

from __future__ import annotations

import gzip
import json
import logging
import threading
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from moto.firehose.models import DeliveryStream, firehose_backends

from helpers.offline import fallthrough, service_roles
from helpers.offline.kernel import AwsError, Kernel
from helpers.offline.services.firehose import prefix, quota, transformation
from helpers.offline.services.firehose.buffer import Batch, Buffer
from helpers.offline.services.firehose.journal import Journal

MIB = 1024 * 1024
TICK_S = 0.2
RETRY_FOR_S = 24 * 3600  # https://docs.aws.amazon.com/firehose/latest/dev/retry.html
SERVICE = "firehose.amazonaws.com"
DEFAULT_SIZE_MB, DEFAULT_INTERVAL_S = 5, 300

log = logging.getLogger("offline.firehose")


class Delivery:
    """ports.streams, and what happens to the records afterwards."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self._buffers: dict[tuple[str, str], Buffer] = {}
        self._lock = threading.Lock()

    def put_records(self, account_id: str, region: str, stream_name: str, records: Sequence[bytes]) -> None:
        """All of the records are accepted when this returns.

        Raises AwsError where there is no such stream or it takes no more at this moment, OSError on a full disk.
        """
        stream = find(account_id, region, stream_name)
        buffer = self._buffer(region, stream_name)
        buffer.quota.admit_all(records)
        self._accept(stream, buffer, records)

    def put_some(self, account_id: str, region: str, stream_name: str, records: Sequence[bytes]) -> int:
        """How many of `records`, from the first on, are accepted: not all where they come too fast."""
        stream = find(account_id, region, stream_name)
        buffer = self._buffer(region, stream_name)
        number = buffer.quota.admitted(records)
        if number:
            self._accept(stream, buffer, records[:number])
        return number

    def _accept(self, stream: DeliveryStream, buffer: Buffer, records: Sequence[bytes]) -> None:
        destination = s3_destination(stream)
        if appends_delimiter(destination) and transformation.of(destination) is None:
            records = [record + b"\n" for record in records]
        buffer.add(records, size_limit(destination))

    def tick(self) -> None:
        """Delivers what is due."""
        for (region, name), buffer in list(self._buffers.items()):
            stream = firehose_backends[self.kernel.account_id][region].delivery_streams.get(name)
            if stream is None:
                continue
            destination = s3_destination(stream)
            interval_s = (destination.get("BufferingHints") or {}).get("IntervalInSeconds", DEFAULT_INTERVAL_S)
            if buffer.is_due(size_limit(destination), interval_s):
                buffer.cut()
            if transformation.of(destination) is None:
                self._deliver_waiting(region, stream, buffer)
            elif buffer.waiting and not buffer.delivering.locked():  # a slow function keeps no other stream waiting
                self.kernel.background(self._deliver_waiting, region, stream, buffer)

    def is_active(self, account_id: str, region: str, stream_name: str) -> bool:
        stream = firehose_backends[account_id][region].delivery_streams.get(stream_name)
        return stream is not None and not is_creating(stream)

    def sync(self) -> None:
        """The journals of all streams onto the disk itself."""
        for buffer in list(self._buffers.values()):
            buffer.sync()

    def flush(self, region: str | None = None, name: str | None = None) -> None:
        """Delivers now: everything, or one stream."""
        for (buffer_region, buffer_name), buffer in list(self._buffers.items()):
            if name is not None and (buffer_region, buffer_name) != (region, name):
                continue
            stream = firehose_backends[self.kernel.account_id][buffer_region].delivery_streams.get(buffer_name)
            if stream is not None:
                buffer.cut()
                self._deliver_waiting(buffer_region, stream, buffer)

    def recover(self) -> None:
        """After a restart: records that were acknowledged and not delivered."""
        for region, backend in fallthrough.regions_in_use(firehose_backends, self.kernel.account_id).items():
            for name in list(backend.delivery_streams):
                self._buffer(region, name).recover()

    def forget(self, region: str, name: str) -> None:
        """The stream is deleted; what could not be delivered goes with it, as on AWS."""
        buffer = self._buffers.pop((region, name), None)
        if buffer is not None:
            buffer.journal.cut()
            for path in buffer.journal.files():
                path.unlink(missing_ok=True)

    def _buffer(self, region: str, name: str) -> Buffer:
        key = (region, name)
        buffer = self._buffers.get(key)
        if buffer is None:
            with self._lock:
                buffer = self._buffers.get(key)
                if buffer is None:
                    buffer = self._buffers[key] = Buffer(
                        Journal(self.kernel.workspace.dir, region, name), quota.of_region(region)
                    )
        return buffer

    def _deliver_waiting(self, region: str, stream: DeliveryStream, buffer: Buffer) -> None:
        with buffer.delivering:
            while buffer.waiting and buffer.waiting[0].next_attempt <= time.monotonic():
                batch = buffer.waiting[0]
                try:
                    self._put(region, stream, batch)
                except transformation.Stopping:
                    return
                except (AwsError, OSError) as error:
                    self._put_off(region, stream, batch, error)
                    if time.monotonic() - batch.begun < RETRY_FOR_S:
                        return
                buffer.waiting.pop(0)
                for path in batch.files:
                    path.unlink(missing_ok=True)

    def _put(self, region: str, stream: DeliveryStream, batch: Batch) -> None:
        """Raises AwsError, OSError, and Stopping where a function would have to run while the server ends."""
        destination = s3_destination(stream)
        processor = transformation.of(destination)
        if processor is None:
            self._write(stream, destination, batch.body(), batch.arrived)
            return
        role, records = destination["RoleARN"], list(batch.each())
        made, failures = transformation.transformed(
            self.kernel, stream, region, role, processor, records, batch.arrived
        )
        if failures:
            lines = b"".join(failure.line(processor.function_arn) for failure in failures)
            self._write(stream, destination, lines, batch.arrived, error_type="processing-failed")
        if made:
            delimiter = b"\n" if appends_delimiter(destination) else b""
            self._write(stream, destination, b"".join(data + delimiter for data in made), batch.arrived)

    def _write(
        self,
        stream: DeliveryStream,
        destination: Mapping[str, Any],
        body: bytes,
        arrived: float,
        *,
        error_type: str = "",
    ) -> None:
        """One object. Without an error prefix, what failed goes to a folder with the name of `error_type`."""
        suffix, template = "", destination.get("Prefix") or ""
        if error_type:
            template = destination.get("ErrorOutputPrefix") or f"{error_type}/"
        elif destination.get("CompressionFormat", "UNCOMPRESSED") == "GZIP":
            body, suffix = gzip.compress(body, 6), ".gz"
        key = prefix.object_key(
            template,
            stream.delivery_stream_name,
            str(stream.version_id),
            datetime.fromtimestamp(arrived, ZoneInfo(destination.get("CustomTimeZone") or "UTC")),
            suffix if error_type else destination.get("FileExtension") or suffix,
            error_type,
        )
        bucket = destination["BucketARN"].rpartition(":")[2]
        stream_name, role = stream.delivery_stream_name, destination["RoleARN"]
        arn = f"arn:aws:s3:::{bucket}/{key}"
        if refused := service_roles.refusal(self.kernel, role, stream_name, "s3:PutObject", arn):
            raise AwsError("AccessDenied", refused, 403)
        self.kernel.ports.objects.put(bucket, key, body)

    def _put_off(self, region: str, stream: DeliveryStream, batch: Batch, error: Exception) -> None:
        batch.attempts += 1
        batch.records = None
        batch.next_attempt = time.monotonic() + min(60, 2**batch.attempts)
        code = error.code if isinstance(error, AwsError) else "S3.WriteFailed"
        message = error.message if isinstance(error, AwsError) else str(error)
        log.warning("%s: delivery attempt %s failed: %s", stream.delivery_stream_name, batch.attempts, error)
        options = s3_destination(stream).get("CloudWatchLoggingOptions") or {}
        if options.get("Enabled") and options.get("LogGroupName") and options.get("LogStreamName"):
            self.kernel.ports.logs.write(
                self.kernel.account_id,
                region,
                options["LogGroupName"],
                options["LogStreamName"],
                [json.dumps({"errorCode": f"S3.{code}", "errorMessage": message, "attemptsMade": batch.attempts})],
            )


def find(account_id: str, region: str, name: str) -> DeliveryStream:
    stream = firehose_backends[account_id][region].delivery_streams.get(name)
    if stream is None or is_creating(stream):
        raise AwsError("ResourceNotFoundException", f"Firehose {name} under account {account_id} not found.")
    return stream


def is_creating(stream: DeliveryStream) -> bool:
    return time.time() < stream.__dict__.get("active_from", 0.0)


def size_limit(destination: Mapping[str, Any]) -> int:
    """The size in bytes at which the buffer is full."""
    return (destination.get("BufferingHints") or {}).get("SizeInMBs", DEFAULT_SIZE_MB) * MIB


def s3_destination(stream: DeliveryStream) -> dict[str, Any]:
    """The stream's S3 configuration, extended or plain."""
    held = stream.destinations[0]
    return held.get("ExtendedS3") or held["S3"]


def appends_delimiter(destination: dict[str, Any]) -> bool:
    processing = destination.get("ProcessingConfiguration") or {}
    return bool(processing.get("Enabled")) and any(
        processor.get("Type") == "AppendDelimiterToRecord" for processor in processing.get("Processors", [])
    )
