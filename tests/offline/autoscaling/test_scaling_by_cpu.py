"""Scaling by a metric of one's own, as many programs do it: the CPU of the variant that they find in CloudWatch."""

import pytest
from botocore.exceptions import ClientError


@pytest.fixture(scope="module")
def scaling(offline):
    return offline.client("application-autoscaling")


def cpu_of(endpoint: str) -> dict:
    return {
        "MetricName": "CPUUtilization",
        "Namespace": "/aws/sagemaker/Endpoints",
        "Dimensions": [{"Name": "EndpointName", "Value": endpoint}, {"Name": "VariantName", "Value": "v1"}],
        "Statistic": "Average",
        "Unit": "Percent",
    }


def test_a_variant_whose_cpu_works_gets_instances_and_all_is_cleaned_up(offline, scaling, endpoint, target, eventually):
    names, cloudwatch = target(endpoint), offline.client("cloudwatch")
    sagemaker, runtime = offline.client("sagemaker"), offline.client("sagemaker-runtime")
    scaling.register_scalable_target(**names, MinCapacity=1, MaxCapacity=3, Tags={"offline-clock-factor": "6"})
    policy = {
        "TargetValue": 0.05,  # percent: any load at all
        "CustomizedMetricSpecification": cpu_of(endpoint),
        "ScaleInCooldown": 600,
        "ScaleOutCooldown": 60,
        "DisableScaleIn": False,
    }
    made = scaling.put_scaling_policy(
        PolicyName="cpu", PolicyType="TargetTrackingScaling", **names, TargetTrackingScalingPolicyConfiguration=policy
    )
    found = scaling.describe_scaling_policies(**names)["ScalingPolicies"][0]
    assert found["TargetTrackingScalingPolicyConfiguration"] == policy
    alarms = cloudwatch.describe_alarms(AlarmNames=[one["AlarmName"] for one in made["Alarms"]])["MetricAlarms"]
    for alarm in alarms:
        assert (alarm["Namespace"], alarm["MetricName"]) == ("/aws/sagemaker/Endpoints", "CPUUtilization")
        assert (alarm["Statistic"], alarm["Dimensions"]) == ("Average", cpu_of(endpoint)["Dimensions"])
    assert sorted(alarm["Threshold"] for alarm in alarms) == pytest.approx([0.045, 0.05])  # no share of a period

    def grown() -> bool:
        runtime.invoke_endpoint(EndpointName=endpoint, ContentType="text/csv", Body="0.1,0.2\n" * 20_000)
        variant = sagemaker.describe_endpoint(EndpointName=endpoint)["ProductionVariants"][0]
        return variant["CurrentInstanceCount"] == 3

    eventually(grown, 120)
    newest = scaling.describe_scaling_activities(**names)["ScalingActivities"][0]
    assert newest["Description"] == "Setting desired instance count to 3."
    assert newest["Cause"].endswith("in state ALARM triggered policy cpu")

    scaling.delete_scaling_policy(PolicyName="cpu", **names)
    assert cloudwatch.describe_alarms(AlarmNames=[one["AlarmName"] for one in made["Alarms"]])["MetricAlarms"] == []
    scaling.deregister_scalable_target(**names)
    assert scaling.describe_scalable_targets(ServiceNamespace="sagemaker", ResourceIds=[names["ResourceId"]])[
        "ScalableTargets"
    ] == []  # fmt: skip
    sagemaker.delete_endpoint(EndpointName=endpoint)


@pytest.mark.parametrize("both", [True, False])
def test_a_policy_follows_one_metric(scaling, endpoint, target, both):
    scaling.register_scalable_target(**target(endpoint), MinCapacity=1, MaxCapacity=2)
    predefined = {"PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"}
    metrics = {"PredefinedMetricSpecification": predefined, "CustomizedMetricSpecification": cpu_of(endpoint)}
    with pytest.raises(ClientError) as caught:
        scaling.put_scaling_policy(
            PolicyName="p",
            PolicyType="TargetTrackingScaling",
            **target(endpoint),
            TargetTrackingScalingPolicyConfiguration={"TargetValue": 1.0} | (metrics if both else {}),
        )
    assert caught.value.response["Error"]["Code"] == "ValidationException"
