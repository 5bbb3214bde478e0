"""Application Auto Scaling: target tracking of SageMaker endpoints, by alarms that are evaluated and act."""

from __future__ import annotations

from helpers.offline.kernel import Kernel, Support

REAL = Support("real")

OPERATIONS = {
    "RegisterScalableTarget": Support(
        "real",
        "service namespace sagemaker, dimension sagemaker:variant:DesiredInstanceCount; offline a tag "
        "`offline-clock-factor` (1 to 600) makes periods and cooldowns so many times shorter",
    ),
    "DescribeScalableTargets": REAL,
    "DeregisterScalableTarget": REAL,
    "PutScalingPolicy": Support(
        "real",
        "TargetTrackingScaling on SageMakerVariantInvocationsPerInstance or on one metric of one's own; no expressions "
        "over several, no step or predictive scaling",
    ),
    "DescribeScalingPolicies": REAL,
    "DeleteScalingPolicy": REAL,
    "DescribeScalingActivities": Support("real", "the newest 50 of a target"),
    "TagResource": REAL,
    "UntagResource": REAL,
    "ListTagsForResource": REAL,
}


def install(kernel: Kernel) -> None:
    from helpers.offline.services.autoscaling.operations import Operations
    from helpers.offline.services.autoscaling.scaling import Scaling
    from helpers.offline.services.sagemaker.json_calls import answering

    scaling = Scaling(kernel)
    operations = Operations(kernel, scaling)
    kernel.ports.scaling = scaling
    kernel.durable("scaling", scaling.save, scaling.load)
    for name, operation in operations.table().items():
        kernel.hot("application-autoscaling", name, answering(operation, "application-autoscaling"), blocking=True)
