"""What is told of each request: the stage's access log, and the metrics of AWS/ApiGateway."""

from __future__ import annotations

import hashlib
import logging
import time

from helpers.offline.errands import Errands
from helpers.offline.kernel import Answer, Kernel
from helpers.offline.services.apigateway import templates
from helpers.offline.services.apigateway.event import Exchange

log = logging.getLogger("offline.apigateway")


class Reporter(Errands):
    """Tells it in errands: no request waits for its log."""

    def __init__(self, kernel: Kernel) -> None:
        super().__init__("apigateway-reporter", log)
        self.kernel = kernel

    def report(self, exchange: Exchange, answer: Answer) -> None:
        latency_ms = (time.time() - exchange.begun) * 1000
        self.put(lambda: self._tell(exchange, answer.status, len(answer.body), latency_ms))

    def _tell(self, exchange: Exchange, status: int, size_bytes: int, latency_ms: float) -> None:
        self._log(exchange, status, size_bytes, latency_ms)
        values = {
            "Count": (1.0, "Count"),
            "4XXError": (float(400 <= status < 500), "Count"),
            "5XXError": (float(status >= 500), "Count"),
            "Latency": (latency_ms, "Milliseconds"),
        }
        if exchange.integration_ms is not None:
            values["IntegrationLatency"] = (exchange.integration_ms, "Milliseconds")
        api = {"ApiName": exchange.api.name}
        for dimensions in (api, api | {"Stage": exchange.stage_name}):
            for name, (value, unit) in values.items():
                self.kernel.ports.metrics.put(
                    self.kernel.account_id, exchange.region, "AWS/ApiGateway", name, dimensions, value, unit=unit
                )

    def _log(self, exchange: Exchange, status: int, size_bytes: int, latency_ms: float) -> None:
        settings = exchange.stage.access_log_settings if exchange.stage is not None else None
        if not settings or not settings.get("destinationArn") or not settings.get("format"):
            return
        extra = {"status": status, "responseLength": size_bytes, "responseLatency": round(latency_ms)}
        line = templates.render(settings["format"], exchange, extra)
        parts = settings["destinationArn"].split(":", 6)
        account, region = self.kernel.account_id, parts[3]
        if parts[2] == "logs":
            stream = hashlib.md5(f"{exchange.api.id}/{exchange.stage_name}".encode()).hexdigest()
            self.kernel.ports.logs.write(account, region, parts[6].removesuffix(":*"), stream, [line])
        elif parts[2] == "firehose":
            name = parts[5].removeprefix("deliverystream/")
            self.kernel.ports.streams.put_records(account, region, name, [f"{line}\n".encode()])
