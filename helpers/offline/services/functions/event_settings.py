"""How events of a function are treated, for each version and alias by itself: retries, greatest age, destinations.

https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-configuring.html
"""

from __future__ import annotations

import json
import time
from typing import Any

from helpers.offline.kernel import Answer, Call, Kernel
from helpers.offline.services.functions import destinations, existing, lookup

MEMBERS = ("MaximumRetryAttempts", "MaximumEventAgeInSeconds", "DestinationConfig")


def of(target: lookup.Target) -> dict[str, Any]:
    """The settings that hold for an invocation; empty where there are none."""
    return _held(target).get(_qualifier(target), {})


class EventSettings:
    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel

    def put(self, call: Call) -> Answer:
        return self._keep(call, {})

    def update(self, call: Call) -> Answer:
        return self._keep(call, self._found(call))

    def get(self, call: Call) -> Answer:
        return answer(described(existing.target_of(call), self._found(call)))

    def delete(self, call: Call) -> Answer:
        self._found(call)
        target = existing.target_of(call)
        del _held(target)[_qualifier(target)]
        self.kernel.mark_dirty("lambda")
        return Answer(204)

    def list(self, call: Call) -> Answer:
        target = existing.target_of(call)
        found = [
            described(lookup.Target(target.function, qualifier), settings)
            for qualifier, settings in sorted(_held(target).items())
        ]
        return answer({"FunctionEventInvokeConfigs": found})

    def _found(self, call: Call) -> dict[str, Any]:
        target = existing.target_of(call)
        settings = of(target)
        if not settings:
            raise existing.not_found(
                f"The function {target.arn}:{_qualifier(target)} doesn't have an EventInvokeConfig"
            )
        return settings

    def _keep(self, call: Call, earlier: dict[str, Any]) -> Answer:
        target = existing.target_of(call)
        request = json.loads(call.body)
        given = {name: request[name] for name in MEMBERS if request.get(name) is not None}
        if not given:
            raise existing.invalid("You must specify at least one of error handling or destination setting.")
        for side in (given.get("DestinationConfig") or {}).values():
            if (side or {}).get("Destination"):
                destinations.check(self.kernel, target.function.role, side["Destination"])
                self._check_exists(side["Destination"])
        settings = _held(target)[_qualifier(target)] = earlier | given | {"LastModified": round(time.time(), 3)}
        self.kernel.mark_dirty("lambda")
        return answer(described(target, settings))

    def _check_exists(self, arn: str) -> None:
        """A queue or topic that is not there is refused when it is named, not when it is needed."""
        from moto.sns.models import sns_backends
        from moto.sqs.models import sqs_backends

        _, _, service, region, _account, name, *_ = arn.split(":")
        if service == "sqs" and name not in sqs_backends[self.kernel.account_id][region].queues:
            raise existing.invalid(f"The destination ARN {arn} is invalid.")
        if service == "sns" and arn not in sns_backends[self.kernel.account_id][region].topics:
            raise existing.invalid(f"The destination ARN {arn} is invalid.")


def described(target: lookup.Target, settings: dict[str, Any]) -> dict[str, Any]:
    sides = {"OnSuccess": {}, "OnFailure": {}} | (settings.get("DestinationConfig") or {})
    return settings | {"FunctionArn": f"{target.arn}:{_qualifier(target)}", "DestinationConfig": sides}


def answer(document: dict[str, Any]) -> Answer:
    return Answer(200, {"content-type": "application/json"}, json.dumps(document).encode())


def _qualifier(target: lookup.Target) -> str:
    return target.qualifier or "$LATEST"


def _held(target: lookup.Target) -> dict[str, dict[str, Any]]:
    """By version or alias; kept with the function's newest code."""
    from moto.awslambda.models import lambda_backends

    function = target.function
    storage = lambda_backends[function.function_arn.split(":")[4]][function.region]._lambdas
    latest = storage._functions[function.function_name]["latest"]
    return latest.__dict__.setdefault("event_settings", {})
