"""STS: who am I, and sessions of roles."""

from __future__ import annotations

import re
import time
from xml.sax.saxutils import escape

from helpers.offline import authorization, policies, wire
from helpers.offline.kernel import Answer, AwsError, Call, Kernel, Principal, Support
from helpers.offline.policies import Decision

OPERATIONS: dict[str, Support] = {
    "GetCallerIdentity": Support("real"),
    "AssumeRole": Support("real", "the role's trust policy decides, also for the workspace's owner"),
}


def install(kernel: Kernel) -> None:
    kernel.hot("sts", "GetCallerIdentity", get_caller_identity)
    kernel.hot("sts", "AssumeRole", lambda call: assume_role(kernel, call))


def get_caller_identity(call: Call) -> Answer:
    user_id = authorization.user_id(call.account_id, call.principal)
    return _answer(
        "GetCallerIdentity",
        f"<Arn>{escape(call.principal.arn)}</Arn><UserId>{escape(user_id)}</UserId><Account>{call.account_id}</Account>",
    )


def assume_role(kernel: Kernel, call: Call) -> Answer:
    """Raises AwsError ValidationError, AccessDenied."""
    form = call.form()
    role_arn, session_name = form.get("RoleArn", ""), form.get("RoleSessionName", "")
    if not re.fullmatch(r"[\w+=,.@-]{2,64}", session_name, re.ASCII):
        raise AwsError(
            "ValidationError",
            f"1 validation error detected: Value '{session_name}' at 'roleSessionName' failed to satisfy constraint: "
            "Member must satisfy regular expression pattern: [\\w+=,.@-]*",
        )
    role = authorization.find_role(call.account_id, role_arn)
    if role is None or not _is_trusted(role.assume_role_policy_document, call.principal, call.account_id, form):
        raise AwsError(
            "AccessDenied",
            f"User: {call.principal.arn} is not authorized to perform: sts:AssumeRole on resource: {role_arn}",
            403,
        )
    duration_s = int(form.get("DurationSeconds", 3600))
    longest_s = int(role.max_session_duration or 3600)
    if not 900 <= duration_s <= longest_s:
        raise AwsError(
            "ValidationError",
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
            if duration_s > longest_s
            else f"1 validation error detected: Value '{duration_s}' at 'durationSeconds' failed to satisfy "
            "constraint: Member must have value greater than or equal to 900",
        )
    session = kernel.issue_role_session(role_arn, session_name, duration_s, policy=form.get("Policy"))
    expiration = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + duration_s))
    arn = f"arn:aws:sts::{call.account_id}:assumed-role/{role.name}/{session_name}"
    return _answer(
        "AssumeRole",
        f"<AssumedRoleUser><AssumedRoleId>{role.id}:{session_name}</AssumedRoleId><Arn>{arn}</Arn></AssumedRoleUser>"
        f"<Credentials><AccessKeyId>{session.access_key_id}</AccessKeyId>"
        f"<SecretAccessKey>{escape(session.secret_access_key)}</SecretAccessKey>"
        f"<SessionToken>{escape(session.session_token or '')}</SessionToken>"
        f"<Expiration>{expiration}</Expiration></Credentials><PackedPolicySize>6</PackedPolicySize>",
    )


def _is_trusted(document: str, caller: Principal, account_id: str, form: dict[str, str]) -> bool:
    names = (caller.arn, caller.role_arn or "", f"arn:aws:iam::{account_id}:root", account_id)
    context = {
        "aws:principalarn": (caller.role_arn or caller.arn,),
        "aws:principalaccount": (account_id,),
        "sts:rolesessionname": (form.get("RoleSessionName", ""),),
    }
    if "ExternalId" in form:
        context["sts:externalid"] = (form["ExternalId"],)
    # A trust policy has no Resource: it stands on the role itself.
    request = policies.Request("sts:AssumeRole", ("*",), context)
    decision = Decision.IMPLICIT_DENY
    for statement in policies.statements(document):
        statement = {"Resource": "*", **statement}
        if policies.principal_matches(statement, aws=names) and policies.applies(statement, request):
            if statement.get("Effect") == "Deny":
                return False
            decision = Decision.ALLOW
    return decision is Decision.ALLOW


def _answer(operation: str, result: str) -> Answer:
    body = (
        f'<{operation}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><{operation}Result>{result}'
        f"</{operation}Result><ResponseMetadata><RequestId>{wire.request_id()}</RequestId></ResponseMetadata>"
        f"</{operation}Response>"
    )
    return Answer(200, {"content-type": "text/xml"}, body.encode())
