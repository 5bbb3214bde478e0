"""What happens when an alarm of a policy rings: the variant gets more instances at once, fewer one by one."""

from __future__ import annotations

import copy
import logging
import math
import threading
import time
import uuid
from typing import Any

from helpers.offline.kernel import Kernel
from helpers.offline.services.autoscaling import alarms
from helpers.offline.services.autoscaling.records import ACTIVITIES_KEPT, Policy, Target

DEFAULT_COOLDOWN_S = 300
log = logging.getLogger("offline.autoscaling")


class Scaling:
    """ports.scaling, and the targets. `set_capacity` is SageMaker's way to change a variant's instance count."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.lock = threading.RLock()
        self.targets: dict[tuple[str, str], Target] = {}

    def execute_policy(self, policy_arn: str, alarm_name: str, alarm_arn: str, new_state: str) -> None:
        """Called by the evaluator when an alarm changes and, while it is in ALARM, once a period."""
        if new_state != "ALARM":
            return
        with self.lock:
            found = [
                (target, policy)
                for target in self.targets.values()
                for policy in target.policies.values()
                if policy.arn == policy_arn
            ]
        for target, policy in found:
            wanted = self._wanted(target, policy, alarm_name)
            if wanted is not None:
                cause = f"monitor alarm {alarm_name} in state ALARM triggered policy {policy.name}"
                self.set_capacity(target, wanted, cause)

    def _wanted(self, target: Target, policy: Policy, alarm_name: str) -> int | None:
        """The instance count that the policy asks for now; None for none."""
        current = self.kernel.ports.endpoints.instances(target.region, target.endpoint, target.variant)
        if current is None:
            return None
        now = time.time()
        if "-AlarmHigh-" in alarm_name and not target.suspended.get("DynamicScalingOutSuspended"):
            metrics = self.kernel.ports.metrics
            read = alarms.newest_value(self.kernel.account_id, target.region, alarm_name, metrics)
            cooldown = policy.config.get("ScaleOutCooldown", DEFAULT_COOLDOWN_S) / target.clock_factor
            if read is None or now - target.scaled_out < cooldown:
                return None
            value, threshold = read
            needed = min(target.most, math.ceil(current * value / threshold))
            return needed if needed > current else None
        if "-AlarmLow-" in alarm_name and not (policy.config.get("DisableScaleIn") or self._stays(target)):
            cooldown = policy.config.get("ScaleInCooldown", DEFAULT_COOLDOWN_S) / target.clock_factor
            last = max(target.scaled_in, target.scaled_out)
            return current - 1 if current > target.least and now - last >= cooldown else None
        return None

    @staticmethod
    def _stays(target: Target) -> bool:
        return target.suspended.get("DynamicScalingInSuspended", False)

    def set_capacity(self, target: Target, wanted: int, cause: str) -> None:
        """Changes the variant and notes the activity, which fails while the endpoint is busy."""
        ports = self.kernel.ports
        current = ports.endpoints.instances(target.region, target.endpoint, target.variant)
        activity = {
            "ActivityId": str(uuid.uuid4()),
            "ServiceNamespace": "sagemaker",
            "ResourceId": target.resource,
            "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
            "Description": f"Setting desired instance count to {wanted}.",
            "Cause": cause,
            "StartTime": time.time(),
            "StatusCode": "InProgress",
        }
        is_done = ports.endpoints.resize(target.region, target.endpoint, target.variant, wanted)
        with self.lock:
            target.activities = [activity, *target.activities][:ACTIVITIES_KEPT]
            if not is_done:
                arn = f"arn:aws:sagemaker:{target.region}:{self.kernel.account_id}:endpoint/{target.endpoint.lower()}"
                why = f'Failed to set desired instance count to {wanted}. Reason: Cannot update in-progress endpoint "'
                activity |= {"EndTime": time.time(), "StatusCode": "Failed", "StatusMessage": f'{why}{arn}".'}
                return
            done = f"Successfully set desired instance count to {wanted}. Change successfully fulfilled by sagemaker."
            activity |= {"EndTime": time.time(), "StatusCode": "Successful", "StatusMessage": done}
            if current is not None and wanted > current:
                target.scaled_out = time.time()
            else:
                target.scaled_in = time.time()
        log.info("%s: %s instances (%s)", target.resource, wanted, cause)
        self.kernel.mark_dirty("application-autoscaling")

    def into_bounds(self, target: Target) -> None:
        """After the bounds changed, capacity outside of them is brought inside."""
        current = self.kernel.ports.endpoints.instances(target.region, target.endpoint, target.variant)
        if current is None:
            return
        if current < target.least:
            self.set_capacity(target, target.least, f"minimum capacity was set to {target.least}")
        elif current > target.most:
            self.set_capacity(target, target.most, f"maximum capacity was set to {target.most}")

    def forget(self, target: Target) -> None:
        """Deregisters the target; its policies go with it, and their alarms."""
        with self.lock:
            for policy in target.policies.values():
                alarms.delete(self.kernel.account_id, target, policy)
            self.targets.pop((target.region, target.resource), None)
        self.kernel.mark_dirty("monitoring")

    def scaled(self, region: str, endpoint: str) -> list[str]:
        """The variants of the endpoint that are scalable targets."""
        with self.lock:
            return [one.variant for one in self.targets.values() if (one.region, one.endpoint) == (region, endpoint)]

    def forget_endpoint(self, region: str, endpoint: str) -> None:
        with self.lock:
            gone = [one for one in self.targets.values() if (one.region, one.endpoint) == (region, endpoint)]
        for target in gone:
            self.forget(target)

    def save(self) -> Any:
        with self.lock:
            return copy.deepcopy(self.targets)

    def load(self, held: Any) -> None:
        self.targets = held
