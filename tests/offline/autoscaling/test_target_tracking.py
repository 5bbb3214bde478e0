import time

import pytest
from botocore.exceptions import ClientError


def test_load_scales_out_quiet_scales_in_and_both_are_told(offline, endpoint, target, eventually):
    scaling, sagemaker = offline.client("application-autoscaling"), offline.client("sagemaker")
    runtime, cloudwatch = offline.client("sagemaker-runtime"), offline.client("cloudwatch")
    scaling.register_scalable_target(
        **target(endpoint), MinCapacity=1, MaxCapacity=2, Tags={"offline-clock-factor": "60"}
    )
    alarms = scaling.put_scaling_policy(
        PolicyName="track",
        PolicyType="TargetTrackingScaling",
        **target(endpoint),
        TargetTrackingScalingPolicyConfiguration={
            "TargetValue": 120.0,  # a minute; 2 in the second that stands for one
            "PredefinedMetricSpecification": {"PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"},
            "ScaleOutCooldown": 60,
            "ScaleInCooldown": 60,
        },
    )["Alarms"]
    made = cloudwatch.describe_alarms(AlarmNames=[alarm["AlarmName"] for alarm in alarms])["MetricAlarms"]
    assert {alarm["ComparisonOperator"] for alarm in made} == {"GreaterThanThreshold", "LessThanThreshold"}
    assert all("Offline clock factor 60" in alarm["AlarmDescription"] for alarm in made)

    def instances():
        return sagemaker.describe_endpoint(EndpointName=endpoint)["ProductionVariants"][0]["CurrentInstanceCount"]

    def busy():
        runtime.invoke_endpoint(EndpointName=endpoint, ContentType="text/csv", Body="1,2")
        return instances() == 2

    eventually(busy, 90)

    seconds = set()

    def quiet():
        if int(time.time()) not in seconds:  # one request a second: below 0.9 of the target
            seconds.add(int(time.time()))
            runtime.invoke_endpoint(EndpointName=endpoint, ContentType="text/csv", Body="1,2")
        return instances() == 1

    eventually(quiet, 60)
    told = scaling.describe_scaling_activities(**target(endpoint))["ScalingActivities"]
    assert [activity["Description"] for activity in reversed(told)] == [
        "Setting desired instance count to 2.",
        "Setting desired instance count to 1.",
    ]
    assert "-AlarmHigh-" in told[-1]["Cause"] and told[-1]["StatusCode"] == "Successful"
    scaling.deregister_scalable_target(**target(endpoint))
    assert cloudwatch.describe_alarms(AlarmNames=[alarm["AlarmName"] for alarm in alarms])["MetricAlarms"] == []


def test_what_is_not_there_is_not_found(offline, endpoint, target):
    scaling = offline.client("application-autoscaling")
    nowhere = target("nowhere")
    with pytest.raises(ClientError, match="No scalable target found for service namespace: sagemaker, ") as error:
        scaling.deregister_scalable_target(**nowhere)
    assert error.value.response["Error"]["Code"] == "ObjectNotFoundException"
    with pytest.raises(ClientError, match="does not exist"):
        scaling.register_scalable_target(**nowhere, MinCapacity=1, MaxCapacity=2)
    with pytest.raises(ClientError, match="Minimum capacity"):
        scaling.register_scalable_target(**target(endpoint), MinCapacity=3, MaxCapacity=2)
    listed = scaling.describe_scalable_targets(
        ServiceNamespace="sagemaker", ResourceIds=[target(endpoint)["ResourceId"]]
    )
    assert listed["ScalableTargets"] == []
