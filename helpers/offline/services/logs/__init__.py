"""CloudWatch Logs: moto keeps groups and streams; what services write comes in through a port."""

from __future__ import annotations

import functools
import json
import logging
import pickle
import threading
import time
from collections.abc import Sequence
from typing import Any

from moto.logs import models
from moto.logs.models import LogsBackend, LogStream, logs_backends

from helpers.offline import fallthrough, pickling
from helpers.offline.journals import Journal
from helpers.offline.kernel import Answer, AwsError, Call, Kernel, Support
from helpers.offline.services.logs import filter_pattern, retention
from helpers.offline.services.logs.subscriptions import Subscriptions

EVENTS_PER_STREAM = 20_000  # the oldest are dropped: AWS keeps all of them, a laptop need not
RETENTION_S = 30
log = logging.getLogger("offline.logs")

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
    "PutSubscriptionFilter": Support(
        "real",
        "to Lambda and Firehose; no control message to a stream; a function is not subscribed to its own log group",
    ),
    "DescribeSubscriptionFilters": Support("real"),
    "DeleteSubscriptionFilter": Support("real"),
    "PutResourcePolicy": Support("real", "asked when EventBridge writes; 10 in a region"),
    "DescribeResourcePolicies": Support("real"),
    "DeleteResourcePolicy": Support("real"),
}


class EventJournal:
    """What was written to log streams since the last snapshot of Logs: an event is there before who put it is told."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.journal = Journal(kernel.workspace.dir / "state", "logs", lambda: kernel.mark_dirty("logs"))
        self.lock = threading.Lock()  # over the journal and the streams
        self._replay_from = 0
        self._put_log_events = LogStream.put_log_events
        self.subscriptions = Subscriptions(kernel)

    def attach(self) -> None:
        """Streams note what is put into them, whoever puts it, and drop their oldest events."""
        LogStream.put_log_events = lambda stream, log_events: self.put(stream, log_events)

    def put(self, stream: LogStream, log_events: list[dict[str, Any]]) -> str:
        """Raises OSError, and then nothing was put."""
        place = (stream.region, stream.log_group.name, stream.log_stream_name)
        with self.lock:
            self.journal.append(pickle.dumps((*place, log_events)))
            token = self.add(stream, log_events)
            self.subscriptions.tell(stream, log_events)
        self.kernel.mark_dirty("logs")
        return token

    def add(self, stream: LogStream, log_events: list[dict[str, Any]]) -> str:
        """To what is in memory alone."""
        token = self._put_log_events(stream, log_events)
        del stream.events[:-EVENTS_PER_STREAM]
        return token

    def save(self) -> int:
        """The number of the file to replay from. The gate of Logs is closed: nothing is put meanwhile."""
        return self.journal.number

    def load(self, number: int) -> None:
        self._replay_from = number

    def replay(self) -> None:
        """What was put after the snapshot."""
        for record in self.journal.records(self._replay_from):
            try:
                region, group, stream, log_events = pickling.load(record)
                self.add(stream_of(self.kernel.account_id, region, group, stream), log_events)
            except Exception:
                log.exception("a record of the journal of log events cannot be used")


class LogsPort:
    """ports.logs."""

    def __init__(self, kernel: Kernel, journal: EventJournal) -> None:
        self.kernel = kernel
        self.journal = journal
        self._lock = threading.Lock()

    def write(
        self, account_id: str, region: str, group: str, stream: str, lines: Sequence[str], at: float | None = None
    ) -> None:
        """Appends `lines` as events of Unix time `at`, or of now. While the disk is full they are in memory alone."""
        if not lines:
            return
        when_ms = int((time.time() if at is None else at) * 1000)
        events = [{"timestamp": when_ms, "message": line or " "} for line in lines]
        with self.kernel.gates["logs"].passing(), self._lock:
            held = stream_of(account_id, region, group, stream)
            try:
                self.journal.put(held, events)
            except OSError as error:
                log.error("lines of %s would not survive a crash now: %s", group, error)
                with self.journal.lock:
                    self.journal.add(held, events)


def stream_of(account_id: str, region: str, group: str, stream: str) -> LogStream:
    """Makes the group and the stream where they are missing."""
    backend: LogsBackend = logs_backends[account_id][region]
    if group not in backend.groups:
        backend.create_log_group(group, tags={})
    held = backend.groups[group]
    if stream not in held.streams:
        held.create_log_stream(stream)
    return held.streams[stream]


class Filter:
    """In the place of moto's, which takes a pattern that it does not know for one that matches everything."""

    def __init__(self, pattern: str) -> None:
        self.matches = filter_pattern.compiled(pattern or "")


def filter_log_events(call: Call) -> Answer:
    """A pattern that is none is refused, also where there is nothing to filter."""
    request = json.loads(call.body)
    filter_pattern.compiled(request.get("filterPattern") or "")
    name = request.get("logGroupName")
    if name and request.get("logStreamNames"):
        streams = group_of(call, name).streams
        if not all(stream in streams for stream in request["logStreamNames"]):
            raise AwsError("ResourceNotFoundException", "The specified log stream does not exist.")
    return fallthrough.ask_moto(call)


def get_log_events(call: Call) -> Answer:
    request = json.loads(call.body)
    name = request.get("logGroupName") or request.get("logGroupIdentifier", "").rpartition("log-group:")[2]
    if request["logStreamName"] not in group_of(call, name).streams:
        raise AwsError("ResourceNotFoundException", "The specified log stream does not exist.")
    return fallthrough.ask_moto(call)


def put_resource_policy(call: Call) -> Answer:
    """Raises AwsError InvalidParameterException for what is no policy."""
    request = json.loads(call.body)
    try:
        statements = json.loads(request.get("policyDocument") or "")["Statement"]
    except (ValueError, KeyError, TypeError):
        raise AwsError("InvalidParameterException", "Invalid resource policy document.") from None
    needed = {"Effect", "Principal", "Action", "Resource"}
    for statement in statements if isinstance(statements, list) else [statements]:
        if not isinstance(statement, dict) or not needed <= statement.keys():
            raise AwsError("InvalidParameterException", "Invalid resource policy document.")
    return fallthrough.ask_moto(call)


def create_log_stream(call: Call) -> Answer:
    """In the words of Logs, which speak of a stream where moto speaks of a group."""
    request = json.loads(call.body)
    group = group_of(call, request["logGroupName"])
    if request["logStreamName"] in group.streams:
        raise AwsError("ResourceAlreadyExistsException", "The specified log stream already exists")
    return fallthrough.ask_moto(call)


def delete_log_stream(call: Call) -> Answer:
    """Raises AwsError ResourceNotFoundException."""
    request = json.loads(call.body)
    if request["logStreamName"] not in group_of(call, request["logGroupName"]).streams:
        raise AwsError("ResourceNotFoundException", "The specified log stream does not exist.")
    return fallthrough.ask_moto(call)


def group_of(call: Call, name: str) -> Any:
    """Raises AwsError ResourceNotFoundException."""
    group = logs_backends[call.account_id][call.region].groups.get(name)
    if group is None:
        raise AwsError("ResourceNotFoundException", "The specified log group does not exist.")
    return group


def install(kernel: Kernel) -> None:
    journal = EventJournal(kernel)
    journal.attach()
    kernel.durable("log journal", journal.save, journal.load)
    kernel.before_snapshot["logs"] = [journal.journal.begin_next]
    kernel.on_start(journal.replay)
    kernel.synced(journal.journal.sync)
    kernel.kept_by("logs", "PutLogEvents", lambda call: None)  # the streams themselves have noted it
    models.EventMessageFilter = Filter
    for operation, handler in journal.subscriptions.operations().items():
        kernel.hot("logs", operation, handler, blocking=True)
    journal.subscriptions.courier.install()
    kernel.hot("logs", "GetLogEvents", get_log_events, blocking=True)
    kernel.hot("logs", "FilterLogEvents", filter_log_events, blocking=True)
    kernel.hot("logs", "PutResourcePolicy", put_resource_policy, blocking=True)
    kernel.hot("logs", "CreateLogStream", create_log_stream, blocking=True)
    kernel.hot("logs", "DeleteLogStream", delete_log_stream, blocking=True)
    kernel.ports.logs = LogsPort(kernel, journal)
    kernel.hot("logs", "PutRetentionPolicy", retention.put_retention_policy, blocking=True)
    kernel.every(RETENTION_S, functools.partial(retention.expire, kernel, journal.lock), name="log retention")
