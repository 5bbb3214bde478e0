"""Policies of a topic, queue, bucket or function itself: what they say about a role, and about a service."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from helpers.offline import policies
from helpers.offline.kernel import AwsError
from helpers.offline.policies import Decision, Request


@dataclass(frozen=True, slots=True)
class Source:
    """A service that calls another one for its owner: its principal, and the ARN of what makes it call, if any does."""

    principal: str  # such as sns.amazonaws.com
    arn: str | None


def document_of(account_id: str, action: str, resource: str) -> str | None:
    """The policy that the resource of a call has; None without one."""
    match action.partition(":")[0]:
        case "s3":
            return _bucket(account_id, resource)
        case "sns":
            return _topic(account_id, resource)
        case "sqs":
            return _queue(account_id, resource)
        case "lambda":
            return _function(account_id, resource)
        case "logs":
            return _log_policies(account_id, resource)
    return None


def of_role(document: str, account_id: str, names: Sequence[str], request: Request) -> Decision:
    """What the policy says about a role session. `names` are the session's ARN and the role's."""
    everybody = (*names, f"arn:aws:iam::{account_id}:root", account_id)
    decision = Decision.IMPLICIT_DENY
    for statement in policies.statements(document):
        if not policies.principal_matches(statement, aws=everybody) or not policies.applies(statement, request):
            continue
        if statement.get("Effect") == "Deny":
            return Decision.EXPLICIT_DENY
        # Naming the account only lets the account's own policies decide; naming the role decides.
        if policies.principal_matches(statement, aws=names):
            decision = Decision.ALLOW
    return decision


def of_service(account_id: str, source: Source, action: str, resource: str, *, as_owner: bool = False) -> Decision:
    """What the policy of `resource` says about a service. `as_owner`: the service also comes as the account itself.

    The policy that SNS gives every topic speaks of the account (`AWS:SourceOwner`): CloudWatch's alarms, which come as
    the account, may publish by it, EventBridge's rules may not.
    """
    document = document_of(account_id, action, resource)
    if document is None:
        return Decision.IMPLICIT_DENY
    return of_statements(policies.statements(document), account_id, source, action, resource, as_owner=as_owner)


def of_statements(
    statements: Iterable[Mapping[str, Any]],
    account_id: str,
    source: Source,
    action: str,
    resource: str,
    *,
    as_owner: bool = False,
) -> Decision:
    """What statements of a resource's policy say about a service that does `action` on `resource`."""
    context: dict[str, Sequence[str]] = {"aws:sourceaccount": (account_id,)}
    if source.arn is not None:
        context["aws:sourcearn"] = (source.arn,)
    if as_owner:
        context["aws:sourceowner"] = (account_id,)
    request = Request(action, (resource,), context)
    decision = Decision.IMPLICIT_DENY
    for statement in statements:
        if policies.principal_matches(statement, service=source.principal) and policies.applies(statement, request):
            if statement.get("Effect") == "Deny":
                return Decision.EXPLICIT_DENY
            decision = Decision.ALLOW
    return decision


def require(account_id: str, source: Source, action: str, resource: str, *, as_owner: bool = False) -> None:
    """Raises AwsError AccessDenied where the policy of `resource` does not let the service do `action`."""
    decision = of_service(account_id, source, action, resource, as_owner=as_owner)
    if decision is Decision.ALLOW:
        return
    start = f"User: {source.principal} is not authorized to perform: {action} on resource: {resource}"
    if decision is Decision.EXPLICIT_DENY:
        raise AwsError("AccessDenied", f"{start} with an explicit deny in a resource-based policy", 403)
    raise AwsError("AccessDenied", f"{start} because no resource-based policy allows the {action} action", 403)


def _bucket(account_id: str, resource: str) -> str | None:
    from moto.s3.models import s3_backends

    bucket = s3_backends[account_id]["aws"].buckets.get(resource.removeprefix("arn:aws:s3:::").partition("/")[0])
    policy = getattr(bucket, "policy", None)
    if not policy:
        return None
    return policy.decode() if isinstance(policy, bytes) else str(policy)


def _topic(account_id: str, resource: str) -> str | None:
    from moto.sns.models import sns_backends

    parts = resource.split(":")
    topic = sns_backends[account_id][parts[3]].topics.get(resource) if len(parts) == 6 else None
    return topic.policy if topic is not None else None


def _queue(account_id: str, resource: str) -> str | None:
    from moto.sqs.models import sqs_backends

    parts = resource.split(":")
    queue = sqs_backends[account_id][parts[3]].queues.get(parts[5]) if len(parts) == 6 else None
    return _json(queue._policy_json) if queue is not None else None


def _log_policies(account_id: str, resource: str) -> str | None:
    """All policies of the region as one: of CloudWatch Logs, they belong to no group."""
    from moto.logs.models import logs_backends

    held = list(logs_backends[account_id][resource.split(":")[3]].resource_policies.values())
    found = [statement for policy in held for statement in policies.statements(policy.policy_document)]
    return _json({"Statement": found}) if found else None


def _function(account_id: str, resource: str) -> str | None:
    from moto.awslambda.models import lambda_backends

    parts = resource.split(":")
    if len(parts) < 7:
        return None
    group = lambda_backends[account_id][parts[3]]._lambdas._functions.get(parts[6])
    return _json({"Statement": group["latest"].policy.statements}) if group else None


def _json(document: dict[str, Any]) -> str:
    return json.dumps(document, sort_keys=True)
