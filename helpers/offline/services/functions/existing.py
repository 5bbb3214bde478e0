"""Operations on a function that must be there: looked up before moto, which would fail without words."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, unquote

from helpers.offline import fallthrough
from helpers.offline.kernel import Answer, AwsError, Call, Kernel
from helpers.offline.services.functions import lookup

# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
CONCURRENCY_OF_ACCOUNT, KEPT_UNRESERVED = 1000, 100
GUARDED = (
    "GetFunction",
    "GetFunctionConfiguration",
    "PublishVersion",
    "ListVersionsByFunction",
    "ListAliases",
    "DeleteAlias",
    "GetFunctionConcurrency",
    "DeleteFunctionConcurrency",
    "TagResource",
    "UntagResource",
    "ListTags",
)


class Existing:
    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel

    def operations(self) -> dict[str, Callable[[Call], Answer]]:
        return dict.fromkeys(GUARDED, self.guarded) | {
            "CreateAlias": self.create_alias,
            "UpdateAlias": self.update_alias,
            "GetAlias": self.get_alias,
            "GetPolicy": self.get_policy,
            "RemovePermission": self.remove_permission,
        }

    def guarded(self, call: Call) -> Answer:
        target_of(call)
        return fallthrough.ask_moto(call)

    def get_alias(self, call: Call) -> Answer:
        self._alias(call)
        return fallthrough.ask_moto(call)

    def create_alias(self, call: Call) -> Answer:
        target = target_of(call)
        request = json.loads(call.body)
        if request["Name"] in aliases_of(call, target):
            raise AwsError(
                "ResourceConflictException", f"Alias already exists: {target.arn}:{request['Name']}", 409, Type="User"
            )
        check_weights(call, target, request["FunctionVersion"], request.get("RoutingConfig"))
        return fallthrough.ask_moto(call)

    def update_alias(self, call: Call) -> Answer:
        target, alias = self._alias(call)
        request = json.loads(call.body)
        version = request.get("FunctionVersion") or alias.function_version
        check_weights(call, target, version, request.get("RoutingConfig"))
        return fallthrough.ask_moto(call)

    def _alias(self, call: Call) -> tuple[lookup.Target, Any]:
        target = target_of(call)
        name = unquote(call.path_parameters.get("Name") or call.path.rsplit("/", 1)[-1])
        alias = aliases_of(call, target).get(name)
        if alias is None:
            raise not_found(f"Cannot find alias arn: {target.arn}:{name}")
        return target, alias

    def get_policy(self, call: Call) -> Answer:
        target = target_of(call)
        mine = [one for one in target.function.policy.statements if one.get("Resource") == target.invoked_arn]
        if not mine:
            raise not_found("The resource you requested does not exist.")
        answer = fallthrough.ask_moto(call)
        document = json.loads(answer.body)
        policy = json.loads(document["Policy"])
        policy["Statement"] = [one for one in policy["Statement"] if one.get("Resource") == target.invoked_arn]
        answer.body = json.dumps(document | {"Policy": json.dumps(policy)}).encode()
        return answer

    def remove_permission(self, call: Call) -> Answer:
        sid = unquote(call.path_parameters.get("StatementId") or call.path.rsplit("/", 1)[-1])
        statements = target_of(call).function.policy.statements
        if not any(statement.get("Sid") == sid for statement in statements):
            raise not_found(f"Statement {sid} is not found in resource policy.")
        return fallthrough.ask_moto(call)


def target_of(call: Call) -> lookup.Target:
    """The function that the call is about, by name or ARN. Raises AwsError ResourceNotFoundException."""
    parts = call.path.split("/")
    name = call.path_parameters.get("FunctionName") or call.path_parameters.get("Resource") or parts[3]
    qualifier = parse_qs(call.query).get("Qualifier", [None])[0] if call.query else None
    return lookup.find(unquote(name), call.account_id, call.region, qualifier)


def aliases_of(call: Call, target: lookup.Target) -> dict[str, Any]:
    from moto.awslambda.models import lambda_backends

    return lambda_backends[call.account_id][call.region]._lambdas._get_function_aliases(target.function.function_name)


def check_version_may_go(call: Call, target: lookup.Target) -> None:
    """Raises AwsError for a version that cannot be deleted by itself."""
    if target.qualifier is None:
        return
    if target.qualifier == "$LATEST":
        raise AwsError(
            "InvalidParameterValueException",
            "$LATEST version cannot be deleted without deleting the function.",
            400,
            Type="User",
        )
    names = [name for name, alias in aliases_of(call, target).items() if target.qualifier in versions_of(alias)]
    if names:
        raise AwsError(
            "ResourceConflictException",
            f"Unable to delete version because the following aliases reference it: [{', '.join(sorted(names))}]",
            409,
            Type="User",
        )


def versions_of(alias: Any) -> set[str]:
    return {alias.function_version, *((alias.routing_config or {}).get("AdditionalVersionWeights") or {})}


def check_weights(call: Call, target: lookup.Target, version: str, routing: dict[str, Any] | None) -> None:
    """Raises AwsError for an alias that cannot be."""
    name = target.function.function_name
    lookup.find(name, call.account_id, call.region, version)
    weights = (routing or {}).get("AdditionalVersionWeights") or {}
    if not weights:
        return
    if version == "$LATEST" or "$LATEST" in weights:
        raise invalid("$LATEST is not supported for an alias pointing to more than 1 version")
    if len(weights) > 1:
        raise invalid("Number of items in AdditionalVersionWeights cannot be greater than 1")
    for other, weight in weights.items():
        if other == version:
            raise invalid(
                f"Invalid function version {other}. Function version {version} is already included in routing."
            )
        if not 0.0 <= weight <= 1.0:
            raise invalid(f"Invalid weight {weight} for function version {other}: it must be from 0.0 to 1.0")
        lookup.find(name, call.account_id, call.region, other)


def check_reserved(call: Call, target: lookup.Target, wanted: int) -> None:
    """Raises AwsError where too little of the account's concurrency would be left for other functions."""
    from moto.awslambda.models import lambda_backends

    others = sum(
        int(function.reserved_concurrency or 0)
        for function in lambda_backends[call.account_id][call.region].list_functions()
        if function.function_name != target.function.function_name
    )
    if CONCURRENCY_OF_ACCOUNT - others - wanted < KEPT_UNRESERVED:
        raise invalid(
            "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution "
            f"below its minimum value of [{KEPT_UNRESERVED}]."
        )


def invalid(message: str) -> AwsError:
    return AwsError("InvalidParameterValueException", message, 400, Type="User")


def not_found(message: str) -> AwsError:
    return AwsError("ResourceNotFoundException", message, 404, Type="User")
