"""Lambda: the uploaded zip runs in its own Python process."""

from __future__ import annotations

from typing import Any

from helpers.offline.kernel import Invocation, Kernel, Support
from helpers.offline.services.functions import lookup, seam
from helpers.offline.services.functions.control import Control
from helpers.offline.services.functions.event_sources import EventSources
from helpers.offline.services.functions.events import EventQueue
from helpers.offline.services.functions.existing import Existing
from helpers.offline.services.functions.invoke import Invoke
from helpers.offline.services.functions.queue_poller import TICK_S, QueuePoller
from helpers.offline.services.functions.service import FunctionService

REAL = Support("real")

OPERATIONS = {
    "CreateFunction": Support(
        "real",
        "Zip packages, inline or from S3; python3.x runs on the Python that runs the server; no layers, images, VPC; "
        "Active at once",
    ),
    "GetFunction": Support("simplified", "Code.Location cannot be downloaded from"),
    "GetFunctionConfiguration": REAL,
    "ListFunctions": Support("simplified", "one page"),
    "UpdateFunctionCode": REAL,
    "UpdateFunctionConfiguration": REAL,
    "DeleteFunction": REAL,
    "Invoke": Support(
        "real",
        "RequestResponse, Event (retries after 1 s and 2 s instead of 1 and 2 minutes) and DryRun; memory is measured "
        "and reported, MemorySize is no limit; at most 10 executions at once per version, more wait; on a Linux with "
        "Landlock the process sees its code, its temporary directory and the system, none of your other files",
    ),
    "AddPermission": Support("real", "asked when API Gateway, S3, SNS, EventBridge or CloudWatch invokes"),
    "RemovePermission": REAL,
    "GetPolicy": REAL,
    "PublishVersion": REAL,
    "ListVersionsByFunction": Support("simplified", "one page"),
    "CreateAlias": Support("real", "with weights"),
    "UpdateAlias": REAL,
    "DeleteAlias": REAL,
    "GetAlias": REAL,
    "ListAliases": Support("simplified", "one page"),
    "PutFunctionConcurrency": REAL,
    "GetFunctionConcurrency": REAL,
    "DeleteFunctionConcurrency": REAL,
    "PutFunctionEventInvokeConfig": Support(
        "real", "for each version and alias; destinations SNS, SQS, Lambda, EventBridge; the age runs 60 times faster"
    ),
    "UpdateFunctionEventInvokeConfig": REAL,
    "GetFunctionEventInvokeConfig": REAL,
    "DeleteFunctionEventInvokeConfig": REAL,
    "ListFunctionEventInvokeConfigs": REAL,
    "CreateEventSourceMapping": Support(
        "real",
        "of SQS: batches and their window, ReportBatchItemFailures, filters, MaximumConcurrency; at most 5 at once",
    ),
    "UpdateEventSourceMapping": REAL,
    "GetEventSourceMapping": REAL,
    "ListEventSourceMappings": REAL,
    "DeleteEventSourceMapping": REAL,
    "TagResource": REAL,
    "UntagResource": REAL,
    "ListTags": REAL,
}


class Port:
    """ports.functions."""

    def __init__(self, service: FunctionService, events: EventQueue) -> None:
        self.service = service
        self.events = events

    def invoke(self, function_arn: str, payload: bytes) -> Invocation:
        return self.service.invoke(function_arn, payload)

    async def ainvoke(self, function_arn: str, payload: bytes) -> Invocation:
        return await self.service.ainvoke(function_arn, payload)

    def permits(self, function_arn: str, source_principal: str, source_arn: str | None) -> bool:
        """Whether the function's resource policy lets a service invoke it. Raises AwsError where there is none."""
        kernel = self.service.kernel
        target = lookup.find(function_arn, kernel.account_id, kernel.workspace.region)
        return self.service.permits(target, source_principal, source_arn)

    def invoke_async(self, function_arn: str, payload: bytes, **source: Any) -> None:
        self.events.invoke_async(function_arn, payload, **source)


def install(kernel: Kernel) -> None:
    service = FunctionService(kernel)
    events = EventQueue(kernel, service)
    kernel.ports.functions = Port(service, events)
    seam.replace(service)
    kernel.hot("lambda", "Invoke", Invoke(kernel, service, events).__call__)
    sources = EventSources(kernel)
    kernel.durable("event source mappings", sources.save, sources.load)
    handlers = Existing(kernel).operations() | Control(kernel, service).operations() | sources.operations()
    for operation, handler in handlers.items():
        kernel.hot("lambda", operation, handler, blocking=True)
    kernel.on_start(service.start)
    kernel.on_start(events.start)
    kernel.on_stop(service.stop)
    kernel.on_stop(events.stop)
    kernel.synced(events.outbox.sync)
    kernel.every(TICK_S, QueuePoller(kernel, service, sources).tick, name="event-source-poller")
    kernel.every(30, service.pool.reap, name="lambda-reaper")
