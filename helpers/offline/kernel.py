"""The contract between the offline AWS's front and its services: calls, answers, errors, registries and ports."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, Protocol
from urllib.parse import parse_qs

from helpers.offline.damage import Unreadable
from helpers.offline.gate import Gate
from helpers.offline.records import SYNC_S

log = logging.getLogger("offline")

ACCOUNT_ID = "123456789012"


@dataclass(frozen=True, slots=True)
class Support:
    """How far an operation goes: it really happens, it happens in a simpler way, or what is said is only kept."""

    level: Literal["real", "simplified", "stored"]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Principal:
    """Who calls. `role_arn` is None for the owner of the workspace, who may do everything.

    `session_policy`: what the session was limited to when it was made; None without a limit.
    """

    arn: str
    role_arn: str | None = None
    session_policy: str | None = None


@dataclass(frozen=True, slots=True)
class Credentials:
    access_key_id: str
    secret_access_key: str
    session_token: str | None = None


@dataclass(slots=True)
class Upload:
    """A large body in a file of its own, which whoever handles the call may take away. `md5` in hexadecimal."""

    path: Path
    size: int
    md5: str


@dataclass(slots=True)
class Call:
    """One request to an AWS API, authenticated and named. Header names are lower-case; the body is already decoded.

    The body of a large S3 upload is in `upload` instead of `body`.
    """

    service: str
    operation: str
    region: str
    account_id: str
    principal: Principal
    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    path_parameters: dict[str, str] = field(default_factory=dict)
    upload: Upload | None = None
    protocol: str = "json"  # query | json | cbor | rest-json | rest-xml: how an error is written for this caller
    is_form: bool = False  # an object that came in an HTML form

    def form(self) -> dict[str, str]:
        """The parameters of a call in the query protocol, whatever its bytes; of each the first value."""
        text = self.body if self.method == "POST" else self.query.encode()
        return {name: values[0] for name, values in parse_qs(text.decode("utf-8", "replace")).items()}


@dataclass(slots=True)
class PublicRequest:
    """One unsigned request to a data plane that is public on AWS too (an API Gateway URL)."""

    method: str
    path: str
    query: str
    host: str
    headers: Mapping[str, str]
    body: bytes
    source_ip: str = "127.0.0.1"
    raw_path: str = ""
    raw_headers: Sequence[tuple[bytes, bytes]] = ()  # as they came: one that came twice is twice in it


@dataclass(slots=True)
class Answer:
    """`file` is sent instead of `body` where the answer is a (part of a) file: path, first byte, number of bytes.

    `more_headers` are lines of their own, for headers that come more than once (cookies).
    """

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    file: tuple[Path, int, int] | None = None
    more_headers: Sequence[tuple[str, str]] = ()


class AwsError(Exception):
    """An error as AWS reports it; the front writes it in the caller's protocol. `extra` becomes further members."""

    def __init__(self, code: str, message: str, status: int = 400, **extra: Any) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status
        self.extra = extra


@dataclass(frozen=True, slots=True)
class Workspace:
    """The directory that keeps all of one participant's offline AWS, and the keys that open it."""

    dir: Path
    credentials: Credentials
    region: str = "us-east-1"


# --- Ports: what one service offers to the others, so that they need not import each other ---------------------------


@dataclass(frozen=True, slots=True)
class Invocation:
    status_code: int
    payload: bytes
    function_error: str | None = None
    log_tail: str = ""


@dataclass(frozen=True, slots=True)
class ObjectSummary:
    key: str
    size: int


@dataclass(frozen=True, slots=True)
class QueueFacts:
    """`visible`: how many messages could be received now."""

    visibility_timeout_s: int
    is_fifo: bool
    visible: int


@dataclass(frozen=True, slots=True)
class QueueMessage:
    """A received message. `system` are SQS's own attributes as text, `attributes` the sender's as Lambda gets them."""

    id: str
    receipt_handle: str
    body: str
    system: Mapping[str, str]
    attributes: Mapping[str, Mapping[str, Any]]
    md5: str
    md5_of_attributes: str


class Functions(Protocol):
    """Lambda. `invoke` blocks; `invoke_async` queues, retries twice, and asks the function's resource policy."""

    def invoke(self, function_arn: str, payload: bytes) -> Invocation: ...
    async def ainvoke(self, function_arn: str, payload: bytes) -> Invocation: ...
    def invoke_async(
        self, function_arn: str, payload: bytes, *, source_principal: str, source_arn: str | None
    ) -> None: ...
    def permits(self, function_arn: str, source_principal: str, source_arn: str | None) -> bool: ...


class Topics(Protocol):
    """SNS. Returns the message's id. The topic's policy is asked about `source_principal`, None asks nothing."""

    def publish(
        self,
        topic_arn: str,
        message: str,
        *,
        subject: str | None = None,
        attributes: Mapping[str, Any] | None = None,
        source_principal: str | None = None,
        source_arn: str = "",
    ) -> str: ...


class Queues(Protocol):
    """SQS. The queue's policy is asked about `source_principal`, None asks nothing. Attributes as SQS writes them.

    All raise AwsError NonExistentQueue.
    """

    def send(
        self,
        queue_arn: str,
        body: str,
        *,
        attributes: Mapping[str, Any] | None = None,
        group_id: str | None = None,
        deduplication_id: str | None = None,
        source_principal: str | None = None,
        source_arn: str = "",
    ) -> None: ...
    def facts(self, queue_arn: str) -> QueueFacts: ...
    def receive(self, queue_arn: str, count: int) -> list[QueueMessage]: ...
    def delete(self, queue_arn: str, handles: list[str]) -> None: ...


class Streams(Protocol):
    """Firehose. Takes all of the records or raises."""

    def put_records(self, account_id: str, region: str, stream_name: str, records: Sequence[bytes]) -> None: ...
    def is_active(self, account_id: str, region: str, stream_name: str) -> bool: ...


class Metrics(Protocol):
    """CloudWatch. `timestamp` in seconds since the epoch; None is now. `count`: how many times the value is put."""

    def put(
        self,
        account_id: str,
        region: str,
        namespace: str,
        name: str,
        dimensions: dict[str, str],
        value: float,
        *,
        unit: str = "None",
        timestamp: float | None = None,
        count: int = 1,
    ) -> None: ...
    def alarm_states(self, account_id: str, region: str, names: Sequence[str]) -> dict[str, str]: ...


class Logs(Protocol):
    """CloudWatch Logs. Makes the group and the stream where they are missing."""

    def write(
        self, account_id: str, region: str, group: str, stream: str, lines: Sequence[str], at: float | None = None
    ) -> None: ...


class Events(Protocol):
    """EventBridge's default bus."""

    def emit(
        self,
        account_id: str,
        region: str,
        source: str,
        detail_type: str,
        detail: dict[str, Any],
        resources: list[str],
    ) -> None: ...


class Objects(Protocol):
    """S3. Raises AwsError NoSuchBucket or NoSuchKey."""

    def get(self, bucket: str, key: str) -> bytes: ...
    def put(self, bucket: str, key: str, body: bytes) -> None: ...
    def list(self, bucket: str, prefix: str) -> list[ObjectSummary]: ...
    def local_path(self, bucket: str, key: str) -> Path: ...
    def region_of(self, bucket: str) -> str | None: ...


class Scaling(Protocol):
    """Application Auto Scaling: called by the alarm evaluator, once per period while the alarm is in ALARM.

    `scaled` tells which variants of an endpoint are scalable targets; `forget_endpoint` deregisters them.
    """

    def execute_policy(self, policy_arn: str, alarm_name: str, alarm_arn: str, new_state: str) -> None: ...
    def scaled(self, region: str, endpoint: str) -> list[str]: ...
    def forget_endpoint(self, region: str, endpoint: str) -> None: ...


class Ports:
    """Each port is set by its owner in `install(kernel)`; asking for one whose service is not installed raises."""

    functions: Functions
    topics: Topics
    queues: Queues
    streams: Streams
    metrics: Metrics
    logs: Logs
    events: Events
    objects: Objects
    scaling: Scaling

    def __getattr__(self, name: str) -> Any:
        raise AwsError("NotImplemented", f"The offline AWS runs without its service for {name}.", 501)


# --- The kernel ------------------------------------------------------------------------------------------------------

Handler = Callable[[Call], Awaitable[Answer]] | Callable[[Call], Answer]
Matches = Callable[[PublicRequest], bool]
PublicHandler = Callable[[PublicRequest], Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class HotPath:
    handler: Handler
    blocking: bool
    is_async: bool


@dataclass(frozen=True, slots=True)
class Durable:
    """`service` is the signing name of the service that installed it."""

    save: Callable[[], object]
    load: Callable[[Any], None]
    service: str


class Kernel:
    """What a service's `install(kernel)` registers itself with. Has no behaviour of AWS of its own."""

    def __init__(self, workspace: Workspace, endpoint_url: str, account_id: str = ACCOUNT_ID) -> None:
        self.workspace = workspace
        self.endpoint_url = endpoint_url
        self.account_id = account_id
        self.ports = Ports()
        self.hot_paths: dict[tuple[str, str], HotPath] = {}
        self.public_planes: list[tuple[Matches, PublicHandler]] = []
        self.durables: dict[str, Durable] = {}
        self.start_hooks: list[Callable[[], None]] = []
        self.stop_hooks: list[Callable[[], None]] = []
        self.dirty_services: set[str] = set()  # signing names; "" stands for all
        self.keepers: dict[tuple[str, str], Callable[[Call], None]] = {}
        self.gates: defaultdict[str, Gate] = defaultdict(Gate)  # by signing name
        self.request_snapshot: Callable[[str], Future[None]] | None = None
        self.before_snapshot: dict[str, list[Callable[[], Callable[[], None] | None]]] = {}
        self.syncs: list[Callable[[], None]] = []
        self.installing = ""  # signing name of the service whose install() runs
        self.paused = threading.Event()
        self.stopping = threading.Event()
        self.blocking_pool = ThreadPoolExecutor(64, thread_name_prefix="blocking")
        self._background_pool = ThreadPoolExecutor(16, thread_name_prefix="background")
        self._periodic: list[tuple[float, Callable[[], None], str]] = []
        self._running = False
        self._sessions_end = threading.Lock()

    def hot(self, service: str, operation: str, handler: Handler, *, blocking: bool = False) -> None:
        """Answers `operation` instead of moto. A blocking handler runs in a thread, any other in the event loop."""
        is_async = asyncio.iscoroutinefunction(handler)
        self.hot_paths[service, operation] = HotPath(handler, blocking and not is_async, is_async)

    def public(self, matches: Matches, handler: PublicHandler) -> None:
        """Answers unsigned requests that `matches`. For API Gateway's URLs only."""
        self.public_planes.append((matches, handler))

    def every(self, seconds: float, function: Callable[[], None], *, name: str) -> None:
        """Runs `function` in a thread of its own every `seconds`; exceptions are logged; skipped while paused."""
        self._periodic.append((seconds, function, name))
        if self._running:
            self._start_periodic(seconds, function, name)

    def on_start(self, function: Callable[[], None]) -> None:
        """Runs `function` once, after the kept state was restored and before the first request."""
        self.start_hooks.append(function)

    def on_stop(self, function: Callable[[], None]) -> None:
        """Runs `function` at an orderly stop, before the last snapshot."""
        self.stop_hooks.append(function)

    def background(self, function: Callable[..., Any], *args: Any) -> Future[Any]:
        """Runs `function` in a bounded thread pool; what it raises is logged."""
        future = self._background_pool.submit(function, *args)
        future.add_done_callback(_log_failure)
        return future

    def durable(self, name: str, save: Callable[[], object], load: Callable[[Any], None]) -> None:
        """Makes a service's own state part of its snapshot: `save` gives something picklable, `load` takes it.

        `save` runs in a thread while requests go on: give a copy, or hold your lock. `load` runs before start hooks.
        """
        self.durables[name] = Durable(save, load, self.installing)

    def kept_by(self, service: str, operation: str, keep: Callable[[Call], None]) -> None:
        """How a change by `operation` is kept, instead of by a snapshot before it is acknowledged.

        `keep` runs in the event loop after the operation succeeded: it appends to a journal or calls `mark_dirty`.
        """
        self.keepers[service, operation] = keep

    def synced(self, sync: Callable[[], None]) -> None:
        """Has `sync` called every second, so that what was appended to a journal survives a power failure too."""
        self.syncs.append(sync)

    def mark_dirty(self, service: str = "") -> None:
        """State changed: take a snapshot soon. `service` is a signing name or a durable's; without one, all of them."""
        durable = self.durables.get(service)
        self.dirty_services.add(durable.service if durable else service)

    def keep_now(self, service: str) -> None:
        """State changed outside of a call, and whoever asks may be told: have a snapshot begin at once.

        Reads of the service by the front wait until it is on disk, so that nothing told is forgotten.
        """
        if self.request_snapshot is None:
            self.mark_dirty(service)
        else:
            self.request_snapshot(service)

    def issue_role_session(
        self, role_arn: str, session_name: str, duration_s: int = 3600, *, policy: str | None = None
    ) -> Credentials:
        """Temporary credentials of a role, as the service itself would get them (Lambda, SageMaker, Firehose)."""
        from moto.iam.models import iam_backends
        from moto.sts.models import sts_backends

        backend = sts_backends[self.account_id]["aws"]
        now = datetime.now(UTC).replace(tzinfo=None)
        with self._sessions_end:
            for session in [session for session in backend.assumed_roles if session.expiration <= now]:
                backend.assumed_roles.remove(session)
                iam_backends[self.account_id]["aws"].access_keys.pop(session.access_key_id, None)
        session = backend.assume_role(
            region_name=self.workspace.region,
            role_session_name=session_name,
            role_arn=role_arn,
            policy=policy,
            duration=duration_s,
            external_id=None,
        )
        self.mark_dirty("sts")
        return Credentials(session.access_key_id, session.secret_access_key, session.session_token)

    def run(self) -> None:
        """Calls the start hooks and starts what is periodic. Raises Unreadable."""
        for hook in self.start_hooks:
            _logged(hook, "start hook")
        self._running = True
        self._start_periodic(SYNC_S, self._sync, "sync of journals")
        for seconds, function, name in self._periodic:
            self._start_periodic(seconds, function, name)

    def shut_down(self) -> None:
        """Ends what is periodic and calls the stop hooks, last installed first."""
        self.stopping.set()
        for hook in reversed(self.stop_hooks):
            _logged(hook, "stop hook")

    def _sync(self) -> None:
        for sync in self.syncs:
            _logged(sync, "sync")

    def _start_periodic(self, seconds: float, function: Callable[[], None], name: str) -> None:
        def loop() -> None:
            while not self.stopping.wait(seconds):
                if not self.paused.is_set():
                    _logged(function, name)

        threading.Thread(target=loop, name=name, daemon=True).start()


def _logged(function: Callable[[], None], name: str) -> None:
    try:
        function()
    except Unreadable:
        raise
    except Exception:
        log.exception("%s failed", name)


def _log_failure(future: Future[Any]) -> None:
    if not future.cancelled() and (error := future.exception()) is not None:
        log.error("background work failed", exc_info=error)
