"""The pollers of event source mappings: messages out of queues, in batches, into functions, and deleted when done.

https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

from helpers.offline import patterns, service_roles
from helpers.offline.kernel import AwsError, Kernel, QueueMessage
from helpers.offline.services.functions import lookup
from helpers.offline.services.functions.event_sources import EventSources, Mapping
from helpers.offline.services.functions.pool import Throttled
from helpers.offline.services.functions.service import FunctionService

TICK_S = 0.1
BATCHES_AT_ONCE = 5  # as many as Lambda begins with for a standard queue
PAYLOAD_LIMIT_BYTES = 6 * 1024 * 1024

log = logging.getLogger("offline.lambda")


class QueuePoller:
    """A batch that fails is left alone: its messages are seen again when their visibility timeout is over."""

    def __init__(self, kernel: Kernel, service: FunctionService, sources: EventSources) -> None:
        self.kernel = kernel
        self.service = service
        self.sources = sources
        self._running: Counter[str] = Counter()  # batches by mapping
        self._waiting_since: dict[str, float] = {}

    def tick(self) -> None:
        """Takes what there is for every mapping and has it worked on."""
        for mapping in list(self.sources.mappings.values()):
            if not mapping.enabled:
                continue
            try:
                self._poll(mapping)
            except AwsError as error:
                log.debug("%s is not polled: %s", mapping.queue_arn, error)

    def _poll(self, mapping: Mapping) -> None:
        queues = self.kernel.ports.queues
        facts = queues.facts(mapping.queue_arn)
        if not facts.visible:
            self._waiting_since.pop(mapping.id, None)
            return
        since = self._waiting_since.setdefault(mapping.id, time.monotonic())
        size = mapping.settings["BatchSize"]
        window_s = mapping.settings["MaximumBatchingWindowInSeconds"]
        if facts.visible < size and time.monotonic() - since < window_s:
            return
        most = (mapping.settings.get("ScalingConfig") or {}).get("MaximumConcurrency", BATCHES_AT_ONCE)
        most = 1 if facts.is_fifo else min(most, BATCHES_AT_ONCE)
        role = lookup.find(mapping.function_arn, self.kernel.account_id, mapping.region).function.role
        if refused := service_roles.refusal(self.kernel, role, "lambda", "sqs:ReceiveMessage", mapping.queue_arn):
            log.warning("%s is not polled: %s", mapping.queue_arn, refused)
            return
        while self._running[mapping.id] < most and (batch := queues.receive(mapping.queue_arn, size)):
            self._waiting_since.pop(mapping.id, None)
            for part in _parts(self._wanted(mapping, batch)):
                self._running[mapping.id] += 1
                self.service.from_thread(self._work(mapping, part, facts.is_fifo))
            if len(batch) < size:
                break

    def _wanted(self, mapping: Mapping, batch: list[QueueMessage]) -> list[QueueMessage]:
        """What the filters let through; the rest is deleted, as Lambda does."""
        filters = (mapping.settings.get("FilterCriteria") or {}).get("Filters") or []
        if not filters:
            return batch
        wanted = [message for message in batch if any(_matches(one["Pattern"], message) for one in filters)]
        dropped = [message.receipt_handle for message in batch if message not in wanted]
        self.kernel.ports.queues.delete(mapping.queue_arn, dropped)
        return wanted

    async def _work(self, mapping: Mapping, batch: Sequence[QueueMessage], is_fifo: bool) -> None:
        try:
            records = [_record(mapping, message) for message in batch]
            target = lookup.find(mapping.function_arn, self.kernel.account_id, mapping.region)
            outcome = await self.service.run(target, json.dumps({"Records": records}).encode())
            if outcome.error:
                return
            done = list(batch)
            if "ReportBatchItemFailures" in mapping.settings["FunctionResponseTypes"]:
                done = succeeded(batch, outcome.payload, is_fifo=is_fifo)
            if done:
                await asyncio.get_running_loop().run_in_executor(
                    self.kernel.blocking_pool, self._delete, mapping, target.function.role, done
                )
        except Throttled:
            log.debug("%s: no free execution of %s", mapping.queue_arn, mapping.function_arn)
        except (AwsError, OSError) as error:
            log.warning("a batch of %s for %s failed: %s", mapping.queue_arn, mapping.function_arn, error)
        finally:
            self._running[mapping.id] -= 1

    def _delete(self, mapping: Mapping, role: str, batch: Sequence[QueueMessage]) -> None:
        if refused := service_roles.refusal(self.kernel, role, "lambda", "sqs:DeleteMessage", mapping.queue_arn):
            log.warning("messages of %s stay: %s", mapping.queue_arn, refused)
            return
        self.kernel.ports.queues.delete(mapping.queue_arn, [message.receipt_handle for message in batch])


def succeeded(batch: Sequence[QueueMessage], payload: bytes, *, is_fifo: bool) -> list[QueueMessage]:
    """The messages that a function's batchItemFailures leaves to be deleted. An answer that is none fails them all."""
    try:
        document = json.loads(payload or b"null")
        failures = (document or {}).get("batchItemFailures") or []
        failed = {one["itemIdentifier"] for one in failures}
    except (ValueError, AttributeError, TypeError, KeyError):
        return []
    if not failed <= {message.id for message in batch}:
        return []
    if is_fifo and failed:  # what comes after the first failure waits for it
        first = next(position for position, message in enumerate(batch) if message.id in failed)
        return list(batch[:first])
    return [message for message in batch if message.id not in failed]


def _record(mapping: Mapping, message: QueueMessage) -> dict[str, Any]:
    """https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html#example-standard-queue-message-event"""
    record: dict[str, Any] = {
        "messageId": message.id,
        "receiptHandle": message.receipt_handle,
        "body": message.body,
        "attributes": message.system,
        "messageAttributes": message.attributes,
        "md5OfBody": message.md5,
        "eventSource": "aws:sqs",
        "eventSourceARN": mapping.queue_arn,
        "awsRegion": mapping.queue_arn.split(":")[3],
    }
    if message.md5_of_attributes:
        record["md5OfMessageAttributes"] = message.md5_of_attributes
    return record


def _matches(pattern: str, message: QueueMessage) -> bool:
    """A body that is JSON is matched inside, any other as it is."""
    try:
        body = json.loads(message.body)
    except ValueError:
        body = message.body
    record = {
        "messageId": message.id,
        "body": body if isinstance(body, dict) else message.body,
        "attributes": dict(message.system),
        "messageAttributes": {name: dict(value) for name, value in message.attributes.items()},
    }
    return patterns.matches(json.loads(pattern), record)


def _parts(batch: Sequence[QueueMessage]) -> list[list[QueueMessage]]:
    """No invocation gets more than Lambda takes."""
    parts: list[list[QueueMessage]] = []
    size = 0
    for message in batch:
        length = len(json.dumps(message.body)) + len(json.dumps(dict(message.attributes))) + 1024
        if not parts or size + length > PAYLOAD_LIMIT_BYTES:
            parts.append([])
            size = 0
        parts[-1].append(message)
        size += length
    return parts
