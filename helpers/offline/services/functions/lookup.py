"""Functions, versions and aliases as moto keeps them, and the settings of an execution environment made of them."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from typing import Any

from helpers.offline.kernel import AwsError
from helpers.offline.services.functions.environment import Settings

REFERENCE = re.compile(
    r"(?:arn:aws[\w-]*:lambda:(?P<region>[\w-]+):(?P<account>\d{12}):function:|(?:\d{12}:)?(?:function:)?)"
    r"(?P<name>[\w-]+)(?::(?P<qualifier>\$LATEST|[\w-]+))?"
)


@dataclass(frozen=True, slots=True)
class Target:
    """What an invocation is for: moto's function (of one version), and how it was called."""

    function: Any
    qualifier: str | None

    @property
    def arn(self) -> str:
        """Without version or alias."""
        return unqualified(self.function)

    @property
    def invoked_arn(self) -> str:
        return f"{self.arn}:{self.qualifier}" if self.qualifier else self.arn


def find(reference: str, account_id: str, region: str, qualifier: str | None = None) -> Target:
    """The function that a name, partial ARN or ARN means. Raises AwsError ResourceNotFoundException."""
    from moto.awslambda.models import lambda_backends

    match = REFERENCE.fullmatch(reference)
    if match is None:
        raise AwsError(
            "ValidationException",
            f"1 validation error detected: Value '{reference}' at 'functionName' failed to satisfy constraint: Member "
            "must satisfy regular expression pattern: (arn:(aws[a-zA-Z-]*)?:lambda:)?([a-z]{2}((-gov)|(-iso([a-z]?)))?-"
            "[a-z]+-\\d{1}:)?(\\d{12}:)?(function:)?([a-zA-Z0-9-_]+)(:(\\$LATEST|[a-zA-Z0-9-_]+))?",
        )
    region = match["region"] or region
    name, qualifier = match["name"], qualifier or match["qualifier"]
    storage = lambda_backends[account_id][region]._lambdas
    group = storage._functions.get(name)
    function = None
    if group is not None:
        if qualifier is None or qualifier == "$LATEST":
            function = group["latest"]
        elif qualifier.isdigit():
            function = storage._get_version(name, qualifier)
        elif (alias := storage._get_function_aliases(name).get(qualifier)) is not None:
            version = _route(alias)
            function = group["latest"] if version == "$LATEST" else storage._get_version(name, version)
    if function is None:
        arn = f"arn:aws:lambda:{region}:{account_id}:function:{name}" + (f":{qualifier}" if qualifier else "")
        raise AwsError("ResourceNotFoundException", f"Function not found: {arn}", 404, Type="User")
    return Target(function, qualifier)


def unqualified(function: Any) -> str:
    return ":".join(function.function_arn.split(":")[:7])


def settings_of(function: Any) -> Settings:
    return Settings(
        function_arn=unqualified(function),
        function_name=function.function_name,
        version=str(function.version),
        region=function.region,
        code_digest=function.code_digest,
        handler=function.handler,
        runtime=function.run_time,
        memory_mb=int(function.memory_size),
        timeout_s=int(function.timeout),
        role=function.role,
        log_group=function.logs_group_name,
        ephemeral_storage_mb=int(function.ephemeral_storage),
        variables=tuple(function.environment_vars.items()),
    )


def _route(alias: Any) -> str:
    """The alias's version, or by its weights the additional one."""
    weights = (alias.routing_config or {}).get("AdditionalVersionWeights") or {}
    drawn = random.random()
    for version, weight in weights.items():
        if drawn < weight:
            return version
        drawn -= weight
    return alias.function_version
