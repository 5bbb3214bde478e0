"""May this role do this: IAM's decision for a call by a role session, over the policies in moto's store."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from helpers.offline import actions, policies, resource_policies
from helpers.offline.actions import Need
from helpers.offline.identities import OWNER_ID
from helpers.offline.kernel import AwsError, Call, Principal
from helpers.offline.policies import Decision, Request

REMEMBERED = 20_000
# Condition keys whose value is another at every call: a decision that asks for them is not remembered.
_PASSING = ("aws:currenttime", "aws:epochtime")

# A way out must be left to whoever locked the owner out.
POLICY_OF_BUCKET = ("GetBucketPolicy", "PutBucketPolicy", "DeleteBucketPolicy")


class Authorizer:
    """Remembers decisions; `forget` after any change of a policy."""

    def __init__(self, account_id: str) -> None:
        self.account_id = account_id
        self._decided: dict[tuple[Any, ...], str] = {}

    def forget(self) -> None:
        """A policy has changed."""
        self._decided.clear()

    def authorize(self, call: Call) -> None:
        """Raises AwsError, with AWS's code and words, where the caller's role does not allow the call."""
        if call.principal.role_arn is None:
            if call.service == "s3" and call.operation not in POLICY_OF_BUCKET:
                self._check_owner(call)
            return
        for need in actions.needs(call):
            key = (call.principal, call.region, need.action, need.resources, tuple(need.context.items()))
            refusal = self._decided.get(key)
            if refusal is None:
                refusal, is_lasting = self._decide(call.principal, call.region, need)
                if is_lasting:
                    if len(self._decided) > REMEMBERED:
                        self._decided.clear()
                    self._decided[key] = refusal
            if refusal:
                raise refused(call, refusal)

    def _check_owner(self, call: Call) -> None:
        """The owner may do everything but what a bucket's policy denies to everybody."""
        for need in actions.needs(call):
            policy = resource_policies.document_of(self.account_id, need.action, need.resources[0])
            if policy is None:
                continue
            context = self._context(call.principal, call.region, None, need.context) | {"aws:principaltype": ("User",)}
            request = Request(need.action, need.resources, context)
            decision = resource_policies.of_role(policy, self.account_id, (call.principal.arn,), request)
            if decision is Decision.EXPLICIT_DENY:
                why = "with an explicit deny in a resource-based policy"
                raise refused(call, _sentence(call.principal, need.action, need.resources[0], why))

    def explain(self, principal: Principal, region: str, need: Need) -> str:
        """Why the role of `principal` may not do what `need` says; empty where it may."""
        return self._decide(principal, region, need)[0]

    def _decide(self, principal: Principal, region: str, need: Need) -> tuple[str, bool]:
        """(why not, or "" for yes; whether the decision lasts until a policy changes)."""
        role = find_role(self.account_id, principal.role_arn)
        documents = identity_documents(role) if role is not None else []
        boundary = boundary_document(role) if role is not None else None
        policy = resource_policies.document_of(self.account_id, need.action, need.resources[0])
        request = Request(need.action, need.resources, self._context(principal, region, role, need.context))
        of_resource = resource_verdict(self.account_id, principal, policy, request)
        found = verdict(request, documents, boundary, principal.session_policy, of_resource)
        asked = [held.lower() for held in (*documents, boundary, principal.session_policy, policy) if held]
        is_lasting = not any(key in document for document in asked for key in _PASSING)
        if found.decision is Decision.ALLOW:
            return "", is_lasting
        return _sentence(principal, need.action, need.resources[0], found.why), is_lasting

    def _context(
        self, principal: Principal, region: str, role: Any, of_need: Mapping[str, tuple[str, ...]]
    ) -> dict[str, Sequence[str]]:
        now = time.time()
        context: dict[str, Sequence[str]] = {
            "aws:principalarn": (principal.role_arn or principal.arn,),
            "aws:principalaccount": (self.account_id,),
            "aws:principaltype": ("AssumedRole",),
            "aws:requestedregion": (region,),
            "aws:sourceip": ("127.0.0.1",),
            "aws:securetransport": ("true",),  # so it is on AWS, where every call goes over TLS
            "aws:currenttime": (datetime.fromtimestamp(now, UTC).isoformat(),),
            "aws:epochtime": (str(int(now)),),
            "aws:sourceaccount": (self.account_id,),
            "aws:resourceaccount": (self.account_id,),
        }
        if role is not None:
            context["aws:userid"] = (f"{role.id}:{principal.arn.rpartition('/')[2]}",)
            for tag in role.tags or []:
                tag = {"Key": tag, "Value": role.tags[tag]["Value"]} if isinstance(role.tags, dict) else tag
                context[f"aws:principaltag/{tag['Key'].lower()}"] = (tag["Value"],)
        return context | dict(of_need)


# --- Putting policies together ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Verdict:
    """`why` completes AWS's sentence of what is not authorised; empty where it is."""

    decision: Decision
    why: str = ""


@dataclass(frozen=True, slots=True)
class ResourceVerdict:
    """What a resource's policy says about the role, and whether it names the very session."""

    decision: Decision = Decision.IMPLICIT_DENY
    names_session: bool = False


def resource_verdict(account_id: str, principal: Principal, policy: str | None, request: Request) -> ResourceVerdict:
    """What the resource's policy, None without one, says about `principal`."""
    if policy is None:
        return ResourceVerdict()
    own = tuple(filter(None, (principal.arn, principal.role_arn)))
    decision = resource_policies.of_role(policy, account_id, own, request)
    session = resource_policies.of_role(policy, account_id, (principal.arn,), request)
    return ResourceVerdict(decision, principal.arn != principal.role_arn and session is Decision.ALLOW)


def verdict(
    request: Request,
    documents: Sequence[str],
    boundary: str | None = None,
    session: str | None = None,
    resource: ResourceVerdict | None = None,
) -> Verdict:
    """Explicit denies first; then every kind of policy that there is must allow.

    A resource's policy that names the role stands in for its identity-based policies; one that names the session
    stands in for all.
    """
    resource = resource or ResourceVerdict()
    if resource.decision is Decision.EXPLICIT_DENY:
        return Verdict(Decision.EXPLICIT_DENY, "with an explicit deny in a resource-based policy")
    limits = [("identity-based policy", documents)]
    if boundary is not None:
        limits.append(("permissions boundary", [boundary]))
    if session is not None:
        limits.append(("session policy", [session]))
    decisions = [(name, policies.evaluate(held, request)) for name, held in limits]
    for name, decision in decisions:
        if decision is Decision.EXPLICIT_DENY:
            article = "a" if name != "identity-based policy" else "an"
            return Verdict(decision, f"with an explicit deny in {article} {name}")
    for name, decision in decisions:
        stands_in = resource.decision is Decision.ALLOW and (resource.names_session or name == "identity-based policy")
        if decision is Decision.IMPLICIT_DENY and not stands_in:
            return Verdict(decision, f"because no {name} allows the {request.action} action")
    return Verdict(Decision.ALLOW)


# --- What moto's store says -------------------------------------------------------------------------------------------


def find_role(account_id: str, role_arn: str | None) -> Any:
    """None where the role is gone: its sessions may then do nothing."""
    from moto.iam.models import iam_backends

    for role in list(iam_backends[account_id]["aws"].roles.values()):
        if role.arn == role_arn:
            return role
    return None


def user_id(account_id: str, principal: Principal) -> str:
    """The unique id of who calls; of a role's session with the session's name."""
    if principal.role_arn is None:
        return OWNER_ID
    role = find_role(account_id, principal.role_arn)
    return f"{role.id if role is not None else 'AROAGONE'}:{principal.arn.rpartition('/')[2]}"


def identity_documents(role: Any) -> list[str]:
    """The role's own policies and those that are attached to it, as JSON."""
    attached = [default_document(policy) for policy in list(role.managed_policies.values())]
    return [*map(_text, role.policies.values()), *attached]


def boundary_document(role: Any) -> str | None:
    """None without a boundary; a boundary that does not exist allows nothing."""
    from moto.iam.models import iam_backends

    arn = role.permissions_boundary_arn
    if not arn:
        return None
    policy = iam_backends[role.account_id]["aws"].managed_policies.get(arn)
    return default_document(policy) if policy else "{}"


def default_document(policy: Any) -> str:
    """The version of a managed policy that is in force, as JSON."""
    for version in policy.versions:
        if version.is_default:
            return _text(version.document)
    return "{}"


def _text(document: Any) -> str:
    return document.decode() if isinstance(document, bytes) else str(document)


# --- AWS's words ------------------------------------------------------------------------------------------------------


def _sentence(principal: Principal, action: str, resource: str, why: str) -> str:
    shown = f'"{resource}"' if action.startswith("s3:") else resource
    why = why.replace(action, shown_action(action))
    return f"User: {principal.arn} is not authorized to perform: {shown_action(action)} on resource: {shown} {why}"


def shown_action(action: str) -> str:
    """As the service itself writes it: SNS:Publish, sqs:sendmessage."""
    service, _, name = action.partition(":")
    return {"sns": f"SNS:{name}", "sqs": action.lower()}.get(service, action)


def refused(call: Call, reason: str) -> AwsError:
    """The refusal in the code that the call's service uses. `reason`: AWS's sentence."""
    if call.service == "sns":
        return AwsError("AuthorizationError", reason, 403)
    if call.protocol in ("query", "rest-xml", "cbor") or call.service in ("monitoring", "sqs"):
        return AwsError("AccessDenied", reason, 403)
    return AwsError("AccessDeniedException", reason, 400 if call.protocol == "json" else 403)
