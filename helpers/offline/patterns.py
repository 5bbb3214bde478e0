"""The pattern language of EventBridge's rules and SNS's filter policies: does a JSON document match.

https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html
https://docs.aws.amazon.com/sns/latest/dg/sns-subscription-filter-policies.html
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from operator import eq, ge, gt, le, lt
from typing import Any

ABSENT = object()
RANGES: dict[str, Callable[[float, float], bool]] = {"<": lt, "<=": le, "=": eq, ">=": ge, ">": gt}
PRECISION = 1e-5  # of numbers, as SNS and EventBridge document it
LARGEST = 1e9


def matches(pattern: Mapping[str, Any], document: Any) -> bool:
    """Every key of the pattern matches; of a list in the document, one element is enough."""
    if isinstance(document, list):
        return any(matches(pattern, element) for element in document)
    for key, wanted in pattern.items():
        if key == "$or" and _is_or(wanted):
            if not any(matches(one, document) for one in wanted):
                return False
            continue
        held = document.get(key, ABSENT) if isinstance(document, Mapping) else ABSENT
        if isinstance(wanted, Mapping):
            if not matches(wanted, {} if held is ABSENT else held):
                return False
        elif not any(_rule_matches(rule, held) for rule in wanted):
            return False
    return True


def _is_or(wanted: Any) -> bool:
    return isinstance(wanted, list) and len(wanted) > 1 and all(isinstance(one, Mapping) for one in wanted)


def _leaves(held: Any) -> Iterator[Any]:
    if isinstance(held, list):
        for element in held:
            yield from _leaves(element)
    elif held is not ABSENT and not isinstance(held, Mapping):
        yield held


def _rule_matches(rule: Any, held: Any) -> bool:
    if not isinstance(rule, Mapping):
        return any(_equal(value, rule) for value in _leaves(held))
    (name, wanted), *_ = rule.items()
    if name == "exists":
        return wanted == (held is not ABSENT and not isinstance(held, Mapping))
    return any(_operator_matches(name, wanted, value) for value in _leaves(held))


def _operator_matches(name: str, wanted: Any, value: Any) -> bool:
    match name:
        case "anything-but":
            if isinstance(wanted, Mapping):
                (inner, of_inner), *_ = wanted.items()
                return not any(_operator_matches(inner, one, value) for one in _listed(of_inner))
            return not any(_equal(value, one) for one in _listed(wanted))
        case "numeric":
            return _is_number(value) and all(
                _compare(operator, value, bound) for operator, bound in zip(wanted[::2], wanted[1::2], strict=True)
            )
    if not isinstance(value, str):
        return False
    match name:
        case "prefix" | "suffix":
            test = str.startswith if name == "prefix" else str.endswith
            if isinstance(wanted, Mapping):
                return test(value.lower(), wanted["equals-ignore-case"].lower())
            return test(value, wanted)
        case "equals-ignore-case":
            return value.lower() == wanted.lower()
        case "wildcard":
            return _wildcard(wanted).fullmatch(value) is not None
        case "cidr":
            try:
                return ipaddress.ip_address(value) in ipaddress.ip_network(wanted, strict=False)
            except ValueError:
                return False
    return False


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _equal(value: Any, wanted: Any) -> bool:
    if _is_number(value) and _is_number(wanted):
        return abs(value - wanted) < PRECISION
    return type(value) is type(wanted) and value == wanted


def _compare(operator: str, value: float, bound: float) -> bool:
    return abs(value - bound) < PRECISION if operator == "=" else RANGES[operator](value, bound)


@lru_cache(1024)
def _wildcard(text: str) -> re.Pattern[str]:
    r"""`*` is any text, `\*` an asterisk, `\\` a backslash."""
    parts = re.findall(r"\\[*\\]|\*|[^*\\]+|\\", text)
    return re.compile("".join(".*" if part == "*" else re.escape(_unescaped(part)) for part in parts), re.DOTALL)


def _unescaped(part: str) -> str:
    return part[1:] if len(part) == 2 and part[0] == "\\" and part[1] in "*\\" else part


# --- What is no pattern -----------------------------------------------------------------------------------------------

STRING_OPERATORS = frozenset(("prefix", "suffix", "equals-ignore-case", "wildcard", "cidr"))
ALL_OPERATORS = STRING_OPERATORS | {"exists", "numeric", "anything-but"}


def problem(pattern: Any, operators: frozenset[str] = ALL_OPERATORS, *, nested: bool = True) -> str | None:
    """What is wrong with a pattern, in the words of AWS's parser; None where nothing is.

    `operators` are those that the service knows, `nested` says whether keys may hold objects.
    """
    if not isinstance(pattern, Mapping):
        return "Filter is not an object"
    if not pattern:
        return "Empty objects are not allowed"
    for key, wanted in pattern.items():
        if key == "$or" and _is_or(wanted):
            found = next(filter(None, (problem(one, operators, nested=nested) for one in wanted)), None)
        elif isinstance(wanted, Mapping):
            if not nested:
                return "Filter policy scope MessageAttributes does not support nested filter policy"
            found = problem(wanted, operators, nested=nested)
        elif not isinstance(wanted, list):
            return f'"{key}" must be an object or an array'
        elif not wanted:
            return "Empty arrays are not allowed"
        else:
            found = next(filter(None, (_rule_problem(rule, operators) for rule in wanted)), None)
        if found:
            return found
    return None


def _rule_problem(rule: Any, operators: frozenset[str]) -> str | None:
    if rule is None or isinstance(rule, str | bool):
        return None
    if _is_number(rule):
        return None if -LARGEST <= rule <= LARGEST else f"Value {rule} is not between -1000000000 and 1000000000"
    if not isinstance(rule, Mapping):
        return "Match value must be String, number, true, false, or null"
    if len(rule) != 1:
        return "Only one key allowed in match expression"
    (name, wanted), *_ = rule.items()
    if name not in operators:
        return f"Unrecognized match type {name}"
    match name:
        case "exists":
            return None if isinstance(wanted, bool) else "exists match pattern must be either true or false."
        case "numeric":
            return _numeric_problem(wanted)
        case "anything-but":
            return _anything_but_problem(wanted, operators)
    return _string_problem(name, wanted)


def _string_problem(name: str, wanted: Any) -> str | None:
    if name in ("prefix", "suffix") and isinstance(wanted, Mapping):
        if list(wanted) == ["equals-ignore-case"] and isinstance(wanted["equals-ignore-case"], str):
            return None
        return f"Unsupported {name} pattern: only equals-ignore-case may stand in it"
    if not isinstance(wanted, str):
        return f"{name} match pattern must be a string"
    if name == "cidr":
        try:
            ipaddress.ip_network(wanted, strict=False)
        except ValueError:
            return f"Malformed CIDR, {wanted}"
    if name == "wildcard" and "**" in wanted.replace("\\\\", "").replace("\\*", ""):
        return "Consecutive wildcard characters at pos " + str(wanted.index("**"))
    return None


def _anything_but_problem(wanted: Any, operators: frozenset[str]) -> str | None:
    if isinstance(wanted, Mapping):
        if len(wanted) != 1:
            return "Only one key allowed in match expression"
        (name, values), *_ = wanted.items()
        if name not in STRING_OPERATORS & operators or name == "cidr":
            return f"Unsupported anything-but pattern: {name}"
        return next(filter(None, (_string_problem(name, one) for one in _listed(values))), None)
    values = _listed(wanted)
    if not values:
        return "Empty arrays are not allowed"
    if all(isinstance(one, str) for one in values) or all(_is_number(one) for one in values):
        return None
    return "Inside anything but list, either all values are number or string, mixed type is not supported"


def _numeric_problem(wanted: Any) -> str | None:
    if not isinstance(wanted, list) or not wanted:
        return "Invalid member in numeric match: ]"
    operators, bounds = wanted[::2], wanted[1::2]
    for operator in operators:
        if operator not in RANGES:
            return f"Unrecognized numeric range operator: {operator}"
    for position, operator in enumerate(operators):
        if position >= len(bounds) or not _is_number(bounds[position]):
            return f"Value of {operator} must be numeric"
    if len(operators) == 1:
        return None
    if len(operators) > 2 or operators[0] not in (">", ">="):
        return "Too many elements in numeric expression"
    if operators[1] not in ("<", "<="):
        return f"Bad numeric range operator: {operators[1]}"
    return None if bounds[1] > bounds[0] else "Bottom must be less than top"
