"""Tags of SageMaker's resources: AddTags, ListTags, DeleteTags."""

from __future__ import annotations

from typing import Any

from helpers.offline.kernel import Call
from helpers.offline.services.sagemaker.store import Store


class Tags:
    def __init__(self, store: Store) -> None:
        self.store = store

    def add(self, call: Call, request: dict[str, Any]) -> dict[str, Any]:
        record = self.store.by_arn(request["ResourceArn"])
        new = {tag["Key"]: tag for tag in request["Tags"]}
        with self.store.lock:
            record.tags = [tag for tag in record.tags if tag["Key"] not in new] + list(new.values())
        return {"Tags": record.tags}

    def list(self, call: Call, request: dict[str, Any]) -> dict[str, Any]:
        return {"Tags": self.store.by_arn(request["ResourceArn"]).tags}

    def delete(self, call: Call, request: dict[str, Any]) -> None:
        record = self.store.by_arn(request["ResourceArn"])
        with self.store.lock:
            record.tags = [tag for tag in record.tags if tag["Key"] not in request["TagKeys"]]
