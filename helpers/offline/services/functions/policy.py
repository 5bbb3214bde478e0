"""Resource policies of functions: may this service invoke on behalf of that resource?"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Any


def allows(
    statements: list[dict[str, Any]], resource: str, principal: str, source_arn: str | None, account: str
) -> bool:
    """Whether a statement of the policy allows lambda:InvokeFunction on `resource` (the qualified ARN if qualified)."""
    return any(
        statement.get("Effect") == "Allow"
        and _names(statement.get("Action"), "lambda:InvokeFunction")
        and _names(statement.get("Resource"), resource)
        and _is_principal(statement.get("Principal"), principal)
        and all(
            _holds(operator, values, source_arn, account)
            for operator, values in (statement.get("Condition") or {}).items()
        )
        for statement in statements
    )


def _names(patterns: Any, value: str) -> bool:
    return any(fnmatchcase(value, each) for each in ([patterns] if isinstance(patterns, str) else patterns or []))


def _is_principal(principal: Any, service: str) -> bool:
    if isinstance(principal, dict):
        principal = principal.get("Service", [])
    names = [principal] if isinstance(principal, str) else principal
    return service in names or "*" in names


def _holds(operator: str, values: dict[str, Any], source_arn: str | None, account: str) -> bool:
    """False for a condition that is not known here: what cannot be judged is not allowed."""
    actual = {"aws:sourcearn": source_arn, "aws:sourceaccount": account}
    for key, wanted in values.items():
        value = actual.get(key.lower())
        patterns = [wanted] if isinstance(wanted, str) else wanted
        if value is None:
            return False
        if operator in ("ArnLike", "ArnEquals", "StringLike"):
            if not any(fnmatchcase(value, pattern) for pattern in patterns):
                return False
        elif operator == "StringEquals":
            if value not in patterns:
                return False
        else:
            return False
    return True
