"""What policies would decide, by the rules that decide for sessions of roles."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from xml.sax.saxutils import escape

from helpers.offline import authorization, policies, wire
from helpers.offline.kernel import Answer, AwsError, Call, Principal
from helpers.offline.policies import Decision

EVERYTHING = '{"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}'
GIVEN = ("aws:principalarn", "aws:principalaccount")


def simulate_principal_policy(call: Call) -> Answer:
    """The policies of a role (or of the workspace's owner), and those that are given besides."""
    form = call.form()
    source = form.get("PolicySourceArn", "")
    if source == f"arn:aws:iam::{call.account_id}:user/workshop":
        documents, boundary = [EVERYTHING], None
    else:
        role = authorization.find_role(call.account_id, source)
        if role is None:
            raise AwsError("NoSuchEntity", f"The entity with ARN {source} cannot be found.", 404)
        documents, boundary = authorization.identity_documents(role), authorization.boundary_document(role)
    return _answer(call, form, source, documents + _policies(form, "PolicyInputList"), boundary)


def simulate_custom_policy(call: Call) -> Answer:
    """The policies that are given, and no others."""
    form = call.form()
    return _answer(call, form, form.get("CallerArn", ""), _policies(form, "PolicyInputList"), None)


def _answer(call: Call, form: Mapping[str, str], source: str, documents: Sequence[str], boundary: str | None) -> Answer:
    given = _policies(form, "PermissionsBoundaryPolicyInputList")
    boundary = given[0] if given else boundary
    resource_policy = form.get("ResourcePolicy")
    context = {GIVEN[0]: (source,), GIVEN[1]: (call.account_id,), **_context_entries(form)}
    principal = Principal(form.get("CallerArn") or source, source)
    results = []
    for action in _members(form, "ActionNames"):
        for resource in _members(form, "ResourceArns") or ["*"]:
            request = policies.Request(action, (resource,), context)
            by_resource = authorization.resource_verdict(call.account_id, principal, resource_policy, request)
            found = authorization.verdict(request, documents, boundary, None, by_resource)
            missing = _missing([*documents, boundary or "{}", resource_policy or "{}"], context)
            results.append(_result(request, found.decision, boundary, missing))
    name = call.operation
    body = (
        f'<{name}Response xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><{name}Result><IsTruncated>false'
        f"</IsTruncated><EvaluationResults>{''.join(results)}</EvaluationResults></{name}Result><ResponseMetadata>"
        f"<RequestId>{wire.request_id()}</RequestId></ResponseMetadata></{name}Response>"
    )
    return Answer(200, {"content-type": "text/xml"}, body.encode())


def _result(
    request: policies.Request,
    decision: Decision,
    boundary: str | None,
    missing: Iterable[str],
) -> str:
    detail = ""
    if boundary is not None:
        allowed = policies.evaluate([boundary], request) is Decision.ALLOW
        detail = (
            "<PermissionsBoundaryDecisionDetail><AllowedByPermissionsBoundary>"
            f"{str(allowed).lower()}</AllowedByPermissionsBoundary></PermissionsBoundaryDecisionDetail>"
        )
    keys = "".join(f"<member>{escape(key)}</member>" for key in missing)
    return (
        f"<member><EvalActionName>{escape(request.action)}</EvalActionName><EvalResourceName>"
        f"{escape(request.resources[0])}</EvalResourceName><EvalDecision>{decision.value}</EvalDecision>"
        f"<MatchedStatements/><MissingContextValues>{keys}</MissingContextValues>{detail}</member>"
    )


def _missing(documents: Iterable[str], context: Mapping[str, Any]) -> list[str]:
    """Condition keys that the policies ask for and that nobody gave."""
    asked = {
        key
        for document in documents
        for statement in policies.statements(document)
        for block in (statement.get("Condition") or {}).values()
        for key in block
    }
    return sorted(key for key in asked if key.lower() not in context)


def _policies(form: Mapping[str, str], name: str) -> list[str]:
    found = _members(form, name)
    for document in found:
        try:
            json.loads(document)["Statement"]
        except (ValueError, KeyError, TypeError):
            raise AwsError("InvalidInput", f"Invalid Entity Name: {name} holds what is no policy.") from None
    return found


def _members(form: Mapping[str, str], name: str) -> list[str]:
    numbered = [
        (match[1], value) for key, value in form.items() if (match := re.fullmatch(rf"{name}\.member\.(\d+)", key))
    ]
    return [value for _, value in sorted(numbered, key=lambda pair: int(pair[0]))]


def _context_entries(form: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    entries = {}
    for key, name in form.items():
        if key.startswith("ContextEntries.member.") and key.endswith(".ContextKeyName"):
            start = key.removesuffix("ContextKeyName") + "ContextKeyValues.member."
            entries[name.lower()] = tuple(value for other, value in form.items() if other.startswith(start))
    return entries
