"""Tags of SageMaker's resources: AddTags, ListTags, DeleteTags."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from helpers.offline.kernel import Call
from helpers.offline.services.sagemaker.store import Store


class Tags:
    """`changed` is told a record whose tags are new."""

    def __init__(self, store: Store, changed: Callable[[Any], None]) -> None:
        self.store = store
        self.changed = changed

    def add(self, call: Call, request: dict[str, Any]) -> dict[str, Any]:
        record = self.store.by_arn(request["ResourceArn"])
        new = {tag["Key"]: tag for tag in request["Tags"]}
        with self.store.lock:
            record.tags = [tag for tag in record.tags if tag["Key"] not in new] + list(new.values())
        self.changed(record)
        return {"Tags": record.tags}

    def list(self, call: Call, request: dict[str, Any]) -> dict[str, Any]:
        return {"Tags": self.store.by_arn(request["ResourceArn"]).tags}

    def delete(self, call: Call, request: dict[str, Any]) -> None:
        record = self.store.by_arn(request["ResourceArn"])
        with self.store.lock:
            record.tags = [tag for tag in record.tags if tag["Key"] not in request["TagKeys"]]
        self.changed(record)
