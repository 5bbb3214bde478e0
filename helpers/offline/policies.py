"""IAM's policy language: does a set of policy documents allow this action on this resource, in this context.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from functools import lru_cache
from typing import Any

Context = Mapping[str, Sequence[str]]  # condition key in lower case -> its values


class Decision(Enum):
    ALLOW = "allowed"
    EXPLICIT_DENY = "explicitDeny"
    IMPLICIT_DENY = "implicitDeny"


@dataclass(frozen=True, slots=True)
class Request:
    """One action on one resource. `resources` are equivalent names of it: matching one of them is enough."""

    action: str
    resources: tuple[str, ...]
    context: Context


@lru_cache(2048)
def statements(document: str) -> tuple[dict[str, Any], ...]:
    """The statements of a policy document; none of a document that is not JSON."""
    try:
        found = json.loads(document).get("Statement", [])
    except (ValueError, AttributeError):
        return ()
    return tuple(found) if isinstance(found, list) else (found,)


def evaluate(documents: Iterable[str], request: Request) -> Decision:
    """Explicit deny before allow before implicit deny. Statements with a Principal are not looked at specially."""
    decision = Decision.IMPLICIT_DENY
    for document in documents:
        for statement in statements(document):
            if applies(statement, request):
                if statement.get("Effect") == "Deny":
                    return Decision.EXPLICIT_DENY
                decision = Decision.ALLOW
    return decision


def applies(statement: Mapping[str, Any], request: Request) -> bool:
    """Whether the statement speaks of this action on this resource in this context; its principal is not looked at."""
    return (
        _action_matches(statement, request)
        and _resource_matches(statement, request)
        and conditions_hold(statement.get("Condition", {}), request.context)
    )


def principal_matches(statement: Mapping[str, Any], *, aws: Iterable[str] = (), service: str | None = None) -> bool:
    """Whether a resource policy's or trust policy's statement speaks of the caller, by any of its names."""
    if "NotPrincipal" in statement:
        return not principal_matches({"Principal": statement["NotPrincipal"]}, aws=aws, service=service)
    principal = statement.get("Principal", {})
    if principal == "*":
        return True
    if service is not None and service in _listed(principal.get("Service", [])):
        return True
    named = _listed(principal.get("AWS", []))
    return "*" in named or any(name in named for name in aws)


def conditions_hold(conditions: Mapping[str, Mapping[str, Any]], context: Context) -> bool:
    """Whether all conditions hold; an operator that AWS does not have never does."""
    return all(
        _holds(operator, context.get(key.lower()), [str(value) for value in _listed(expected)], context)
        for operator, block in conditions.items()
        for key, expected in block.items()
    )


# --- Matching ---------------------------------------------------------------------------------------------------------


def _action_matches(statement: Mapping[str, Any], request: Request) -> bool:
    action = request.action.lower()
    if "NotAction" in statement:
        return not any(_pattern(entry.lower()).fullmatch(action) for entry in _listed(statement["NotAction"]))
    return any(_pattern(entry.lower()).fullmatch(action) for entry in _listed(statement.get("Action", [])))


def _resource_matches(statement: Mapping[str, Any], request: Request) -> bool:
    def any_matches(entries: Any) -> bool:
        patterns = [_pattern(_filled(entry, request.context)) for entry in _listed(entries)]
        return any(pattern.fullmatch(resource) for pattern in patterns for resource in request.resources)

    if "NotResource" in statement:
        return not any_matches(statement["NotResource"])
    return any_matches(statement.get("Resource", []))


@lru_cache(8192)
def _pattern(wildcards: str) -> re.Pattern[str]:
    translated = "".join({"*": ".*", "?": "."}.get(part, re.escape(part)) for part in re.split(r"([*?])", wildcards))
    return re.compile(translated, re.DOTALL)


def _filled(text: str, context: Context) -> str:
    """With ${policy variables} replaced by the context's values."""
    if "${" not in text:
        return text

    def value(match: re.Match[str]) -> str:
        name, _, default = match[1].partition(",")
        if name in ("*", "?", "$"):
            return name
        values = context.get(name.strip().lower())
        return values[0] if values else default.strip().strip("'") or match[0]

    return re.sub(r"\$\{([^}]+)\}", value, text)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


# --- Conditions -------------------------------------------------------------------------------------------------------


def _holds(operator: str, actual: Sequence[str] | None, expected: list[str], context: Context) -> bool:
    quantifier, _, name = operator.rpartition(":")
    if_exists = name.endswith("IfExists")
    name = name.removesuffix("IfExists")
    if name == "Null":
        return (actual is None) == (expected[0].lower() == "true")
    negated = "Not" in name
    compare = _COMPARISONS.get(name.replace("Not", ""))
    if compare is None:
        return False
    if actual is None:
        return if_exists or negated or quantifier == "ForAllValues"
    expected = [_filled(value, context) for value in expected]

    def matches(value: str) -> bool:
        return any(compare(value, wanted) for wanted in expected) != negated

    if quantifier == "ForAllValues":
        return all(matches(value) for value in actual)
    if quantifier == "ForAnyValue":
        return any(matches(value) for value in actual)
    return all(matches(value) for value in actual) if negated else any(matches(value) for value in actual)


def _like(value: str, pattern: str) -> bool:
    return _pattern(pattern).fullmatch(value) is not None


def _numbers(compare: Callable[[float, float], bool]) -> Callable[[str, str], bool]:
    def comparison(value: str, wanted: str) -> bool:
        try:
            return compare(float(value), float(wanted))
        except ValueError:
            return False

    return comparison


def _dates(compare: Callable[[float, float], bool]) -> Callable[[str, str], bool]:
    def comparison(value: str, wanted: str) -> bool:
        try:
            return compare(_moment(value), _moment(wanted))
        except ValueError:
            return False

    return comparison


def _moment(text: str) -> float:
    if text.replace(".", "", 1).isdigit():
        return float(text)
    moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _in_network(value: str, network: str) -> bool:
    try:
        return ipaddress.ip_address(value) in ipaddress.ip_network(network, strict=False)
    except ValueError:
        return False


# By the operator's name without "Not": StringNotEquals is StringEquals, negated.
_COMPARISONS: dict[str, Callable[[str, str], bool]] = {
    "StringEquals": lambda value, wanted: value == wanted,
    "StringEqualsIgnoreCase": lambda value, wanted: value.lower() == wanted.lower(),
    "StringLike": _like,
    "ArnEquals": _like,
    "ArnLike": _like,
    "Bool": lambda value, wanted: value.lower() == wanted.lower(),
    "BinaryEquals": lambda value, wanted: value == wanted,
    "IpAddress": _in_network,
    "NumericEquals": _numbers(lambda value, wanted: value == wanted),
    "NumericLessThan": _numbers(lambda value, wanted: value < wanted),
    "NumericLessThanEquals": _numbers(lambda value, wanted: value <= wanted),
    "NumericGreaterThan": _numbers(lambda value, wanted: value > wanted),
    "NumericGreaterThanEquals": _numbers(lambda value, wanted: value >= wanted),
    "DateEquals": _dates(lambda value, wanted: value == wanted),
    "DateLessThan": _dates(lambda value, wanted: value < wanted),
    "DateLessThanEquals": _dates(lambda value, wanted: value <= wanted),
    "DateGreaterThan": _dates(lambda value, wanted: value > wanted),
    "DateGreaterThanEquals": _dates(lambda value, wanted: value >= wanted),
}
