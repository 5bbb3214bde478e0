"""Invocations: from a function and a payload to an answer, with AWS's words where the function fails."""

from __future__ import annotations

import asyncio
import base64
import json
import math
import threading
import time
from collections.abc import Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from helpers.offline import fallthrough
from helpers.offline.identifiers import random_uuid
from helpers.offline.kernel import AwsError, Invocation, Kernel
from helpers.offline.policies import Decision
from helpers.offline.resource_policies import Source, of_statements
from helpers.offline.services.functions import lookup, package
from helpers.offline.services.functions.environment import EXIT_GRACE_S, Environment, Gone, Outcome, Settings
from helpers.offline.services.functions.lookup import Target
from helpers.offline.services.functions.pool import Pool, Throttled
from helpers.offline.services.functions.telemetry import Telemetry, report

RESPONSE_LIMIT_BYTES = 6_291_556
TAIL_BYTES = 4096
PATIENCE_S = 0.1  # an event rather waits so long for a busy environment than have another one started

T = TypeVar("T")


class FunctionService:
    """Implements ports.functions, but for its queue (see events.py)."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.directory = kernel.workspace.dir / "functions"
        self.pool = Pool(self.directory, self._prepare)
        self.telemetry = Telemetry(kernel)
        self.loop = asyncio.new_event_loop()  # for callers that come from threads
        self._starters = ThreadPoolExecutor(8, thread_name_prefix="lambda-start")

    def start(self) -> None:
        self.telemetry.start()
        threading.Thread(target=self.loop.run_forever, name="lambda-events", daemon=True).start()
        self.pool.remove_leftovers()
        self._remove_unused_code()

    def stop(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.pool.stop()
        self.telemetry.stop()

    # --- ports.functions ---

    def invoke(self, function_arn: str, payload: bytes) -> Invocation:
        """Blocks until the function answered, or the server ends."""
        future = self.from_thread(self.ainvoke(function_arn, payload))
        while True:
            try:
                return future.result(1.0)
            except TimeoutError:
                if future.done():
                    raise
                if self.kernel.stopping.is_set():
                    raise AwsError("ServiceException", "The offline AWS ends.", 500) from None

    async def ainvoke(self, function_arn: str, payload: bytes) -> Invocation:
        target = lookup.find(function_arn, self.kernel.account_id, self.kernel.workspace.region)
        outcome = await self.run(target, payload)
        return Invocation(200, outcome.payload, outcome.error, tail(outcome))

    def permits(self, target: Target, source_principal: str, source_arn: str | None) -> bool:
        """Whether the function's resource policy lets the service invoke it."""
        statements = target.function.policy.statements
        resource = target.arn if target.qualifier == "$LATEST" else target.invoked_arn
        source = Source(source_principal, source_arn)
        decision = of_statements(statements, self.kernel.account_id, source, "lambda:InvokeFunction", resource)
        return decision is Decision.ALLOW

    # --- one invocation ---

    async def run(
        self,
        target: Target,
        payload: bytes,
        *,
        request_id: str | None = None,
        client_context: dict[str, Any] | None = None,
        wait: bool = False,
        wait_until: float = math.inf,
    ) -> Outcome:
        """Runs the function once. Raises Throttled, or with `wait` waits for a free execution instead.

        `wait_until` in seconds since the epoch.
        """
        function = target.function
        settings = lookup.settings_of(function)
        request_id = request_id or random_uuid()
        try:
            environment = await self._take(settings, function.reserved_concurrency, wait, wait_until)
        except Throttled:
            self._metric(settings, {"Throttles": (1.0, "Count")})
            raise
        outcome = await self._run_in(environment, target, payload, request_id, client_context)
        self._tell(settings, environment, outcome)
        return outcome

    async def _take(
        self, settings: Settings, reserved: int | None, wait: bool, wait_until: float = math.inf
    ) -> Environment:
        patient = wait
        while True:
            try:
                taken = self.pool.take(settings, reserved, patient=patient)
            except Throttled:
                if not wait or reserved == 0 or time.time() >= wait_until:
                    raise
                await asyncio.sleep(0.05)
                continue
            if isinstance(taken, Future):
                handed = asyncio.wrap_future(taken)
                if patient and not (await asyncio.wait([handed], timeout=PATIENCE_S))[0] and taken.cancel():
                    patient = False
                    continue
                taken = await handed
            if taken is None:
                taken = await asyncio.get_running_loop().run_in_executor(self._starters, self.pool.start, settings)
            return taken

    async def _run_in(
        self,
        environment: Environment,
        target: Target,
        payload: bytes,
        request_id: str,
        client_context: dict[str, Any] | None,
    ) -> Outcome:
        settings = environment.settings
        begun = time.perf_counter()
        timeout_s = settings.timeout_s
        init_ms = None
        try:
            if not environment.ready:
                timeout_s = 10
                if not await environment.wait_ready():
                    outcome = self._import_failed(environment, request_id, begun)
                    await self._discard(environment, EXIT_GRACE_S)
                    return outcome
                init_ms = environment.init_ms
                timeout_s = settings.timeout_s
                begun = time.perf_counter()
            header = {
                "id": request_id,
                "arn": target.invoked_arn,
                "deadline_ms": (time.time() + timeout_s) * 1000,
                "client_context": client_context,
            }
            answer, body = await environment.exchange(header, payload)
        except TimeoutError:
            duration_ms = timeout_s * 1000.0
            text = f"Task timed out after {timeout_s:.2f} seconds"
            message = f"RequestId: {request_id} Error: {text}"
            printed = [*environment.printed(), f"{_now()} {request_id} {text}"]
            await self._discard(environment)
            return _ended(environment, request_id, "Sandbox.Timedout", message, duration_ms, init_ms, printed)
        except Gone:
            duration_ms = (time.perf_counter() - begun) * 1000
            printed = environment.printed()
            reason = exit_reason(await self._discard(environment, EXIT_GRACE_S))
            message = f"RequestId: {request_id} Error: {reason}"
            printed += [message, "Runtime.ExitError"]
            return _ended(environment, request_id, "Runtime.ExitError", message, duration_ms, init_ms, printed)
        except BaseException:
            await self._discard(environment)
            raise
        duration_ms = (time.perf_counter() - begun) * 1000
        environment.memory_mb = answer["memory_mb"]
        outcome = Outcome(
            request_id,
            body,
            "Unhandled" if answer["failed"] else None,
            duration_ms,
            answer["memory_mb"],
            init_ms,
            printed=environment.printed(),
            ended=answer["ended"],
        )
        self.pool.give_back(environment)
        if len(body) > RESPONSE_LIMIT_BYTES:
            message = f"Response payload size exceeded maximum allowed payload size ({RESPONSE_LIMIT_BYTES} bytes)."
            outcome.payload = _document(message, "Function.ResponseSizeTooLarge")
            outcome.error = "Unhandled"
        return outcome

    def _import_failed(self, environment: Environment, request_id: str, begun: float) -> Outcome:
        duration_ms = (time.perf_counter() - begun) * 1000
        body = environment.init_error or b"{}"
        return Outcome(request_id, body, "Unhandled", duration_ms, 0, None, printed=environment.printed())

    async def _discard(self, environment: Environment, grace_s: float = 0.0) -> int:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._starters, self.pool.discard, environment, grace_s)

    # --- what an environment needs ---

    def _remove_unused_code(self) -> None:
        from moto.awslambda.models import lambda_backends

        regions = list(fallthrough.regions_in_use(lambda_backends, self.kernel.account_id).values())
        used = {function.code_digest for region in regions for function in region._lambdas.all()}
        for folder in (self.directory / "code").glob("*"):
            if folder.name not in used:
                package.remove(folder)

    def _prepare(self, settings: Settings) -> tuple[Path, dict[str, str]]:
        """Code and environment variables. Blocks: unpacks the code and opens a session of the role."""
        target = lookup.find(settings.function_arn, self.kernel.account_id, settings.region, settings.version)
        function = target.function
        task_root = package.unpack(function.code_bytes, function.code_digest, self.directory / "code")
        return task_root, self._variables(settings)

    def _variables(self, settings: Settings) -> dict[str, str]:
        try:
            credentials = self.kernel.issue_role_session(settings.role, settings.function_name)
        except Exception as error:
            raise AwsError(
                "AccessDeniedException", "The role defined for the function cannot be assumed by Lambda.", 403
            ) from error
        own = {
            "_HANDLER": settings.handler,
            "AWS_EXECUTION_ENV": f"AWS_Lambda_{settings.runtime}",
            "AWS_LAMBDA_FUNCTION_NAME": settings.function_name,
            "AWS_LAMBDA_FUNCTION_VERSION": settings.version,
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(settings.memory_mb),
            "AWS_LAMBDA_LOG_GROUP_NAME": settings.log_group,
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_REGION": settings.region,
            "AWS_DEFAULT_REGION": settings.region,
            "AWS_ACCESS_KEY_ID": credentials.access_key_id,
            "AWS_SECRET_ACCESS_KEY": credentials.secret_access_key,
            "AWS_ENDPOINT_URL": self.kernel.endpoint_url,
            "AWS_EC2_METADATA_DISABLED": "true",
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "LANG": "C.UTF-8",
            "TZ": ":UTC",
            "OMP_WAIT_POLICY": "PASSIVE",
        }
        if credentials.session_token:
            own["AWS_SESSION_TOKEN"] = credentials.session_token
        return own | dict(settings.variables)

    # --- what is told afterwards ---

    def _tell(self, settings: Settings, environment: Environment, outcome: Outcome) -> None:
        lines = log_lines(settings, outcome)
        self.telemetry.lines(settings.region, settings.log_group, environment.log_stream, lines, outcome.ended)
        outcome.printed = lines
        self._metric(
            settings,
            {
                "Invocations": (1.0, "Count"),
                "Errors": (1.0 if outcome.error else 0.0, "Count"),
                "Duration": (outcome.duration_ms, "Milliseconds"),
            },
        )

    def _metric(self, settings: Settings, values: dict[str, tuple[float, str]]) -> None:
        self.telemetry.metric(settings.region, "AWS/Lambda", {"FunctionName": settings.function_name}, values)

    # --- callers from threads ---

    def from_thread(self, coroutine: Coroutine[Any, Any, T]) -> Future[T]:
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop)


def log_lines(settings: Settings, outcome: Outcome) -> list[str]:
    """The invocation as CloudWatch Logs shows it."""
    status = ""
    if outcome.kind == "Sandbox.Timedout":
        status = "Status: timeout"
    elif outcome.kind:
        status = f"Status: error\tError Type: {outcome.kind}"
    last = report(
        outcome.request_id,
        duration_ms=outcome.duration_ms,
        memory_size_mb=settings.memory_mb,
        memory_mb=outcome.memory_mb,
        init_ms=outcome.init_ms,
        status=status,
    )
    first = f"START RequestId: {outcome.request_id} Version: {settings.version}"
    return [first, *outcome.printed, f"END RequestId: {outcome.request_id}", last]


def tail(outcome: Outcome) -> str:
    """The last 4 KB of the invocation's log, in base64, as LogType=Tail asks."""
    return base64.b64encode("".join(f"{line}\n" for line in outcome.printed).encode()[-TAIL_BYTES:]).decode()


def exit_reason(code: int) -> str:
    if code == 0:
        return "Runtime exited without providing a reason"
    if code < 0:
        import signal

        names = {signal.SIGKILL: "killed", signal.SIGSEGV: "segmentation fault", signal.SIGABRT: "aborted"}
        return f"Runtime exited with error: signal: {names.get(-code, signal.Signals(-code).name)}"
    return f"Runtime exited with error: exit status {code}"


def _ended(
    environment: Environment,
    request_id: str,
    kind: str,
    message: str,
    duration_ms: float,
    init_ms: float | None,
    printed: list[str],
) -> Outcome:
    body = _document(message, kind)
    memory_mb = environment.memory_mb
    return Outcome(request_id, body, "Unhandled", duration_ms, memory_mb, init_ms, kind=kind, printed=printed)


def _document(message: str, kind: str) -> bytes:
    return json.dumps({"errorType": kind, "errorMessage": message}).encode()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
