"""Roles that a service takes on to act for its owner: who may take them on, and what they may then do."""

from __future__ import annotations

import json
import re
import time

from helpers.offline import policies
from helpers.offline.actions import Need
from helpers.offline.authorization import Authorizer, find_role
from helpers.offline.kernel import Kernel, Principal

REMEMBERED_S = 1.0  # a changed policy takes effect after at most so long; on AWS it takes some seconds too
_remembered: dict[tuple[str, str, str], tuple[float, str | None]] = {}


def trusts(account_id: str, role_arn: str, service: str) -> bool:
    """Whether the role exists and lets `service` (such as firehose.amazonaws.com) take it on."""
    role = find_role(account_id, role_arn)
    if role is None:
        return False
    document = role.assume_role_policy_document
    text = document if isinstance(document, str) else json.dumps(document)
    return any(
        statement.get("Effect") == "Allow" and policies.principal_matches(statement, service=service)
        for statement in policies.statements(text)
    )


def refusal(kernel: Kernel, role_arn: str, session_name: str, action: str, resource: str) -> str | None:
    """Why the role may not do `action` on `resource`, in IAM's words; None where it may."""
    key = (role_arn, action, resource)
    until, reason = _remembered.get(key, (0.0, None))
    now = time.monotonic()
    if now < until:
        return reason
    session = re.sub(r":iam::(\d+):role/(?:.*/)?", r":sts::\1:assumed-role/", role_arn) + f"/{session_name}"
    principal = Principal(session, role_arn)
    reason = (
        Authorizer(kernel.account_id).explain(principal, kernel.workspace.region, Need(action, (resource,))) or None
    )
    if len(_remembered) > 5000:
        _remembered.clear()
    _remembered[key] = (now + REMEMBERED_S, reason)
    return reason
