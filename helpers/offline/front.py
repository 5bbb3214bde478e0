"""The front: every HTTP request of the offline AWS comes in here, is authenticated, named, authorised and answered."""

from __future__ import annotations

import asyncio
import functools
import logging
import zlib
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from helpers.offline import (
    authentication,
    cbor,
    constraints,
    control,
    doors,
    fallthrough,
    form_upload,
    signature,
    uploads,
    wire,
)
from helpers.offline.authorization import Authorizer
from helpers.offline.identities import Identities
from helpers.offline.kernel import Answer, AwsError, Call, Kernel, Principal, PublicRequest
from helpers.offline.operations import OPERATIONS
from helpers.offline.snapshots import Snapshots

log = logging.getLogger("offline.front")

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


CHUNK_BYTES = 512 * 1024
NOBODY = Principal("", "nobody")


READS = ("Get", "List", "Describe", "Head", "Simulate", "Filter", "Search", "Test")
# Operations after which a role's call may be decided otherwise, besides all of IAM's.
CHANGES_OF_POLICIES = frozenset(
    (
        *("PutBucketPolicy", "DeleteBucketPolicy", "DeleteBucket", "AddPermission", "RemovePermission"),
        *("SetTopicAttributes", "SetQueueAttributes", "DeleteTopic", "DeleteQueue", "DeleteFunction"),
        *("CreateTopic", "CreateQueue"),
    )
)
# What flows: its services keep it by themselves, in journals of their own, and check it by themselves.
DATA_PLANE = frozenset(
    (
        *("Publish", "PublishBatch", "PutRecord", "PutRecordBatch", "Invoke", "InvokeAsync", "InvokeEndpoint"),
        *("PutMetricData", "PutEvents", "ReceiveMessage", "ChangeMessageVisibility"),
    )
)


# Services whose changes reach into others: these are kept with them.
KEPT_WITH = {"application-autoscaling": ("monitoring",)}


class Front:
    """A raw ASGI application."""

    def __init__(self, kernel: Kernel, snapshots: Snapshots, stop: Callable[[], None]) -> None:
        self.kernel = kernel
        self.snapshots = snapshots
        self.identities = Identities(kernel.workspace.credentials, kernel.account_id)
        self.authorizer = Authorizer(kernel.account_id)
        self.control = control.Control(kernel, stop)
        self.moto_pool = ThreadPoolExecutor(8, thread_name_prefix="moto")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        headers = read_headers(scope)
        if not doors.is_local(headers.get("host", "")):  # before anything is read
            await send_answer(
                doors.refusal(f"Host {headers.get('host', '')} is not this machine."), scope["method"], send
            )
            return
        try:
            answer = await self.answer(scope, headers, receive)
        except uploads.ClientGone:
            return
        except uploads.TooLarge:
            answer = wire.error_answer(AwsError("RequestEntityTooLarge", "Request body is too large.", 413), None)
        await send_answer(answer, scope["method"], send)

    async def answer(self, scope: Scope, headers: dict[str, str], receive: Receive) -> Answer:
        """Raises ClientGone, TooLarge."""
        method = scope["method"]
        path = scope["raw_path"].decode("latin-1")
        query = scope["query_string"].decode("latin-1")
        host = headers.get("host", "")
        if path.startswith(control.PREFIX):
            await uploads.read_body(receive, headers)
            return self.control.answer(method, path, query, headers)
        if self.kernel.public_planes:
            request = PublicRequest(method, path, query, host, headers, b"", raw_headers=scope["headers"])
            for matches, handler in self.kernel.public_planes:
                if matches(request):
                    request.body = await uploads.read_body(receive, headers)
                    self.control.count()
                    return await handler(request)
        if doors.is_foreign_page(headers):
            return doors.refusal("Web pages may not call the offline AWS.")
        return await self.answer_api(method, path, query, headers, receive)

    async def answer_api(self, method: str, path: str, query: str, headers: dict[str, str], receive: Receive) -> Answer:
        """A signed call of an AWS API."""
        service = wire.guess_service(headers, path, query)
        protocol = wire.protocol_of(service, headers, path)
        call = Call(
            service=service,
            operation="",
            region=self.kernel.workspace.region,
            account_id=self.kernel.account_id,
            principal=NOBODY,
            method=method,
            path=path,
            query=query,
            headers=headers,
            body=b"",
            protocol=protocol,
        )
        answer = await self._answered(call, receive)
        if protocol == "cbor" and call.protocol == "json":
            return cbor.from_json(answer, constraints.operation_of(call).output_shape)
        return answer

    async def _answered(self, call: Call, receive: Receive) -> Answer:
        """What failed is an answer too."""
        try:
            form = None
            if form_upload.is_one(call):
                call.body = await uploads.read_body(receive, call.headers)
                form, known = form_upload.authenticate(call, self.identities, self.kernel.workspace.region)
                body: bytes | None = known.body
            else:
                claim = self._claim(call)  # mostly the body comes in the next packet: so this takes no time
                if uploads.is_large(call.headers):
                    claim.check(call.protocol)
                is_stream = call.service == "s3" and call.method == "PUT" and uploads.is_large(call.headers)
                body = None if is_stream else await uploads.read_body(receive, call.headers)
                known = claim.verified(body, call.protocol)
                if known.signed.service != call.service:  # what was signed for one service is good for that one alone
                    raise authentication.refusal(signature.BadSignature("mismatch"), call.protocol)
            call.principal = known.identity.principal
            call.region = known.signed.region
            call.body, call.headers = known.body, known.headers
            self.control.count()
            if call.region != self.kernel.workspace.region and call.region not in wire.regions():
                raise wire.unknown_region(call.region)
            if call.headers.get("content-encoding") == "gzip" and call.service != "s3":
                call.body = decompressed(call.body)
            wire.name_operation(call)
            if call.operation not in OPERATIONS.get(call.service, ()):
                raise wire.not_supported(call)
            if call.protocol == "cbor":
                cbor.to_json(call)
            self.authorizer.authorize(call)
            if body is None:
                await self._receive_upload(call, known, receive)
            if self._is_kept_by_snapshot(call):
                run = asyncio.get_running_loop().run_in_executor
                services = self._changed_with(call.service)
                await run(self.kernel.blocking_pool, self.snapshots.make_sure, services, len(call.body))
            answer = await self.dispatch(call)
            if answer.status < 400:
                await self._keep(call)
                if form is not None:
                    return form_upload.answer(form, answer, self.kernel.endpoint_url)
            return answer
        except (uploads.ClientGone, uploads.TooLarge):
            raise
        except AwsError as error:
            return wire.error_answer(error, call)
        except NotImplementedError as error:
            return wire.error_answer(wire.not_supported(call, str(error)), call)
        except Exception as error:
            if isinstance(error, OSError) and not call.operation.startswith(READS):
                log.error("%s:%s could not be kept: %s", call.service, call.operation, error)
                return wire.error_answer(wire.cannot_write(error, self.kernel.workspace.dir), call)
            log.exception("%s:%s failed", call.service, call.operation or call.path)
            return wire.error_answer(AwsError("InternalFailure", f"{type(error).__name__}: {error}", 500), call)
        finally:
            if call.upload is not None:
                call.upload.path.unlink(missing_ok=True)  # unless it was taken

    async def _receive_upload(self, call: Call, known: authentication.Authenticated, receive: Receive) -> None:
        """Raises ClientGone, OSError, and AwsError where the body is not the one that was promised."""
        try:
            upload, trailer = await uploads.store(
                receive,
                call.headers,
                self.kernel.workspace.dir / uploads.DIRECTORY,
                self.kernel.blocking_pool,
                chunks=known.chunks,
                promised_sha256=signature.promised_sha256(call.headers),
            )
        except signature.BadSignature as bad:
            raise authentication.refusal(bad, call.protocol) from None
        call.headers = authentication.without_chunking(call.headers, trailer, upload.size)
        call.upload = upload
        if call.operation not in ("PutObject", "UploadPart"):
            if upload.size > uploads.OTHER_LIMIT_BYTES:
                raise AwsError("MaxMessageLengthExceeded", "Your request was too big.")
            call.body = upload.path.read_bytes()

    async def _keep(self, call: Call) -> None:
        """After a change: decisions are taken anew, and the change is on disk before it is acknowledged."""
        if call.operation.startswith(READS):
            if (outstanding := self.snapshots.outstanding(call.service)) is not None:
                await asyncio.wait([asyncio.wrap_future(outstanding)])
            return
        if call.service == "iam" or call.operation in CHANGES_OF_POLICIES:
            self.authorizer.forget()
        if call.operation in DATA_PLANE:
            return
        keep = self.kernel.keepers.get((call.service, call.operation))
        if keep is not None:
            keep(call)
        else:
            await self.snapshots.committed(*self._changed_with(call.service))

    def _is_kept_by_snapshot(self, call: Call) -> bool:
        return not (
            call.operation.startswith(READS)
            or call.operation in DATA_PLANE
            or (call.service, call.operation) in self.kernel.keepers
        )

    def _changed_with(self, service: str) -> Sequence[str]:
        if service == "tagging":  # it tags resources of any service
            return self.snapshots.services
        return service, *KEPT_WITH.get(service, ())

    def _claim(self, call: Call) -> authentication.Claim:
        region = self.kernel.workspace.region
        return authentication.Claim(self.identities, call.method, call.path, call.query, call.headers, region)

    async def dispatch(self, call: Call) -> Answer:
        hot = self.kernel.hot_paths.get((call.service, call.operation))
        if hot is None:
            return await asyncio.get_running_loop().run_in_executor(self.moto_pool, self._ask_whole, call)
        if hot.is_async:
            return await hot.handler(call)
        if hot.blocking:
            handler = functools.partial(self._ask_whole, call, hot.handler)
            return await asyncio.get_running_loop().run_in_executor(self.kernel.blocking_pool, handler)
        return ask_checked(call, hot.handler)

    def _ask_whole(self, call: Call, handler: Callable[[Call], Any] = fallthrough.ask_moto) -> Answer:
        """Blocks. No snapshot is taken in the middle of a change."""
        if call.operation.startswith(READS) or call.operation in DATA_PLANE:
            return ask_checked(call, handler)
        with self.kernel.gates[call.service].passing():
            return ask_checked(call, handler)


def ask_checked(call: Call, handler: Callable[[Call], Any] = fallthrough.ask_moto) -> Answer:
    """Calls that carry data are checked by their handlers, for they are many."""
    if call.operation not in DATA_PLANE:
        constraints.check_call(call)
    return handler(call)


def decompressed(body: bytes) -> bytes:
    """Raises AwsError where it is not gzip, or would become larger than a body may be."""
    unpacking = zlib.decompressobj(16 + zlib.MAX_WBITS)
    try:
        plain = unpacking.decompress(body, uploads.OTHER_LIMIT_BYTES)
        if unpacking.unconsumed_tail:
            raise AwsError("RequestEntityTooLarge", "Request body is too large.", 413)
        if unpacking.eof:
            return plain
    except zlib.error:
        pass
    raise AwsError("SerializationException", "The body says that it is gzip, and is not.")


def read_headers(scope: Scope) -> dict[str, str]:
    """By their names in lower case; one that came more than once, joined with commas."""
    headers: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]},{value}" if name in headers else value
    return headers


async def send_answer(answer: Answer, method: str, send: Send) -> None:
    headers = answer.headers
    if "content-length" not in headers:
        headers["content-length"] = str(len(answer.body))
    if "x-amzn-requestid" not in headers:
        headers["x-amzn-requestid"] = wire.request_id()
    lines = [(name.encode("latin-1"), str(value).encode("latin-1")) for name, value in headers.items()]
    if answer.more_headers:
        lines += [(name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.more_headers]
    await send({"type": "http.response.start", "status": answer.status, "headers": lines})
    if answer.file is None or method == "HEAD":
        await send({"type": "http.response.body", "body": b"" if method == "HEAD" else answer.body})
        return
    path, first, left = answer.file
    with path.open("rb") as file:
        file.seek(first)
        while left and (chunk := file.read(min(left, CHUNK_BYTES))):
            left -= len(chunk)
            await send({"type": "http.response.body", "body": chunk, "more_body": left > 0})
