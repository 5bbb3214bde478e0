"""IAM: roles and policies, which are enforced for sessions of roles."""

from __future__ import annotations

import re
from urllib.parse import parse_qs

from helpers.offline import fallthrough
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
    "GetUser": Support("stored"),
    "CreateUser": Support("stored"),
    "ListUsers": Support("stored"),
    "DeleteUser": Support("stored"),
    "PutRolePermissionsBoundary": Support("real"),
    "DeleteRolePermissionsBoundary": Support("real"),
    "CreateServiceLinkedRole": Support("stored"),
    "ListInstanceProfilesForRole": Support("stored"),
    "ListAccountAliases": Support("stored"),
}


def create_service_linked_role(call: Call) -> Answer:
    name = parse_qs(call.body.decode()).get("AWSServiceName", [""])[0]
    if not re.fullmatch(r"[\w-]+(\.[\w-]+)*\.amazonaws\.com", name):
        raise AwsError("InvalidInput", f"Service role name {name} is not the name of a service's principal.")
    return fallthrough.ask_moto(call)


def install(kernel: Kernel) -> None:
    managed.load_on_demand()
    kernel.hot("iam", "SimulatePrincipalPolicy", simulate_principal_policy)
    kernel.hot("iam", "CreateServiceLinkedRole", create_service_linked_role, blocking=True)
    kernel.hot("iam", "SimulateCustomPolicy", simulate_custom_policy)
