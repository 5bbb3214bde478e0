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
from datetime import UTC, datetime
from typing import Any

from helpers.offline.kernel import AwsError, Kernel
from helpers.offline.services.sagemaker.channels import split_uri
from helpers.offline.services.sagemaker.serving.container import Reply

CSV, JSON = "CSV", "JSON"
log = logging.getLogger("offline.sagemaker")


class Capture:
    """Lines are gathered and written with `flush`, one object each time."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.lock = threading.Lock()
        self.lines: dict[tuple[str, str, str], list[str]] = defaultdict(list)

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
        with self.lock:
            self.lines[config["DestinationS3Uri"], endpoint, variant].append(line)

    def flush(self) -> None:
        with self.lock:
            gathered, self.lines = self.lines, defaultdict(list)
        for (destination, endpoint, variant), lines in gathered.items():
            bucket, prefix = split_uri(destination)
            now = datetime.fromtimestamp(time.time(), UTC)
            name = f"{now:%Y/%m/%d/%H}/{now:%M-%S-%f}-{uuid.uuid4()}.jsonl"
            key = "/".join(part for part in (prefix.strip("/"), endpoint, variant, name) if part)
            try:
                self.kernel.ports.objects.put(bucket, key, ("\n".join(lines) + "\n").encode())
            except (AwsError, OSError) as error:
                log.warning("captured data of %s is lost: %s", endpoint, error)


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
