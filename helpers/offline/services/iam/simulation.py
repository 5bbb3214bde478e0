"""SimulatePrincipalPolicy: what a role's policies would decide, by the rules that decide for its sessions."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

from helpers.offline import authorization, policies, wire
from helpers.offline.kernel import Answer, AwsError, Call
from helpers.offline.policies import Decision


def simulate_principal_policy(call: Call) -> Answer:
    form = {name: values[0] for name, values in parse_qs(call.body.decode()).items()}
    source = form.get("PolicySourceArn", "")
    documents, boundary = _documents(source, call)
    context = {
        "aws:principalarn": (source,),
        "aws:principalaccount": (call.account_id,),
        **_context_entries(form),
    }
    results = []
    for action in _members(form, "ActionNames"):
        for resource in _members(form, "ResourceArns") or ["*"]:
            request = policies.Request(action, (resource,), context)
            decision = policies.evaluate(documents, request)
            if boundary is not None and decision is Decision.ALLOW:
                decision = policies.evaluate([boundary], request)
            results.append(
                f"<member><EvalActionName>{escape(action)}</EvalActionName><EvalResourceName>{escape(resource)}"
                f"</EvalResourceName><EvalDecision>{decision.value}</EvalDecision><MatchedStatements/>"
                "<MissingContextValues/></member>"
            )
    body = (
        '<SimulatePrincipalPolicyResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/">'
        f"<SimulatePrincipalPolicyResult><IsTruncated>false</IsTruncated><EvaluationResults>{''.join(results)}"
        "</EvaluationResults></SimulatePrincipalPolicyResult><ResponseMetadata><RequestId>"
        f"{wire.request_id()}</RequestId></ResponseMetadata></SimulatePrincipalPolicyResponse>"
    )
    return Answer(200, {"content-type": "text/xml"}, body.encode())


def _documents(source: str, call: Call) -> tuple[list[str], str | None]:
    if source == f"arn:aws:iam::{call.account_id}:user/workshop":
        return ['{"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}'], None
    role = authorization.find_role(call.account_id, source)
    if role is None:
        raise AwsError("NoSuchEntity", f"The entity with ARN {source} cannot be found.", 404)
    return authorization.identity_documents(role), authorization.boundary_document(role)


def _members(form: Mapping[str, str], name: str) -> list[str]:
    numbered = [(key.rpartition(".")[2], value) for key, value in form.items() if key.startswith(f"{name}.member.")]
    return [value for _, value in sorted(numbered, key=lambda pair: int(pair[0]))]


def _context_entries(form: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    entries = {}
    for key, name in form.items():
        if key.startswith("ContextEntries.member.") and key.endswith(".ContextKeyName"):
            start = key.removesuffix("ContextKeyName") + "ContextKeyValues.member."
            entries[name.lower()] = tuple(value for other, value in form.items() if other.startswith(start))
    return entries
