"""The front: every HTTP request of the offline AWS comes in here, is authenticated, named, authorised and answered."""

from __future__ import annotations

import asyncio
import gzip
import logging
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from helpers.offline import control, fallthrough, wire
from helpers.offline.kernel import Answer, AwsError, Call, Kernel, Principal, PublicRequest
from helpers.offline.operations import OPERATIONS

log = logging.getLogger("offline.front")

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class Front:
    """A raw ASGI application."""

    def __init__(self, kernel: Kernel, stop: Callable[[], None]) -> None:
        self.kernel = kernel
        self.control = control.Control(kernel, stop)
        self.moto_pool = ThreadPoolExecutor(8, thread_name_prefix="moto")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        body = await read_body(receive)
        answer = await self.answer(scope, headers, body)
        await send_answer(answer, scope["method"], send)

    async def answer(self, scope: Scope, headers: dict[str, str], body: bytes) -> Answer:
        path = scope["raw_path"].decode("latin-1")
        query = scope["query_string"].decode("latin-1")
        if path.startswith(control.PREFIX):
            return self.control.answer(scope["method"], path, query, headers)
        request = PublicRequest(scope["method"], path, query, headers.get("host", ""), headers, body)
        for matches, handler in self.kernel.public_planes:
            if matches(request):
                return await handler(request)
        call = None
        try:
            if headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            service, region = wire.credential_scope(headers, query)
            call = Call(
                service=service,
                operation="",
                region=region,
                account_id=self.kernel.account_id,
                principal=Principal(f"arn:aws:iam::{self.kernel.account_id}:user/workshop"),
                method=scope["method"],
                path=path,
                query=query,
                headers=headers,
                body=body,
            )
            wire.name_operation(call)
            if call.operation not in OPERATIONS.get(call.service, ()):
                raise wire.not_supported(call)
            return await self.dispatch(call)
        except AwsError as error:
            return wire.error_answer(error, call)
        except NotImplementedError as error:
            return wire.error_answer(AwsError("NotImplemented", str(error), 501), call)
        except Exception as error:
            log.exception("%s %s failed", scope["method"], path)
            return wire.error_answer(AwsError("InternalFailure", f"{type(error).__name__}: {error}", 500), call)

    async def dispatch(self, call: Call) -> Answer:
        hot = self.kernel.hot_paths.get((call.service, call.operation))
        if hot is None:
            return await asyncio.get_running_loop().run_in_executor(self.moto_pool, fallthrough.ask_moto, call)
        if hot.is_async:
            return await hot.handler(call)
        if hot.blocking:
            return await asyncio.get_running_loop().run_in_executor(self.kernel.blocking_pool, hot.handler, call)
        return hot.handler(call)


async def read_body(receive: Receive) -> bytes:
    message = await receive()
    if not message.get("more_body"):
        return message.get("body", b"")
    chunks = [message.get("body", b"")]
    while message.get("more_body"):
        message = await receive()
        chunks.append(message.get("body", b""))
    return b"".join(chunks)


async def send_answer(answer: Answer, method: str, send: Send) -> None:
    headers = answer.headers
    if "content-length" not in headers:
        headers["content-length"] = str(len(answer.body))
    if "x-amzn-requestid" not in headers:
        headers["x-amzn-requestid"] = wire.request_id()
    await send(
        {
            "type": "http.response.start",
            "status": answer.status,
            "headers": [(name.encode("latin-1"), str(value).encode("latin-1")) for name, value in headers.items()],
        }
    )
    await send({"type": "http.response.body", "body": b"" if method == "HEAD" else answer.body})
