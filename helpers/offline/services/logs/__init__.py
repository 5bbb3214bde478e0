"""CloudWatch Logs: moto keeps groups and streams; what services write comes in through a port."""

from __future__ import annotations

import functools
import json
import threading
import time
from collections.abc import Sequence
from typing import Any

from moto.logs import models
from moto.logs.models import LogsBackend, LogStream, logs_backends

from helpers.offline import fallthrough
from helpers.offline.kernel import Answer, Call, Kernel, Support
from helpers.offline.services.logs import filter_pattern, retention

EVENTS_PER_STREAM = 20_000  # the oldest are dropped: AWS keeps all of them, a laptop need not
RETENTION_S = 30

_NOTE = f"the newest {EVENTS_PER_STREAM:,} events of a stream are kept"
OPERATIONS: dict[str, Support] = {
    "CreateLogGroup": Support("real"),
    "DeleteLogGroup": Support("real"),
    "DescribeLogGroups": Support("real"),
    "ListTagsLogGroup": Support("real"),
    "TagLogGroup": Support("real"),
    "UntagLogGroup": Support("real"),
    "ListTagsForResource": Support("real"),
    "TagResource": Support("real"),
    "UntagResource": Support("real"),
    "CreateLogStream": Support("real"),
    "DeleteLogStream": Support("real"),
    "DescribeLogStreams": Support("real"),
    "PutLogEvents": Support("real", _NOTE),
    "GetLogEvents": Support("real"),
    "FilterLogEvents": Support("real", "words, JSON and columns; one condition for a column"),
    "PutRetentionPolicy": Support("real", "older events are removed within a minute"),
    "DeleteRetentionPolicy": Support("real"),
}


class LogsPort:
    """ports.logs."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self._lock = threading.Lock()

    def write(self, account_id: str, region: str, group: str, stream: str, lines: Sequence[str]) -> None:
        """Appends `lines` as events of this moment."""
        if not lines:
            return
        now = int(time.time() * 1000)
        with self._lock:
            backend: LogsBackend = logs_backends[account_id][region]
            if group not in backend.groups:
                backend.create_log_group(group, tags={})
            held = backend.groups[group]
            if stream not in held.streams:
                held.create_log_stream(stream)
            held.streams[stream].put_log_events([{"timestamp": now, "message": line or " "} for line in lines])
        self.kernel.mark_dirty("logs")


def bound_streams() -> None:
    """Streams drop their oldest events, whoever writes them."""
    put_log_events = LogStream.put_log_events

    def put_and_drop(self: LogStream, log_events: list[dict[str, Any]]) -> str:
        token = put_log_events(self, log_events)
        del self.events[:-EVENTS_PER_STREAM]
        return token

    LogStream.put_log_events = put_and_drop


class Filter:
    """In the place of moto's, which takes a pattern that it does not know for one that matches everything."""

    def __init__(self, pattern: str) -> None:
        self.matches = filter_pattern.compiled(pattern or "")


def filter_log_events(call: Call) -> Answer:
    """A pattern that is none is refused, also where there is nothing to filter."""
    filter_pattern.compiled(json.loads(call.body).get("filterPattern") or "")
    return fallthrough.ask_moto(call)


def install(kernel: Kernel) -> None:
    bound_streams()
    models.EventMessageFilter = Filter
    kernel.hot("logs", "FilterLogEvents", filter_log_events, blocking=True)
    kernel.ports.logs = LogsPort(kernel)
    kernel.hot("logs", "PutRetentionPolicy", retention.put_retention_policy, blocking=True)
    kernel.every(RETENTION_S, functools.partial(retention.expire, kernel), name="log retention")
