"""SageMaker's control plane on the wire: JSON 1.1 in, a method of the service, JSON 1.1 out."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from helpers.offline import constraints
from helpers.offline.kernel import Answer, AwsError, Call

Operation = Callable[[Call, dict[str, Any]], dict[str, Any] | None]


def answering(operation: Operation, model: str = "sagemaker") -> Callable[[Call], Answer]:
    """A handler for the kernel. Empty and missing members are left out of the answer, as AWS does."""

    def handle(call: Call) -> Answer:
        try:
            request = json.loads(call.body or b"{}")
        except ValueError:
            raise AwsError("SerializationException", "The request is not JSON.") from None
        constraints.check(call.operation, request, model)
        answer = without_empty(operation(call, request) or {})
        return Answer(200, {"content-type": "application/x-amz-json-1.1"}, json.dumps(answer).encode())

    return handle


def without_empty(answer: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in answer.items() if value is not None and value != {}}
