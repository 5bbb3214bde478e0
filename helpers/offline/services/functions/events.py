"""Asynchronous invocations: an event is written down before it is acknowledged, tried three times, then sent on."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from helpers.offline import damage
from helpers.offline.kernel import AwsError, Kernel
from helpers.offline.outbox import Outbox
from helpers.offline.services.functions import destinations, event_settings, lookup
from helpers.offline.services.functions.environment import Outcome
from helpers.offline.services.functions.pool import Throttled
from helpers.offline.services.functions.service import FunctionService, _now

log = logging.getLogger("offline.lambda")

# AWS waits one minute before the second attempt and two before the third; offline a minute is a second.
RETRY_DELAYS_S = (1.0, 2.0)
MAXIMUM_RETRIES = 2
OFFLINE_MINUTE_S = 1.0
LONGEST_PAUSE_S = 20.0
OLDEST_S = 6 * 3600  # an event that cannot be run for so long is dropped, as on AWS


@dataclass(slots=True)
class Event:
    """One asynchronous invocation, as it stands in the outbox."""

    id: str
    function: str  # ARN, with version or alias where it was called with one
    payload: str  # base64
    queued_at: float
    attempts: int = 0


class EventQueue:
    """Runs events on the service's own loop, so that the caller is answered at once."""

    def __init__(self, kernel: Kernel, service: FunctionService) -> None:
        self.kernel = kernel
        self.service = service
        self.outbox = Outbox(service.directory / "events.outbox")
        self._stopping = False

    def start(self) -> None:
        """Takes up what an earlier process left. Raises Unreadable, OSError."""
        former = self.service.directory / "events.journal"  # of development versions before 2026-11-25
        if former.exists() and former.stat().st_size:
            aside = damage.set_aside(self.kernel.workspace.dir, former)
            log.warning("Events that an older version had still to run are not run: they are in %s.", aside)
        for event in self.outbox.left():
            self.service.from_thread(self._work(event))

    def stop(self) -> None:
        self._stopping = True
        self.outbox.close()

    def invoke_async(self, function_arn: str, payload: bytes, *, source_principal: str, source_arn: str | None) -> None:
        """For other services. Raises AwsError where the function is unknown or its policy does not let them."""
        target = lookup.find(function_arn, self.kernel.account_id, self.kernel.workspace.region)
        if not self.service.permits(target, source_principal, source_arn):
            raise AwsError(
                "AccessDeniedException",
                f"User: {source_principal} is not authorized to perform: lambda:InvokeFunction on resource: "
                f"{target.invoked_arn} because no resource-based policy allows the lambda:InvokeFunction action",
                403,
            )
        self.put(target.invoked_arn, payload)

    def put(self, function_arn: str, payload: bytes) -> str:
        """Queues an event; it is in the outbox when this returns. Returns the request's id. Raises OSError."""
        event = Event(str(uuid.uuid4()), function_arn, base64.b64encode(payload).decode(), time.time())
        self.outbox.put(event.id, event)
        self.service.from_thread(self._work(event))
        return event.id

    async def _work(self, event: Event) -> None:
        try:
            await _patiently(lambda: self._attempt_all(event), event)
        except asyncio.CancelledError:
            raise
        except Exception:
            log.exception("event %s for %s failed", event.id, event.function)
        if not self._stopping:
            self.outbox.done(event.id)

    async def _attempt_all(self, event: Event) -> None:
        payload = base64.b64decode(event.payload)
        outcome: Outcome | None = None
        while True:
            try:
                target = lookup.find(event.function, self.kernel.account_id, self.kernel.workspace.region)
            except AwsError as error:
                log.warning("event %s dropped: %s", event.id, error.message)
                return
            config = event_settings.of(target)
            too_old_at = event.queued_at + greatest_age_s(config)
            if outcome is not None and time.time() >= too_old_at:
                await self._send(target, event, outcome, config, "OnFailure", "EventAgeExceeded")
                return
            try:
                outcome = await self.service.run(target, payload, request_id=event.id, wait=True, wait_until=too_old_at)
            except Throttled:
                # With a reserved concurrency of 0 nothing ever runs, and nothing is tried again.
                is_shut = target.function.reserved_concurrency == 0
                condition = "RetriesExhausted" if is_shut else "EventAgeExceeded"
                await self._send(target, event, None, config, "OnFailure", condition)
                return
            event.attempts += 1
            if not outcome.error:
                await self._send(target, event, outcome, config, "OnSuccess", "Success")
                return
            if event.attempts > config.get("MaximumRetryAttempts", MAXIMUM_RETRIES):
                await self._send(target, event, outcome, config, "OnFailure", "RetriesExhausted")
                return
            await asyncio.sleep(RETRY_DELAYS_S[min(event.attempts, len(RETRY_DELAYS_S)) - 1])

    async def _send(
        self,
        target: lookup.Target,
        event: Event,
        outcome: Outcome | None,
        config: dict[str, Any],
        which: str,
        condition: str,
    ) -> None:
        destination = ((config.get("DestinationConfig") or {}).get(which) or {}).get("Destination")
        letters = (getattr(target.function, "dead_letter_config", None) or {}).get("TargetArn")
        if destination:
            record = _invocation_record(target, event, outcome, condition)
            await self._deliver_patiently(event, target, destination, json.dumps(record), record, {})
        if letters and which == "OnFailure":
            document = json.loads(outcome.payload) if outcome else {}
            attributes = {"RequestID": event.id, "ErrorCode": "200", "ErrorMessage": document.get("errorMessage", "")}
            text = base64.b64decode(event.payload).decode("utf-8", "replace")
            await self._deliver_patiently(event, target, letters, text, {}, attributes)

    async def _deliver_patiently(self, event: Event, *what: Any) -> None:
        run = asyncio.get_running_loop().run_in_executor
        await _patiently(lambda: run(self.kernel.blocking_pool, self._deliver, *what), event)

    def _deliver(
        self, target: lookup.Target, arn: str, text: str, record: dict[str, Any], attributes: dict[str, str]
    ) -> None:
        """As the function's execution role, which must be allowed to."""
        if refused := destinations.refusal(self.kernel, target.function.role, arn):
            log.warning("what became of an event of %s is not told to %s: %s", target.arn, arn, refused)
            return
        service, region = arn.split(":")[2], arn.split(":")[3]
        if service == "sns":
            self.kernel.ports.topics.publish(arn, text)
        elif service == "sqs":
            values = {
                key: {"DataType": "Number" if key == "ErrorCode" else "String", "StringValue": value}
                for key, value in attributes.items()
                if value
            }
            self.kernel.ports.queues.send(arn, text, attributes=values)
        elif service == "lambda":
            self.put(arn, text.encode())
        elif service == "events":
            kind = "Success" if record["requestContext"]["condition"] == "Success" else "Failure"
            self.kernel.ports.events.emit(
                self.kernel.account_id,
                region,
                "lambda",
                f"Lambda Function Invocation Result - {kind}",
                record,
                [record["requestContext"]["functionArn"]],
            )
        else:
            log.warning("destination %s: offline, events go on to SNS, SQS, Lambda and EventBridge", arn)


async def _patiently(attempt: Callable[[], Awaitable[None]], event: Event) -> None:
    """Until it does not fail for this computer's sake (a disk that is full): an accepted event waits for better times.

    On AWS such errors of the service itself are tried again for hours too.
    """
    pause_s = 1.0
    while True:
        try:
            return await attempt()
        except OSError as error:
            if time.time() - event.queued_at > OLDEST_S:
                raise
            log.warning("event %s for %s waits: %s", event.id, event.function, error)
        await asyncio.sleep(pause_s)
        pause_s = min(2 * pause_s, LONGEST_PAUSE_S)


def greatest_age_s(config: dict[str, Any]) -> float:
    """How long an event is tried. What is configured runs on the clock of the retries: a minute of AWS is a second."""
    wanted = config.get("MaximumEventAgeInSeconds")
    return OLDEST_S if wanted is None else wanted / 60 * OFFLINE_MINUTE_S


def _invocation_record(target: lookup.Target, event: Event, outcome: Outcome | None, condition: str) -> dict[str, Any]:
    """https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html"""
    version = str(target.function.version)
    record: dict[str, Any] = {
        "version": "1.0",
        "timestamp": _now(),
        "requestContext": {
            "requestId": event.id,
            "functionArn": f"{target.arn}:{target.qualifier or '$LATEST'}",
            "condition": condition,
            "approximateInvokeCount": event.attempts,
        },
        "requestPayload": json.loads(base64.b64decode(event.payload)),
    }
    if outcome is not None:
        context = {"statusCode": 200, "executedVersion": version}
        if outcome.error:
            context["functionError"] = outcome.error
        record["responseContext"] = context
        record["responsePayload"] = json.loads(outcome.payload)
    return record
