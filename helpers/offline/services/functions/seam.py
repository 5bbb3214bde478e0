"""The seam in moto: its own paths to a function (S3 notifications, log subscriptions, …) run it as Invoke does."""

from __future__ import annotations

import base64
import json
import re
import uuid
from typing import Any

from helpers.offline.services.functions import lookup
from helpers.offline.services.functions.service import FunctionService, tail

NANOSECONDS = re.compile(r"(.+\.\d{3})\d*Z")  # moto's form; Lambda's is 2026-11-25T05:28:10.639+0000


def replace(service: FunctionService) -> None:
    from moto.awslambda.models import LambdaFunction

    describe = LambdaFunction.get_configuration

    def _invoke_lambda(self: Any, event: Any = None) -> tuple[str, bool, str]:
        payload = event if isinstance(event, str) else json.dumps(event or {})
        target = lookup.Target(self, None if str(self.version) == "$LATEST" else str(self.version))
        outcome = service.from_thread(service.run(target, payload.encode())).result()
        return outcome.payload.decode(), outcome.error is not None, base64.b64decode(tail(outcome)).decode()

    def get_configuration(self: Any, on_create: bool = False) -> dict[str, Any]:
        configuration = describe(self, on_create)
        if letters := getattr(self, "dead_letter_config", None):
            configuration["DeadLetterConfig"] = letters
        if match := NANOSECONDS.fullmatch(str(configuration.get("LastModified"))):
            configuration["LastModified"] = f"{match[1]}+0000"
        configuration["LoggingConfig"] = {"LogFormat": "Text", "LogGroup": self.logs_group_name}
        told = {name: value for name, value in configuration.items() if value is not None}
        kept = {name: value for name, value in told.items() if name != "LastUpdateStatus"}
        # Another one after every change, and the same over restarts.
        told["RevisionId"] = str(uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(kept, sort_keys=True, default=str)))
        return told

    LambdaFunction._invoke_lambda = _invoke_lambda
    LambdaFunction.get_configuration = get_configuration
