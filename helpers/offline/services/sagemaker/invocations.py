"""InvokeEndpoint, the hot path: picks a variant, asks its container, counts, answers as the runtime does."""

from __future__ import annotations

import asyncio
import time
from typing import Any
from urllib.parse import unquote

from helpers.offline.kernel import Answer, AwsError, Call, Kernel
from helpers.offline.services.sagemaker.capture import Capture
from helpers.offline.services.sagemaker.deployments import Deployments
from helpers.offline.services.sagemaker.fleet import Fleet, Running
from helpers.offline.services.sagemaker.invocation_metrics import InvocationMetrics
from helpers.offline.services.sagemaker.serving.container import Reply

LARGEST_BODY = 6_291_456
INLINE_BODY = 4_096  # larger ones are answered in a thread, so that nobody waits for them
TIMEOUT_S = 60.0


class Invocations:
    def __init__(self, kernel: Kernel, deployments: Deployments, metrics: InvocationMetrics, capture: Capture) -> None:
        self.kernel = kernel
        self.deployments = deployments
        self.metrics = metrics
        self.capture = capture

    async def invoke(self, call: Call) -> Answer:
        began = time.perf_counter()
        name = unquote(call.path_parameters["EndpointName"])
        fleet = self.deployments.fleets.get((call.region, name))
        if fleet is None:
            raise self._unknown(call, name)
        if len(call.body) > LARGEST_BODY:
            raise AwsError("ValidationError", f"HTTP content length exceeded {LARGEST_BODY} bytes.", 413)
        if "x-amzn-sagemaker-target-model" in call.headers:
            raise AwsError(
                "ValidationError",
                f"Endpoint {name} of account {call.account_id} is not a multi-model endpoint and does not support "
                "target model header.",
            )
        wanted = call.headers.get("x-amzn-sagemaker-target-variant")
        running = fleet.pick(wanted)
        if running is None:
            raise AwsError("ValidationError", f"Variant {wanted} not found for endpoint {name} of account "
                           f"{call.account_id}.")  # fmt: skip
        started = time.perf_counter()
        self.metrics.arrived(call.region, name, running)
        if running.instances is not None:
            await self._wait(call, name, running, started)
        content_type, accept = call.headers.get("content-type"), call.headers.get("accept")
        if len(call.body) <= INLINE_BODY:
            reply, cpu_s = running.invoke(call.body, content_type, accept)
        else:
            reply, cpu_s = await self._in_a_thread(call, name, running, content_type, accept)
        running.cpu_s += cpu_s
        seconds = time.perf_counter() - started
        self.metrics.answered(call.region, name, running, seconds, reply.status, time.perf_counter() - began - seconds)
        if fleet.capture:
            self._capture(fleet, name, running, call, reply)
        if reply.status >= 400:
            raise self._model_error(call, name, running, reply.status, reply.body.decode(), reply.log)
        return self._answer(call, running, reply)

    async def _wait(self, call: Call, name: str, running: Running, started: float) -> None:
        """In the queue of an instance, and until it has worked. Raises AwsError after the longest time allowed."""
        seconds = running.instances.take(started)
        await asyncio.sleep(min(seconds, TIMEOUT_S))
        if seconds > TIMEOUT_S:
            self.metrics.answered(call.region, name, running, TIMEOUT_S, 0)
            raise self._timed_out(call, name, running)

    async def _in_a_thread(
        self, call: Call, name: str, running: Running, content_type: str | None, accept: str | None
    ) -> tuple[Reply, float]:
        loop = asyncio.get_running_loop()
        arguments = (running.invoke, call.body, content_type, accept)
        try:
            async with running.places:
                work = loop.run_in_executor(self.kernel.blocking_pool, *arguments)
                return await asyncio.wait_for(work, TIMEOUT_S)
        except TimeoutError:
            self.metrics.answered(call.region, name, running, TIMEOUT_S, 0)
            raise self._timed_out(call, name, running) from None

    def _timed_out(self, call: Call, name: str, running: Running) -> AwsError:
        text = (
            "Your invocation timed out while waiting for a response from container primary. Review the latency "
            "metrics for each container in Amazon CloudWatch, resolve the issue, and try again."
        )
        return self._model_error(call, name, running, 0, text, text)

    def _answer(self, call: Call, running: Running, reply: Reply) -> Answer:
        headers = {"x-amzn-invoked-production-variant": running.variant.name}
        if reply.content_type:
            headers["content-type"] = reply.content_type
        attributes = call.headers.get("x-amzn-sagemaker-custom-attributes")
        if attributes:
            headers["x-amzn-sagemaker-custom-attributes"] = attributes
        return Answer(200 if reply.status == 204 else reply.status, headers, reply.body)

    def _unknown(self, call: Call, name: str) -> AwsError:
        known = self.deployments.store.endpoints(call.region).get(name)
        if known is not None and known.status not in ("Creating", "Failed"):  # after a restart it is loaded again
            return AwsError("ServiceUnavailable", f"Endpoint {name} of account {call.account_id} is not ready.", 503)
        return AwsError("ValidationError", f"Endpoint {name} of account {call.account_id} not found.")

    def _model_error(self, call: Call, name: str, running: Running, status: int, text: str, told: str) -> AwsError:
        group = f"/aws/sagemaker/Endpoints/{name}"
        endpoint = self.deployments.store.endpoints(call.region).get(name)
        stream = ""
        if endpoint is not None:
            output = self.deployments.container_log(endpoint, running.variant.name)
            stream = output.place[3]
            for line in told.splitlines():
                output.add(line)
            self.kernel.background(output.flush)
        kind = "client" if 400 <= status < 500 else "server"
        link = f"https://{call.region}.console.aws.amazon.com/cloudwatch/home?region={call.region}"
        members: dict[str, Any] = {
            "OriginalStatusCode": status,
            "OriginalMessage": text,
            "LogStreamArn": f"arn:aws:logs:{call.region}:{call.account_id}:log-group:{group}:log-stream:{stream}",
        }
        return AwsError(
            "ModelError",
            f'Received {kind} error ({status}) from primary with message "{text}". See '
            f"{link}#logEventViewer:group={group} in account {call.account_id} for more information.",
            424,
            **members,
        )

    def _capture(self, fleet: Fleet, name: str, running: Running, call: Call, reply: Reply) -> None:
        inference_id = call.headers.get("x-amzn-sagemaker-inference-id")
        content_type = call.headers.get("content-type", "")
        self.capture.note(
            fleet.capture or {}, call.region, name, running.variant.name, call.body, content_type, reply, inference_id
        )
