"""Data capture: a share of an endpoint's requests and answers, as JSON Lines in S3."""

from __future__ import annotations

import base64
import json
import logging
import random
import threading
import time
import uuid
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from helpers.offline.identifiers import random_uuid
from helpers.offline.kernel import AwsError, Kernel
from helpers.offline.outbox import Outbox
from helpers.offline.services.sagemaker.channels import split_uri
from helpers.offline.services.sagemaker.serving.container import Reply

CSV, JSON = "CSV", "JSON"
log = logging.getLogger("offline.sagemaker")


@dataclass(slots=True)
class Captured:
    """One line, and where it belongs."""

    destination: str
    endpoint: str
    variant: str
    line: str
    id: str = field(default_factory=random_uuid)


class Capture:
    """Lines are gathered and written with `flush`, one object each time; what is gathered survives a crash."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.lock = threading.Lock()
        self.outbox = Outbox(kernel.workspace.dir / "state" / "capture.outbox")
        self.gathered: list[Captured] = []

    def recover(self) -> None:
        """What an earlier process gathered and did not write."""
        self.gathered = self.outbox.left()

    def note(
        self,
        config: dict[str, Any],
        region: str,
        endpoint: str,
        variant: str,
        body: bytes,
        content_type: str,
        reply: Reply,
        inference_id: str | None,
    ) -> None:
        if not config.get("EnableCapture", True) or random.random() * 100 >= config["InitialSamplingPercentage"]:
            return
        modes = {option["CaptureMode"] for option in config["CaptureOptions"]}
        data: dict[str, Any] = {}
        if modes & {"Input", "InputAndOutput"}:
            data["endpointInput"] = _side(config, content_type, "INPUT", body)
        if modes & {"Output", "InputAndOutput"}:
            data["endpointOutput"] = _side(config, reply.content_type, "OUTPUT", reply.body)
        event = {"eventId": str(uuid.uuid4()), "inferenceTime": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"}
        if inference_id:
            event["inferenceId"] = inference_id
        line = json.dumps({"captureData": data, "eventMetadata": event, "eventVersion": "0"})
        captured = Captured(config["DestinationS3Uri"], endpoint, variant, line)
        try:
            self.outbox.put(captured.id, captured)
        except OSError as error:  # the inference goes on, as on AWS
            log.error("captured data of %s would not survive a crash now: %s", endpoint, error)
        with self.lock:
            self.gathered.append(captured)

    def flush(self) -> None:
        """Without a bucket the lines are lost, as on AWS; while the disk is full they wait."""
        with self.lock:
            gathered, self.gathered = self.gathered, []
        objects: dict[tuple[str, str, str], list[Captured]] = defaultdict(list)
        for one in gathered:
            objects[one.destination, one.endpoint, one.variant].append(one)
        for (destination, endpoint, variant), lines in objects.items():
            bucket, prefix = split_uri(destination)
            now = datetime.fromtimestamp(time.time(), UTC)
            name = f"{now:%Y/%m/%d/%H}/{now:%M-%S-%f}-{uuid.uuid4()}.jsonl"
            key = "/".join(part for part in (prefix.strip("/"), endpoint, variant, name) if part)
            try:
                self.kernel.ports.objects.put(bucket, key, "".join(f"{one.line}\n" for one in lines).encode())
            except OSError as error:
                log.warning("captured data of %s waits: %s", endpoint, error)
                with self.lock:
                    self.gathered = lines + self.gathered
                continue
            except AwsError as error:
                log.warning("captured data of %s is lost: %s", endpoint, error)
            self.outbox.done(*(one.id for one in lines))


def _side(config: dict[str, Any], content_type: str, mode: str, data: bytes) -> dict[str, Any]:
    """Base64, unless CaptureContentTypeHeader names the content type as CSV or JSON."""
    kind = content_type.partition(";")[0].strip()
    headers = config.get("CaptureContentTypeHeader", {})
    encoding = "BASE64"
    if kind in headers.get("CsvContentTypes", []):
        encoding = CSV
    elif kind in headers.get("JsonContentTypes", []):
        encoding = JSON
    text = data.decode("utf-8", "replace") if encoding != "BASE64" else base64.b64encode(data).decode()
    return {"observedContentType": content_type, "mode": mode, "data": text, "encoding": encoding}
