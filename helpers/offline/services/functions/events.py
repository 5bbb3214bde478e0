"""Asynchronous invocations: an event is written down before it is acknowledged, tried three times, then sent on."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import errno
import json
import logging
import os
import threading
import time
import uuid
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from helpers.offline.journals import flush_to_disk
from helpers.offline.kernel import AwsError, Kernel
from helpers.offline.services.functions import destinations, lookup
from helpers.offline.services.functions.environment import Outcome
from helpers.offline.services.functions.pool import Throttled
from helpers.offline.services.functions.service import FunctionService, _now

log = logging.getLogger("offline.lambda")

# AWS waits one minute before the second attempt and two before the third; offline a minute is a second.
RETRY_DELAYS_S = (1.0, 2.0)
MAXIMUM_RETRIES = 2
REWRITE_BYTES = 8 << 20  # a journal of this size is written anew, without what is done


@dataclass(slots=True)
class Event:
    """One asynchronous invocation, as it stands in the journal."""

    id: str
    function: str  # ARN, with version or alias where it was called with one
    payload: str  # base64
    queued_at: float
    attempts: int = 0


class Journal:
    """Events that are not done yet, in a file that a killed server leaves behind whole but for its last line."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._open: dict[str, Event] = {}
        self._file: int | None = None
        self._size = 0
        self._is_unsynced = False

    def unfinished(self) -> list[Event]:
        """What an earlier server left, which stays in the journal until it is done."""
        with self._lock:
            if self.path.exists():
                for line in self.path.read_bytes().splitlines():
                    try:
                        record = json.loads(line)
                    except ValueError:  # torn by the kill: was never acknowledged
                        continue
                    if "done" in record:
                        self._open.pop(record["done"], None)
                    else:
                        self._open[record["id"]] = Event(**record)
                try:
                    self._rewrite()
                except OSError as error:  # a torn last line then stays, and the next record begins after it
                    log.error("the journal of events could not be written anew: %s", error)
                    with contextlib.suppress(OSError):
                        self._append_line(b"\n")
            return list(self._open.values())

    def add(self, event: Event) -> None:
        """It is on disk when this returns. Raises OSError where it cannot be."""
        with self._lock:
            self._append(asdict(event))
            self._open[event.id] = event

    def done(self, event: Event) -> None:
        with self._lock:
            self._open.pop(event.id, None)
            try:
                self._append({"done": event.id})
            except OSError as error:  # then it is run once more after a crash, which at least once allows
                log.error("event %s is done, which could not be noted: %s", event.id, error)
            if self._size > (REWRITE_BYTES if self._open else 0):
                self._rewrite()

    def close(self) -> None:
        with self._lock:
            self._close()

    def _append(self, record: dict[str, Any]) -> None:
        self._append_line(json.dumps(record).encode() + b"\n")

    def _append_line(self, line: bytes) -> None:
        if self._file is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(self.path, os.O_CREAT | os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._size = os.fstat(self._file).st_size
        if os.write(self._file, line) < len(line):  # the disk is full
            os.ftruncate(self._file, self._size)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path))
        self._size += len(line)
        self._is_unsynced = True

    def sync(self) -> None:
        """What was added by now survives a power failure too. Raises OSError."""
        with self._lock:
            if self._file is None or not self._is_unsynced:
                return
            descriptor, self._is_unsynced = os.dup(self._file), False
        try:
            flush_to_disk(descriptor)
        finally:
            os.close(descriptor)

    def _rewrite(self) -> None:
        """With the open events alone; whole or not at all. Without any, the file is emptied in place."""
        if not self._open and self._file is not None:
            os.ftruncate(self._file, 0)
            return
        fresh = self.path.with_suffix(".new")
        fresh.unlink(missing_ok=True)
        fresh.touch(0o600)
        fresh.write_bytes(b"".join(json.dumps(asdict(event)).encode() + b"\n" for event in self._open.values()))
        os.replace(fresh, self.path)
        self._close()

    def _close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None


class EventQueue:
    """Runs events on the service's own loop, so that the caller is answered at once."""

    def __init__(self, kernel: Kernel, service: FunctionService) -> None:
        self.kernel = kernel
        self.service = service
        self.journal = Journal(service.directory / "events.journal")
        self._stopping = False

    def start(self) -> None:
        for event in self.journal.unfinished():
            self.service.from_thread(self._work(event))

    def stop(self) -> None:
        self._stopping = True
        self.journal.close()

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
        """Queues an event; it is in the journal when this returns. Returns the request's id."""
        event = Event(str(uuid.uuid4()), function_arn, base64.b64encode(payload).decode(), time.time())
        self.journal.add(event)
        self.service.from_thread(self._work(event))
        return event.id

    async def _work(self, event: Event) -> None:
        try:
            await self._attempt_all(event)
        except asyncio.CancelledError:
            raise
        except Exception:
            log.exception("event %s for %s failed", event.id, event.function)
        if not self._stopping:
            self.journal.done(event)

    async def _attempt_all(self, event: Event) -> None:
        payload = base64.b64decode(event.payload)
        while True:
            try:
                target = lookup.find(event.function, self.kernel.account_id, self.kernel.workspace.region)
            except AwsError as error:
                log.warning("event %s dropped: %s", event.id, error.message)
                return
            config = _event_invoke_config(target.function)
            event.attempts += 1
            try:
                outcome = await self.service.run(target, payload, request_id=event.id, wait=True)
            except Throttled:  # reserved concurrency 0: nothing runs at all
                outcome = None
            if outcome is not None and not outcome.error:
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
        loop = asyncio.get_running_loop()
        if destination:
            record = _invocation_record(target, event, outcome, condition)
            await loop.run_in_executor(
                self.kernel.blocking_pool, self._deliver, target, destination, json.dumps(record), record, {}
            )
        if letters and which == "OnFailure":
            document = json.loads(outcome.payload) if outcome else {}
            attributes = {"RequestID": event.id, "ErrorCode": "200", "ErrorMessage": document.get("errorMessage", "")}
            text = base64.b64decode(event.payload).decode("utf-8", "replace")
            await loop.run_in_executor(self.kernel.blocking_pool, self._deliver, target, letters, text, {}, attributes)

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
            values = {key: {"DataType": "String", "StringValue": value} for key, value in attributes.items() if value}
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


def _event_invoke_config(function: Any) -> dict[str, Any]:
    return function.event_invoke_config[-1].config if function.event_invoke_config else {}


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
