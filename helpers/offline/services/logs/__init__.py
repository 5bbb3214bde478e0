"""CloudWatch Logs: moto keeps groups and streams; what services write comes in through a port."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

from moto.logs.models import LogsBackend, logs_backends

from helpers.offline.kernel import Kernel, Support

EVENTS_PER_STREAM = 20_000  # the oldest are dropped: AWS keeps all of them, a laptop need not

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
    "FilterLogEvents": Support("simplified", "patterns of plain words"),
    "PutRetentionPolicy": Support("stored", "nothing expires by age"),
    "DeleteRetentionPolicy": Support("stored"),
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
            events = [{"timestamp": now, "message": line or " "} for line in lines]
            target = held.streams[stream]
            target.put_log_events(events)
            if len(target.events) > EVENTS_PER_STREAM:
                del target.events[: len(target.events) - EVENTS_PER_STREAM]
        self.kernel.mark_dirty("logs")


def install(kernel: Kernel) -> None:
    kernel.ports.logs = LogsPort(kernel)
