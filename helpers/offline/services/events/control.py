"""Rules, targets and events as they come from clients: checked as AWS checks, kept by moto."""

from __future__ import annotations

import json
import re
from typing import Any

from moto.events.models import events_backends

from helpers.offline import fallthrough, patterns, service_roles
from helpers.offline.kernel import Answer, AwsError, Call, Kernel
from helpers.offline.services.events import schedule
from helpers.offline.services.events.bus import SERVICE, Bus

TARGETS = {"lambda", "sns", "sqs", "firehose", "logs"}
TARGET_LIMIT = 5
ENTRY_LIMIT, ENTRIES_LIMIT_BYTES = 10, 256 * 1024
NOT_OFFLINE = {
    "EcsParameters",
    "BatchParameters",
    "HttpParameters",
    "KinesisParameters",
    "RedshiftDataParameters",
    "RunCommandParameters",
    "SageMakerPipelineParameters",
    "AppSyncParameters",
}
JSON = {"content-type": "application/x-amz-json-1.1"}


class Control:
    def __init__(self, kernel: Kernel, bus: Bus) -> None:
        self.kernel = kernel
        self.bus = bus

    def put_rule(self, call: Call) -> Answer:
        request = json.loads(call.body)
        default_bus_only(request)
        if request.get("ScheduleExpression"):
            schedule.parsed(request["ScheduleExpression"])
        if request.get("EventPattern"):
            check_pattern(request["EventPattern"])
        return fallthrough.ask_moto(call)

    def test_event_pattern(self, call: Call) -> Answer:
        request = json.loads(call.body)
        pattern = check_pattern(request["EventPattern"])
        try:
            event = json.loads(request["Event"])
        except ValueError:
            event = None
        needed = ("id", "account", "source", "time", "region", "resources", "detail-type")
        if not isinstance(event, dict) or any(name not in event for name in needed):
            raise AwsError("ValidationException", "Parameter Event is not valid.")
        result = {"Result": patterns.matches(pattern, event)}
        return Answer(200, dict(JSON), json.dumps(result).encode())

    def put_targets(self, call: Call) -> Answer:
        request = json.loads(call.body)
        default_bus_only(request)
        backend = events_backends[call.account_id][call.region]
        rule = backend.event_buses["default"].rules.get(request["Rule"])
        for target in request.get("Targets", []):
            self._check_target(target)
        if rule is not None:
            ids = {target["Id"] for target in rule.targets} | {target["Id"] for target in request.get("Targets", [])}
            if len(ids) > TARGET_LIMIT:
                raise AwsError(
                    "LimitExceededException",
                    f"A rule has at most {TARGET_LIMIT} targets; this one would have {len(ids)}.",
                )
        return fallthrough.ask_moto(call)

    def _check_target(self, target: dict[str, Any]) -> None:
        arn = str(target.get("Arn", ""))
        parts = arn.split(":")
        if len(parts) < 6 or parts[0] != "arn":
            raise AwsError(
                "ValidationException", f"Parameter {arn} is not valid. Reason: Provided Arn is not in correct format."
            )
        if parts[2] not in TARGETS:
            raise not_offline(f"targets of {parts[2]}")
        for name in sorted(NOT_OFFLINE & target.keys()):
            raise not_offline(f"targets with {name}")
        given = [name for name in ("Input", "InputPath", "InputTransformer") if target.get(name) is not None]
        if len(given) > 1:
            raise AwsError(
                "ValidationException",
                f"Only one of Input, InputPath, or InputTransformer must be provided for target {target['Id']}.",
            )
        if target.get("Input") is not None:
            try:
                json.loads(target["Input"])
            except ValueError:
                raise AwsError(
                    "ValidationException", f"JSON syntax error in input for target {target['Id']}."
                ) from None
        if parts[2] == "firehose":
            role = target.get("RoleArn")
            if not role:
                raise AwsError(
                    "ValidationException", f"Parameter(s) RoleArn must be specified for target: {target['Id']}."
                )
            if not service_roles.trusts(self.kernel.account_id, role, SERVICE):
                raise AwsError(
                    "ValidationException", f"Provided role '{role}' cannot be assumed by principal '{SERVICE}'."
                )
        letters = (target.get("DeadLetterConfig") or {}).get("Arn")
        if letters and not re.fullmatch(r"arn:aws[\w-]*:sqs:[\w-]+:\d{12}:[\w-]+", letters):
            raise AwsError("ValidationException", f"The dead-letter queue {letters} is no standard queue of SQS.")

    def put_events(self, call: Call) -> Answer:
        entries = json.loads(call.body).get("Entries", [])
        if len(entries) > ENTRY_LIMIT:
            raise AwsError(
                "ValidationException",
                f"1 validation error detected: Value '{entries}' at 'entries' failed to satisfy constraint: "
                f"Member must have length less than or equal to {ENTRY_LIMIT}",
            )
        if sum(map(size_bytes, entries)) > ENTRIES_LIMIT_BYTES:
            raise AwsError("ValidationException", "Total size of the entries in the request is over the limit.")
        answers: list[dict[str, str]] = []
        for entry in entries:
            try:
                answers.append({"EventId": self._put(call, entry)})
            except AwsError as error:
                answers.append({"ErrorCode": error.code, "ErrorMessage": error.message})
        failed = sum("ErrorCode" in one for one in answers)
        return Answer(200, dict(JSON), json.dumps({"FailedEntryCount": failed, "Entries": answers}).encode())

    def _put(self, call: Call, entry: dict[str, Any]) -> str:
        """The event's id. Raises AwsError for an entry that fails by itself."""
        for name in ("Source", "DetailType", "Detail"):
            if not entry.get(name):
                raise AwsError(
                    "InvalidArgument", f"Parameter {name} is not valid. Reason: {name} is a required argument."
                )
        if entry["Source"].startswith("aws."):
            raise AwsError("NotAuthorizedForSourceException", "Not authorized for the source.")
        if entry.get("EventBusName") and entry["EventBusName"].rpartition("/")[2] != "default":
            raise AwsError("InvalidArgument", f"Event bus {entry['EventBusName']} does not exist.")
        try:
            detail = json.loads(entry["Detail"])
        except ValueError:
            detail = None
        if not isinstance(detail, dict):
            raise AwsError("MalformedDetail", "Detail is malformed.")
        event = self.bus.event(
            call.region, entry["Source"], entry["DetailType"], detail, entry.get("Resources") or [], entry.get("Time")
        )
        self.bus.publish(event)
        return event["id"]


def check_pattern(text: str) -> dict[str, Any]:
    """The pattern. Raises AwsError InvalidEventPatternException."""
    try:
        pattern = json.loads(text)
        wrong = patterns.problem(pattern)
    except ValueError:
        wrong = "Invalid JSON"
    if wrong:
        raise AwsError("InvalidEventPatternException", f"Event pattern is not valid. Reason: {wrong}")
    return pattern


def size_bytes(entry: dict[str, Any]) -> int:
    """https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevents.html"""
    texts = [entry.get(name) or "" for name in ("Source", "DetailType", "Detail")] + (entry.get("Resources") or [])
    return sum(len(str(text).encode()) for text in texts) + (14 if entry.get("Time") is not None else 0)


def default_bus_only(request: dict[str, Any]) -> None:
    """Raises AwsError NotImplemented for any other bus."""
    name = request.get("EventBusName")
    if name and name.rpartition("/")[2] != "default":
        raise not_offline(f"other buses than the default one ({name})")


def not_offline(what: str) -> AwsError:
    return AwsError("NotImplemented", f"The offline AWS's EventBridge has no {what}. On AWS this may work.", 501)
