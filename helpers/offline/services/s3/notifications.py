"""Events of a bucket's objects, told to queues, topics, functions and EventBridge: written down first, then sent.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, quote_plus

from helpers.offline import fallthrough, wire
from helpers.offline.authorization import user_id
from helpers.offline.courier import Courier
from helpers.offline.identities import OWNER_ID
from helpers.offline.kernel import Answer, AwsError, Call, Kernel
from helpers.offline.services.s3 import notification_settings
from helpers.offline.services.s3.notification_settings import SERVICE, Settings
from helpers.offline.services.s3.requests import objects_to_delete

# Verb of the event -> what EventBridge calls its reason.
REASONS = {"Put": "PutObject", "Post": "POST Object", "Copy": "CopyObject", "Delete": "DeleteObject"}
REASONS |= {"DeleteMarkerCreated": "DeleteObject"}

_seen: ContextVar[list[tuple[str, Any, Any]] | None] = ContextVar("seen", default=None)


@dataclass(frozen=True, slots=True)
class Happening:
    """One thing that happened to one object. `group` such as ObjectCreated, `verb` such as Put."""

    group: str
    verb: str
    key: str
    etag: str | None = None
    size: int | None = None
    version_id: str | None = None


@dataclass(frozen=True, slots=True)
class Delivery:
    """What one destination is to get. `arn` is empty for EventBridge, whose event is `text`."""

    arn: str
    bucket: str
    region: str
    text: str


class Notifications:
    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.courier = Courier(kernel, "notifications of buckets", self._deliver)

    def attach(self) -> None:
        """moto's own notifications, with made-up members and without permissions, are replaced."""
        from moto.s3 import models, notifications

        notifications.send_event = self._made
        models.events_send_notification = lambda **event: None

    def put_configuration(self, call: Call) -> Answer:
        bucket = _bucket(self.kernel.account_id, call.path_parameters["Bucket"])
        settings = notification_settings.parsed(call.body)
        if call.headers.get("x-amz-skip-destination-validation", "").lower() != "true":
            notification_settings.check_destinations(self.kernel, bucket.name, bucket.region_name, settings)
        bucket.notification_settings = settings
        for arn in {rule.arn for rule in settings.rules if ":lambda:" not in rule.arn}:
            test = {"Service": "Amazon S3", "Event": "s3:TestEvent", "Time": _now(), "Bucket": bucket.name}
            test |= {"RequestId": wire.request_id(), "HostId": "offline"}
            self.courier.send(Delivery(arn, bucket.name, bucket.region_name, json.dumps(test)))
        return Answer()

    def get_configuration(self, call: Call) -> Answer:
        bucket = _bucket(self.kernel.account_id, call.path_parameters["Bucket"])
        body = notification_settings.written(_settings(bucket) or Settings())
        return Answer(200, {"content-type": "application/xml"}, body)

    # --- what happens -------------------------------------------------------------------------------------------------

    def telling(self, handler: Callable[[Call], Answer] = fallthrough.ask_moto) -> Callable[[Call], Answer]:
        """`handler`, and what it did to objects is told when it succeeded. Blocks."""

        def handle(call: Call) -> Answer:
            bucket = _find(call.account_id, call.path_parameters.get("Bucket", ""))
            if bucket is None or _settings(bucket) is None:
                return handler(call)
            seen: list[tuple[str, Any, Any]] = []
            token = _seen.set(seen)
            removable = _removable(call, bucket)
            try:
                answer = handler(call)
            finally:
                _seen.reset(token)
            if answer.status < 400:
                for happening in _happenings(call, bucket, seen, removable):
                    self._tell(bucket, happening, call)
            return answer

        return handle

    def _made(self, account_id: str, event_name: str, bucket: Any, key: Any) -> None:
        """In moto's place: an object was made, by a call or by another service of the offline AWS."""
        name = getattr(event_name, "value", event_name)
        if _settings(bucket) is None or not name.startswith("s3:ObjectCreated:"):
            return
        seen = _seen.get()
        if seen is not None:
            seen.append((name, bucket, key))
        else:
            self._tell(bucket, _created(name, bucket, key), None)

    def _tell(self, bucket: Any, happening: Happening, call: Call | None) -> None:
        settings, name = _settings(bucket), f"s3:{happening.group}:{happening.verb}"
        assert settings is not None
        record = _record(self.kernel.account_id, bucket, happening, call)
        for rule in settings.rules:
            if rule.matches(name, happening.key):
                record["s3"]["configurationId"] = rule.id
                text = json.dumps({"Records": [record]}, ensure_ascii=False)
                self.courier.send(Delivery(rule.arn, bucket.name, bucket.region_name, text))
        if settings.event_bridge:
            event = _bridged(self.kernel.account_id, bucket, happening, record)
            self.courier.send(Delivery("", bucket.name, bucket.region_name, json.dumps(event, ensure_ascii=False)))

    def _deliver(self, delivery: Delivery) -> None:
        ports, whose = self.kernel.ports, {"source_principal": SERVICE, "source_arn": f"arn:aws:s3:::{delivery.bucket}"}
        match delivery.arn.split(":")[2] if delivery.arn else "events":
            case "lambda":
                ports.functions.invoke_async(delivery.arn, delivery.text.encode(), **whose)
            case "sqs":
                ports.queues.send(delivery.arn, delivery.text, **whose)
            case "sns":
                ports.topics.publish(delivery.arn, delivery.text, subject="Amazon S3 Notification", **whose)
            case "events":
                event = json.loads(delivery.text)
                ports.events.emit(
                    self.kernel.account_id,
                    delivery.region,
                    "aws.s3",
                    event["detail-type"],
                    event["detail"],
                    [f"arn:aws:s3:::{delivery.bucket}"],
                )


def _happenings(
    call: Call, bucket: Any, seen: list[tuple[str, Any, Any]], removable: list[tuple[str, str | None]]
) -> list[Happening]:
    match call.operation:
        case "DeleteObject" | "DeleteObjects":
            return [_removed(bucket, key, version) for key, version in removable]
        case "PutObjectTagging" | "DeleteObjectTagging":
            return _tagged(call, bucket)
    if not seen:
        return []
    name, _, key = seen[-1]  # of a completed upload moto tells two
    return [_created("s3:ObjectCreated:Post" if call.is_form else name, bucket, key)]


def _tagged(call: Call, bucket: Any) -> list[Happening]:
    versions, asked = bucket.keys.getlist(call.path_parameters["Key"], []), _asked_version(call)
    key = next((one for one in reversed(versions) if asked is None or str(one.version_id) == asked), None)
    if key is None:  # deleted in between
        return []
    verb = "Put" if call.operation.startswith("Put") else "Delete"
    version = key.version_id if bucket.is_versioned else None
    return [Happening("ObjectTagging", verb, key.name, key.etag.strip('"'), None, version)]


def _asked_version(call: Call) -> str | None:
    return parse_qs(call.query).get("versionId", [None])[0]


def _created(name: str, bucket: Any, key: Any) -> Happening:
    version = key.version_id if bucket.is_versioned else None
    verb = name.rpartition(":")[2]
    return Happening("ObjectCreated", verb, key.name, key.etag.strip('"'), key.contentsize, version)


def _removable(call: Call, bucket: Any) -> list[tuple[str, str | None]]:
    """(key, version) of the objects that are there and that the call is about to delete."""
    wanted: list[tuple[str, str | None]] = []
    if call.operation == "DeleteObject":
        wanted = [(call.path_parameters["Key"], _asked_version(call))]
    elif call.operation == "DeleteObjects":
        wanted = objects_to_delete(call.body)
    found = []
    for key, version in wanted:
        held = bucket.keys.getlist(key, [])
        if held if version is None else any(str(one.version_id) == version for one in held):
            found.append((key, version))
    return found


def _removed(bucket: Any, key: str, version: str | None) -> Happening:
    if bucket.is_versioned and version is None:
        marker = bucket.keys.get(key)
        return Happening("ObjectRemoved", "DeleteMarkerCreated", key, version_id=marker and marker.version_id)
    return Happening("ObjectRemoved", "Delete", key, version_id=version)


def _record(account_id: str, bucket: Any, happening: Happening, call: Call | None) -> dict[str, Any]:
    is_tagging = happening.group == "ObjectTagging"
    thing: dict[str, Any] = {"key": quote_plus(happening.key, safe="/")}
    known = {"size": happening.size, "eTag": happening.etag, "versionId": happening.version_id}
    thing |= {name: value for name, value in known.items() if value is not None}
    if not is_tagging:
        thing["sequencer"] = f"{time.time_ns():018X}"
    return {
        "eventVersion": "2.3" if is_tagging else "2.1",
        "eventSource": "aws:s3",
        "awsRegion": bucket.region_name,
        "eventTime": _now(),
        "eventName": f"{happening.group}:{happening.verb}",
        "userIdentity": {"principalId": f"AWS:{user_id(account_id, call.principal) if call else OWNER_ID}"},
        "requestParameters": {"sourceIPAddress": "127.0.0.1"},
        "responseElements": {"x-amz-request-id": wire.request_id(), "x-amz-id-2": "offline"},
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": "",
            "bucket": {
                "name": bucket.name,
                "ownerIdentity": {"principalId": f"A{account_id}"},
                "arn": f"arn:aws:s3:::{bucket.name}",
            },
            "object": thing,
        },
    }


def _bridged(account_id: str, bucket: Any, happening: Happening, record: dict[str, Any]) -> dict[str, Any]:
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html"""
    thing: dict[str, Any] = {"key": happening.key}
    known = {"size": happening.size, "etag": happening.etag, "version-id": happening.version_id}
    thing |= {name: value for name, value in known.items() if value is not None}
    if "sequencer" in record["s3"]["object"]:
        thing["sequencer"] = record["s3"]["object"]["sequencer"]
    detail: dict[str, Any] = {
        "version": "0",
        "bucket": {"name": bucket.name},
        "object": thing,
        "request-id": record["responseElements"]["x-amz-request-id"],
        "requester": account_id,
        "source-ip-address": "127.0.0.1",
    }
    if happening.group == "ObjectTagging":
        return {"detail-type": f"Object Tags {'Added' if happening.verb == 'Put' else 'Deleted'}", "detail": detail}
    detail["reason"] = REASONS.get(happening.verb, happening.verb)
    if happening.group == "ObjectRemoved":
        is_marker = happening.verb == "DeleteMarkerCreated"
        detail["deletion-type"] = "Delete Marker Created" if is_marker else "Permanently Deleted"
        return {"detail-type": "Object Deleted", "detail": detail}
    return {"detail-type": "Object Created", "detail": detail}


def _settings(bucket: Any) -> Settings | None:
    return bucket.__dict__.get("notification_settings")


def _find(account_id: str, name: str) -> Any:
    from moto.s3.models import s3_backends

    return s3_backends[account_id]["aws"].buckets.get(name)


def _bucket(account_id: str, name: str) -> Any:
    bucket = _find(account_id, name)
    if bucket is None:
        raise AwsError("NoSuchBucket", "The specified bucket does not exist", 404, BucketName=name)
    return bucket


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
