"""IAM: roles and policies, which are enforced for sessions of roles."""

from __future__ import annotations

import json
import re

from helpers.offline import fallthrough, wire
from helpers.offline.identities import OWNER_ID, OWNER_NAME
from helpers.offline.kernel import Answer, AwsError, Call, Kernel, Support
from helpers.offline.services.iam import managed
from helpers.offline.services.iam.simulation import simulate_custom_policy, simulate_principal_policy

OPERATIONS: dict[str, Support] = {
    "CreateRole": Support("real"),
    "GetRole": Support("real"),
    "ListRoles": Support("real"),
    "DeleteRole": Support("real"),
    "UpdateRole": Support("real"),
    "UpdateAssumeRolePolicy": Support("real"),
    "PutRolePolicy": Support("real"),
    "GetRolePolicy": Support("real"),
    "ListRolePolicies": Support("real"),
    "DeleteRolePolicy": Support("real"),
    "AttachRolePolicy": Support("real"),
    "DetachRolePolicy": Support("real"),
    "ListAttachedRolePolicies": Support("real"),
    "CreatePolicy": Support("real"),
    "GetPolicy": Support("real"),
    "ListPolicies": Support("real"),
    "DeletePolicy": Support("real"),
    "CreatePolicyVersion": Support("real"),
    "GetPolicyVersion": Support("real"),
    "ListPolicyVersions": Support("real"),
    "DeletePolicyVersion": Support("real"),
    "SetDefaultPolicyVersion": Support("real"),
    "ListEntitiesForPolicy": Support("real"),
    "TagRole": Support("real"),
    "UntagRole": Support("real"),
    "ListRoleTags": Support("real"),
    "TagPolicy": Support("real"),
    "UntagPolicy": Support("real"),
    "ListPolicyTags": Support("real"),
    "SimulatePrincipalPolicy": Support(
        "real", "a resource's policy counts where it is given (ResourcePolicy), as on AWS"
    ),
    "SimulateCustomPolicy": Support("real"),
    "GetUser": Support("simplified", "without a name, the owner of the workspace"),
    "CreateUser": Support("stored"),
    "ListUsers": Support("stored"),
    "DeleteUser": Support("stored"),
    "PutRolePermissionsBoundary": Support("real"),
    "DeleteRolePermissionsBoundary": Support("real"),
    "CreateServiceLinkedRole": Support("stored"),
    "ListInstanceProfilesForRole": Support("stored"),
    "ListAccountAliases": Support("stored"),
}

OWNER_SINCE = "2026-01-01T00:00:00Z"  # nobody made the owner, and clients want a date


def create_service_linked_role(call: Call) -> Answer:
    name = call.form().get("AWSServiceName", "")
    if not re.fullmatch(r"[\w-]+(\.[\w-]+)*\.amazonaws\.com", name):
        raise AwsError("InvalidInput", f"Service role name {name} is not the name of a service's principal.")
    return fallthrough.ask_moto(call)


def get_user(call: Call) -> Answer:
    """Without a name: whoever calls, who has to be a user, and so is the owner of the workspace."""
    name = call.form().get("UserName", "")
    if not name and call.principal.role_arn is not None:
        raise AwsError("ValidationError", "Must specify userName when calling with non-User credentials")
    if name and name != OWNER_NAME:
        return fallthrough.ask_moto(call)
    arn = f"arn:aws:iam::{call.account_id}:user/{OWNER_NAME}"
    user = f"<Path>/</Path><UserName>{OWNER_NAME}</UserName><UserId>{OWNER_ID}</UserId><Arn>{arn}</Arn>"
    body = (
        f'<GetUserResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><GetUserResult><User>{user}'
        f"<CreateDate>{OWNER_SINCE}</CreateDate></User></GetUserResult><ResponseMetadata><RequestId>"
        f"{wire.request_id()}</RequestId></ResponseMetadata></GetUserResponse>"
    )
    return Answer(200, {"content-type": "text/xml"}, body.encode())


def create_role(call: Call) -> Answer:
    """moto checks a trust policy only where it is changed."""
    check_trust(call.form().get("AssumeRolePolicyDocument", ""))
    return fallthrough.ask_moto(call)


def check_trust(text: str) -> None:
    """Raises AwsError MalformedPolicyDocument."""
    try:
        document = json.loads(text)
    except ValueError:
        raise malformed("This policy contains invalid Json") from None
    statements = document.get("Statement") if isinstance(document, dict) else None
    for statement in statements if isinstance(statements, list) else [statements]:
        if not isinstance(statement, dict) or statement.get("Effect") not in ("Allow", "Deny"):
            raise malformed("Syntax errors in policy.")
        if "Resource" in statement or "NotResource" in statement:
            raise malformed("Has prohibited field Resource")
        if "Principal" not in statement and "NotPrincipal" not in statement:
            raise malformed("Missing required field Principal")
        actions = statement.get("Action", statement.get("NotAction"))
        for action in actions if isinstance(actions, list) else [actions]:
            if not str(action).lower().startswith("sts:"):
                raise malformed("AssumeRole policy may only specify STS AssumeRole actions.")


def malformed(message: str) -> AwsError:
    return AwsError("MalformedPolicyDocument", message)


def speak_as_iam() -> None:
    """Of a role that is not there, moto has words of its own."""
    from moto.iam.exceptions import NotFoundException
    from moto.iam.models import IAMBackend, Role

    find = IAMBackend.get_role

    def get_role(self: IAMBackend, role_name: str) -> Role:
        try:
            return find(self, role_name)
        except NotFoundException:
            raise NotFoundException(f"The role with name {role_name} cannot be found.") from None

    IAMBackend.get_role = get_role


def install(kernel: Kernel) -> None:
    managed.load_on_demand()
    speak_as_iam()
    kernel.hot("iam", "GetUser", get_user, blocking=True)
    kernel.hot("iam", "CreateRole", create_role, blocking=True)
    kernel.hot("iam", "SimulatePrincipalPolicy", simulate_principal_policy)
    kernel.hot("iam", "CreateServiceLinkedRole", create_service_linked_role, blocking=True)
    kernel.hot("iam", "SimulateCustomPolicy", simulate_custom_policy)
