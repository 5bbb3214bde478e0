"""AWS's own managed policies, from moto's copy, each when it is first asked for: all 1,500 would slow every start."""

from __future__ import annotations

import json
from typing import Any

PREFIX = "arn:aws:iam::aws:policy/"


def load_on_demand() -> None:
    """Makes moto's IAM find AWS's managed policies by their ARN."""
    from moto.iam.models import IAMBackend

    for name in ("attach_role_policy", "get_policy", "get_policy_version", "list_policy_versions"):
        setattr(IAMBackend, name, _finding(getattr(IAMBackend, name)))


def _finding(method: Any) -> Any:
    def wrapper(self: Any, policy_arn: str, *arguments: Any, **named: Any) -> Any:
        if policy_arn.startswith(PREFIX) and policy_arn not in self.managed_policies:
            policy = _policy(policy_arn, self)
            if policy is not None:
                self.managed_policies[policy_arn] = policy
        return method(self, policy_arn, *arguments, **named)

    return wrapper


def _policy(arn: str, backend: Any) -> Any:
    from moto.iam.aws_managed_policies import aws_managed_policies_data
    from moto.iam.models import AWSManagedPolicy

    name = arn.rpartition("/")[2]
    data = json.loads(aws_managed_policies_data).get(name)
    if data is None:
        return None
    policy = AWSManagedPolicy.from_data(name, backend.account_id, backend.region_name, data)
    return policy if policy.arn == arn else None
