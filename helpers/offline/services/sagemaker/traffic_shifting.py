"""How an update moves traffic to the new fleet: the steps of a policy, and what the new variants keep of the old."""

from __future__ import annotations

from typing import Any

from helpers.offline.services.sagemaker.fleet import Fleet
from helpers.offline.services.sagemaker.records import Endpoint
from helpers.offline.services.sagemaker.store import invalid


def check_routing(policy: dict[str, Any]) -> None:
    """Raises AwsError for steps that AWS does not take: a canary above half, a linear step outside of 10 to 50 %."""
    for kind, member, least in (("CANARY", "CanarySize", 0), ("LINEAR", "LinearStepSize", 10)):
        if policy.get("Type") != kind:
            continue
        size = policy.get(member)
        if size is None:
            raise invalid(f"A traffic routing of type {kind} needs {member}.")
        if size["Type"] == "CAPACITY_PERCENT" and not least <= size["Value"] <= 50:
            raise invalid(f"{member} must be from {max(least, 1)} to 50 percent of the capacity, got {size['Value']}.")


def shares(policy: dict[str, Any], green: Fleet) -> list[float]:
    """The green fleet's share of the traffic, step by step."""
    match policy.get("Type"):
        case "CANARY":
            return [_size(policy.get("CanarySize"), green, 0.1), 1.0]
        case "LINEAR":
            step = max(0.1, _size(policy.get("LinearStepSize"), green, 0.1))
            count = int(1 / step)
            return [round(step * position, 6) for position in range(1, count)] + [1.0]
    return [1.0]


def retain(endpoint: Endpoint, green: Fleet, request: dict[str, Any]) -> None:
    """RetainAllVariantProperties: variants of the same name keep instance count and weight."""
    if not request.get("RetainAllVariantProperties"):
        return
    excluded = {one["VariantPropertyType"] for one in request.get("ExcludeRetainedVariantProperties", [])}
    before = {variant.name: variant for variant in endpoint.variants}
    for running in green.blue:
        old, variant = before.get(running.variant.name), running.variant
        if old is None:
            continue
        if "DesiredWeight" not in excluded:
            variant.weight, variant.desired_weight = old.weight, old.desired_weight
        if "DesiredInstanceCount" not in excluded:
            variant.desired_instances = old.desired_instances
            running.resize(old.instances)


def _size(size: dict[str, Any] | None, green: Fleet, default: float) -> float:
    if not size:
        return default
    if size["Type"] == "CAPACITY_PERCENT":
        return size["Value"] / 100
    instances = sum(running.variant.instances for running in green.blue)
    return min(1.0, size["Value"] / max(1, instances))
