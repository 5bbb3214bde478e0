"""Event source mappings: which queue feeds which function; kept here, checked as Lambda checks them.

https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
"""

from __future__ import annotations

import copy
import json
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, unquote

from helpers.offline import service_roles
from helpers.offline.kernel import Answer, AwsError, Call, Kernel
from helpers.offline.services.functions import lookup
from helpers.offline.services.functions.event_settings import answer
from helpers.offline.services.functions.existing import invalid, not_found

DEFAULT_BATCH, BATCH_WITHOUT_WINDOW = 10, 10
NEEDED = ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes")
SETTABLE = ("BatchSize", "MaximumBatchingWindowInSeconds", "FunctionResponseTypes", "FilterCriteria", "ScalingConfig")
NOT_OFFLINE = ("DestinationConfig", "KMSKeyArn", "MetricsConfig", "Tags", "ProvisionedPollerConfig", "LoggingConfig")
FOR_STREAMS = ("ParallelizationFactor", "BisectBatchOnFunctionError", "MaximumRetryAttempts", "TumblingWindowInSeconds")
FOR_STREAMS += ("MaximumRecordAgeInSeconds", "StartingPositionTimestamp")
PAGE = 100


@dataclass(slots=True)
class Mapping:
    """One queue and the function that it feeds. `settings` are the members of SETTABLE, as AWS answers them."""

    id: str
    queue_arn: str
    function_arn: str  # with version or alias where it was named with one
    region: str
    enabled: bool
    settings: dict[str, Any]
    changed: float


class EventSources:
    """The five operations, and the mappings by id, which the poller reads."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.mappings: dict[str, Mapping] = {}

    def operations(self) -> dict[str, Callable[[Call], Answer]]:
        return {
            "CreateEventSourceMapping": self.create,
            "UpdateEventSourceMapping": self.update,
            "GetEventSourceMapping": self.get,
            "ListEventSourceMappings": self.list,
            "DeleteEventSourceMapping": self.delete,
        }

    def save(self) -> dict[str, Mapping]:
        return copy.deepcopy(self.mappings)

    def load(self, held: dict[str, Mapping]) -> None:
        self.mappings.update(held)

    def create(self, call: Call) -> Answer:
        request = json.loads(call.body)
        arn = request.get("EventSourceArn") or ""
        service = arn.split(":")[2] if arn.count(":") >= 5 else ""
        if not service:
            raise invalid("Unrecognized event source.")
        if service != "sqs":
            raise AwsError("NotImplemented", f"The offline AWS's Lambda has no event sources of {service}.", 501)
        if request.get("StartingPosition"):
            raise invalid("StartingPosition is not valid for SQS event sources.")
        target = lookup.find(request["FunctionName"], call.account_id, call.region)
        name = target.function.function_name
        for held in self.mappings.values():
            if (held.queue_arn, held.function_arn) == (arn, target.invoked_arn):
                raise AwsError(
                    "ResourceConflictException",
                    f'An event source mapping with SQS arn (" {arn} ") and function (" {name} ") already exists. '
                    f"Please update or delete the existing mapping with UUID {held.id}",
                    409,
                    Type="User",
                )
        settings = {"BatchSize": DEFAULT_BATCH, "MaximumBatchingWindowInSeconds": 0, "FunctionResponseTypes": []}
        settings |= _given(request)
        self._check(arn, target, settings)
        mapping = Mapping(
            str(uuid.uuid4()), arn, target.invoked_arn, call.region, request.get("Enabled", True), settings, time.time()
        )
        self.mappings[mapping.id] = mapping
        return self._told(mapping, "Creating", 202)

    def update(self, call: Call) -> Answer:
        mapping = self._found(call)
        request = json.loads(call.body)
        name = request.get("FunctionName") or mapping.function_arn
        target = lookup.find(name, call.account_id, call.region)
        settings = mapping.settings | _given(request)
        self._check(mapping.queue_arn, target, settings)
        enabled = request.get("Enabled", mapping.enabled)
        state = "Updating" if enabled == mapping.enabled else "Enabling" if enabled else "Disabling"
        mapping.function_arn, mapping.settings, mapping.enabled = target.invoked_arn, settings, enabled
        mapping.changed = time.time()
        return self._told(mapping, state, 202)

    def get(self, call: Call) -> Answer:
        return self._told(self._found(call))

    def list(self, call: Call) -> Answer:
        query = {name: values[0] for name, values in parse_qs(call.query).items()}
        found = [one for one in self.mappings.values() if one.region == call.region]
        if source := query.get("EventSourceArn"):
            found = [one for one in found if one.queue_arn == source]
        if name := query.get("FunctionName"):
            arn = lookup.find(name, call.account_id, call.region).invoked_arn
            found = [one for one in found if one.function_arn == arn]
        first, size = int(query.get("Marker") or 0), int(query.get("MaxItems") or PAGE)
        page: dict[str, Any] = {"EventSourceMappings": [self._described(one) for one in found[first : first + size]]}
        if first + size < len(found):
            page["NextMarker"] = str(first + size)
        return answer(page)

    def delete(self, call: Call) -> Answer:
        mapping = self._found(call)
        del self.mappings[mapping.id]
        return self._told(mapping, "Deleting", 202)

    # --- pieces ---

    def _found(self, call: Call) -> Mapping:
        identity = unquote(call.path_parameters.get("UUID") or call.path.rstrip("/").rpartition("/")[2])
        mapping = self.mappings.get(identity)
        if mapping is None or mapping.region != call.region:
            raise not_found("The resource you requested does not exist.")
        return mapping

    def _check(self, arn: str, target: lookup.Target, settings: dict[str, Any]) -> None:
        role = target.function.role
        for operation in NEEDED:
            if service_roles.refusal(self.kernel, role, target.function.function_name, f"sqs:{operation}", arn):
                raise invalid(f"The function execution role does not have permissions to call {operation} on SQS")
        try:
            facts = self.kernel.ports.queues.facts(arn)
        except AwsError as error:
            raise invalid(
                f"Error occurred while ReceiveMessage. SQS Error Code: {error.code}. SQS Error Message: {error.message}"
            ) from error
        timeout_s = int(target.function.timeout)
        if facts.visibility_timeout_s < timeout_s:
            raise invalid(
                f"Queue visibility timeout: {facts.visibility_timeout_s} seconds is less than "
                f"Function timeout: {timeout_s} seconds"
            )
        window_s = settings["MaximumBatchingWindowInSeconds"]
        if facts.is_fifo and window_s:
            raise invalid("Batching window is not supported for FIFO queues")
        if settings["BatchSize"] > BATCH_WITHOUT_WINDOW and (facts.is_fifo or not window_s):
            raise invalid(
                "Maximum batch size of FIFO queues is 10"
                if facts.is_fifo
                else "Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10"
            )

    def _told(self, mapping: Mapping, state: str = "", status: int = 200) -> Answer:
        document = self._described(mapping)
        told = answer(document | {"State": state} if state else document)
        told.status = status
        return told

    def _described(self, mapping: Mapping) -> dict[str, Any]:
        return mapping.settings | {
            "UUID": mapping.id,
            "EventSourceArn": mapping.queue_arn,
            "FunctionArn": mapping.function_arn,
            "EventSourceMappingArn": f"arn:aws:lambda:{mapping.region}:{self.kernel.account_id}:event-source-mapping:"
            f"{mapping.id}",
            "LastModified": round(mapping.changed, 3),
            "State": "Enabled" if mapping.enabled else "Disabled",
            "StateTransitionReason": "USER_INITIATED",
        }


def _given(request: dict[str, Any]) -> dict[str, Any]:
    """The settings that a request makes. Raises AwsError for those that are of no use to queues, or offline."""
    for name in NOT_OFFLINE:
        if request.get(name):
            raise AwsError("NotImplemented", f"The offline AWS's event source mappings have no {name}.", 501)
    for name in FOR_STREAMS:
        if request.get(name) is not None:
            raise invalid(f"{name} is not supported for SQS event sources.")
    given = {name: request[name] for name in SETTABLE if request.get(name) is not None}
    for one in (given.get("FilterCriteria") or {}).get("Filters") or []:
        try:
            is_pattern = isinstance(json.loads(one.get("Pattern") or ""), dict)
        except ValueError:
            is_pattern = False
        if not is_pattern:
            raise invalid("Invalid filter pattern definition.")
    return given
