"""Application Auto Scaling, row by row: targets, policies and their alarms, activities, what is refused."""

import json
import re
import time

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

ACCOUNT, REGION = "123456789012", "us-east-1"
HEX = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
METRIC = {"PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"}


@pytest.fixture(scope="module")
def scaling(offline):
    return offline.client("application-autoscaling")


@pytest.fixture
def registered(scaling, endpoint, target):
    """Of an endpoint in service: the target's names in calls, registered for 1 to 4 instances."""
    scaling.register_scalable_target(**target(endpoint), MinCapacity=1, MaxCapacity=4)
    return target(endpoint)


@pytest.fixture
def count(offline):
    """count(endpoint) -> instances of its variant."""

    def look(name: str) -> int:
        found = offline.client("sagemaker").describe_endpoint(EndpointName=name)
        return found["ProductionVariants"][0]["CurrentInstanceCount"]

    return look


def put_policy(scaling, names: dict, target_value: float = 100.0, **more) -> dict:
    config = {"TargetValue": target_value, "PredefinedMetricSpecification": METRIC} | more
    return scaling.put_scaling_policy(
        PolicyName="track",
        PolicyType="TargetTrackingScaling",
        **names,
        TargetTrackingScalingPolicyConfiguration=config,
    )


def ring(offline, alarm: dict) -> None:
    offline.client("cloudwatch").set_alarm_state(AlarmName=alarm["AlarmName"], StateValue="ALARM", StateReason="test")


def activities(scaling, names: dict) -> list[dict]:
    return scaling.describe_scaling_activities(**names)["ScalingActivities"]


ALARMS = {  # kind -> comparison, threshold, evaluation periods
    "High": ("GreaterThanThreshold", 100.0, 3),
    "Low": ("LessThanThreshold", 90.0, 15),
}


@pytest.mark.parametrize("kind", ALARMS)
def test_a_policy_makes_its_alarm(offline, scaling, registered, kind):
    answer = put_policy(scaling, registered)
    assert re.fullmatch(
        f"arn:aws:autoscaling:{REGION}:{ACCOUNT}:scalingPolicy:{HEX}:resource/sagemaker/{registered['ResourceId']}"
        ":policyName/track",
        answer["PolicyARN"],
    )
    named = re.compile(f"TargetTracking-{registered['ResourceId']}-Alarm{kind}-{HEX}")
    name = next(alarm["AlarmName"] for alarm in answer["Alarms"] if named.fullmatch(alarm["AlarmName"]))
    alarm = offline.client("cloudwatch").describe_alarms(AlarmNames=[name])["MetricAlarms"][0]
    comparison, threshold, periods = ALARMS[kind]
    assert (alarm["ComparisonOperator"], alarm["Threshold"], alarm["EvaluationPeriods"]) == (
        comparison,
        threshold,
        periods,
    )
    assert (alarm["Namespace"], alarm["MetricName"], alarm["Statistic"], alarm["Period"]) == (
        *("AWS/SageMaker", "InvocationsPerInstance", "Sum"), 60,
    )  # fmt: skip
    assert (
        alarm["AlarmDescription"] == f"DO NOT EDIT OR DELETE. For TargetTrackingScaling policy {answer['PolicyARN']}."
    )
    assert alarm["AlarmActions"] == [answer["PolicyARN"]] and alarm.get("TreatMissingData", "missing") == "missing"
    assert {one["Name"]: one["Value"] for one in alarm["Dimensions"]} == {
        "EndpointName": registered["ResourceId"].split("/")[1],
        "VariantName": "v1",
    }


def test_a_policy_put_again_keeps_its_arn_and_gets_new_alarms(offline, scaling, registered):
    first, second = put_policy(scaling, registered), put_policy(scaling, registered, 50.0)
    assert first["PolicyARN"] == second["PolicyARN"]
    before, after = ({one["AlarmName"] for one in answer["Alarms"]} for answer in (first, second))
    assert not before & after
    held = offline.client("cloudwatch").describe_alarms(AlarmNames=[*before, *after])["MetricAlarms"]
    assert {alarm["AlarmName"] for alarm in held} == after
    policy = scaling.describe_scaling_policies(**registered)["ScalingPolicies"][0]
    assert policy["TargetTrackingScalingPolicyConfiguration"]["TargetValue"] == 50.0
    scaling.delete_scaling_policy(PolicyName="track", **registered)
    assert offline.client("cloudwatch").describe_alarms(AlarmNames=list(after))["MetricAlarms"] == []


CLOCKS = {  # factor -> period, periods of the high and of the low alarm, share of the target
    "2": (30, 3, 15, 0.5),
    "6": (10, 3, 15, 1 / 6),
    "60": (1, 3, 15, 1 / 60),
    "180": (1, 1, 5, 1 / 60),
}


@pytest.mark.parametrize("factor", CLOCKS)
def test_the_clock_factor_shortens_the_periods_and_says_so(offline, scaling, endpoint, target, factor):
    scaling.register_scalable_target(
        **target(endpoint), MinCapacity=1, MaxCapacity=4, Tags={"offline-clock-factor": factor}
    )
    names = [alarm["AlarmName"] for alarm in put_policy(scaling, target(endpoint))["Alarms"]]
    period, high, low, share = CLOCKS[factor]
    for alarm in offline.client("cloudwatch").describe_alarms(AlarmNames=names)["MetricAlarms"]:
        is_high = "-AlarmHigh-" in alarm["AlarmName"]
        assert (alarm["Period"], alarm["EvaluationPeriods"]) == (period, high if is_high else low)
        assert alarm["Threshold"] == pytest.approx(100 * share * (1 if is_high else 0.9))
        assert f"Offline clock factor {factor}" in alarm["AlarmDescription"]


def test_bounds_move_the_instance_count_and_activities_say_why(scaling, endpoint, target, count):
    names = target(endpoint)
    scaling.register_scalable_target(**names, MinCapacity=3, MaxCapacity=4)
    assert count(endpoint) == 3
    scaling.register_scalable_target(**names, MinCapacity=1, MaxCapacity=2)
    assert count(endpoint) == 2
    newest, oldest = activities(scaling, names)
    assert (oldest["Cause"], newest["Cause"]) == ("minimum capacity was set to 3", "maximum capacity was set to 2")
    assert newest["Description"] == "Setting desired instance count to 2."
    assert newest["StatusCode"] == "Successful"
    assert newest["StatusMessage"] == (
        "Successfully set desired instance count to 2. Change successfully fulfilled by sagemaker."
    )
    assert newest["StartTime"] <= newest["EndTime"] and newest["ResourceId"] == names["ResourceId"]


def test_a_low_alarm_takes_one_instance_away_unless_told_otherwise(offline, scaling, endpoint, target, count):
    names = target(endpoint)
    scaling.register_scalable_target(**names, MinCapacity=3, MaxCapacity=4)
    scaling.register_scalable_target(**names, MinCapacity=1, MaxCapacity=4)

    def rung(**config) -> int:
        ring(offline, put_policy(scaling, names, **config)["Alarms"][1])
        return count(endpoint)

    assert rung(ScaleInCooldown=300) == 3  # it was scaled out just now
    assert rung(DisableScaleIn=True, ScaleInCooldown=0) == 3
    scaling.register_scalable_target(**names, SuspendedState={"DynamicScalingInSuspended": True})
    assert rung(ScaleInCooldown=0) == 3
    scaling.register_scalable_target(**names, SuspendedState={"DynamicScalingInSuspended": False})
    assert rung(ScaleInCooldown=0) == 2
    alarm = scaling.describe_scaling_policies(**names)["ScalingPolicies"][0]["Alarms"][1]["AlarmName"]
    assert activities(scaling, names)[0]["Cause"] == f"monitor alarm {alarm} in state ALARM triggered policy track"


def test_a_high_alarm_goes_straight_to_the_size_that_the_load_needs(
    offline, scaling, endpoint, target, count, eventually
):
    scaling.register_scalable_target(
        **target(endpoint), MinCapacity=1, MaxCapacity=4, Tags={"offline-clock-factor": "60"}
    )
    alarm = put_policy(scaling, target(endpoint), 60.0, ScaleOutCooldown=0)["Alarms"][0]  # one a second and instance
    runtime = offline.client("sagemaker-runtime")

    def scaled():
        for _ in range(10):
            runtime.invoke_endpoint(EndpointName=endpoint, ContentType="text/csv", Body="1,2")
        ring(offline, alarm)
        return count(endpoint) > 1

    eventually(scaled)
    assert count(endpoint) == 4  # ten a second would need more than the maximum


def test_suspended_scale_out_does_nothing(offline, scaling, registered, endpoint, count, eventually):
    scaling.register_scalable_target(**registered, SuspendedState={"DynamicScalingOutSuspended": True})
    held = scaling.describe_scalable_targets(ServiceNamespace="sagemaker", ResourceIds=[registered["ResourceId"]])
    assert held["ScalableTargets"][0]["SuspendedState"] == {
        "DynamicScalingInSuspended": False, "DynamicScalingOutSuspended": True, "ScheduledScalingSuspended": False
    }  # fmt: skip
    alarm = put_policy(scaling, registered, 0.001)["Alarms"][0]
    offline.client("sagemaker-runtime").invoke_endpoint(EndpointName=endpoint, ContentType="text/csv", Body="1,2")
    ring(offline, alarm)
    assert count(endpoint) == 1 and activities(scaling, registered) == []


def test_an_endpoint_that_is_updated_makes_the_activity_fail(offline, scaling, registered, make_config, endpoint):
    routing = {"Type": "CANARY", "WaitIntervalInSeconds": 20, "CanarySize": {"Type": "CAPACITY_PERCENT", "Value": 10}}
    offline.client("sagemaker").update_endpoint(
        EndpointName=endpoint,
        EndpointConfigName=make_config(),
        DeploymentConfig={"BlueGreenUpdatePolicy": {"TrafficRoutingConfiguration": routing}},
    )
    scaling.register_scalable_target(**registered, MinCapacity=2, MaxCapacity=4)
    failed = activities(scaling, registered)[0]
    assert failed["StatusCode"] == "Failed"
    assert failed["StatusMessage"].startswith(
        "Failed to set desired instance count to 2. Reason: Cannot update in-progress"
    )


def test_deleting_the_endpoint_deregisters_its_variants(offline, scaling, registered, endpoint):
    alarms = [alarm["AlarmName"] for alarm in put_policy(scaling, registered)["Alarms"]]
    offline.client("sagemaker").delete_endpoint(EndpointName=endpoint)
    listed = {"ServiceNamespace": "sagemaker", "ResourceIds": [registered["ResourceId"]]}
    assert scaling.describe_scalable_targets(**listed)["ScalableTargets"] == []
    assert scaling.describe_scaling_policies(**registered)["ScalingPolicies"] == []
    assert offline.client("cloudwatch").describe_alarms(AlarmNames=alarms)["MetricAlarms"] == []


def test_who_may_not_deregister_may_not_delete_a_scaled_endpoint(offline, registered, endpoint, unique):
    iam, name = offline.client("iam"), unique("role")
    trust = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=document)["Role"]["Arn"]

    def allowed(*actions: str) -> None:
        statement = {"Effect": "Allow", "Action": list(actions), "Resource": "*"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        iam.put_role_policy(RoleName=name, PolicyName="some", PolicyDocument=policy)

    allowed("sagemaker:*")
    keys = offline.client("sts").assume_role(RoleArn=role, RoleSessionName="someone")["Credentials"]
    sagemaker = offline.client(
        "sagemaker",
        aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key=keys["SecretAccessKey"],
        aws_session_token=keys["SessionToken"],
    )
    with pytest.raises(ClientError, match="does not have application-autoscaling:DeregisterScalableTarget permission"):
        sagemaker.delete_endpoint(EndpointName=endpoint)
    allowed("sagemaker:*", "application-autoscaling:DeregisterScalableTarget")
    sagemaker.delete_endpoint(EndpointName=endpoint)


def test_a_scaled_variant_must_be_deregistered_before_it_goes(offline, scaling, registered, make_config, endpoint):
    sagemaker = offline.client("sagemaker")
    for other in (make_config("v2"), make_config("v1", "ml.c5.large")):
        with pytest.raises(ClientError, match="deregister them before") as caught:
            sagemaker.update_endpoint(EndpointName=endpoint, EndpointConfigName=other)
        assert caught.value.response["Error"]["Code"] == "ValidationException"
    sagemaker.update_endpoint(EndpointName=endpoint, EndpointConfigName=make_config("v1"))  # same variant, same type


def test_burstable_instances_do_not_scale(scaling, make_endpoint, target):
    with pytest.raises(ClientError, match=r"You cannot register a variant with ml\.t2\.medium instance") as caught:
        scaling.register_scalable_target(**target(make_endpoint("v1", "ml.t2.medium")), MinCapacity=1, MaxCapacity=2)
    assert caught.value.response["Error"]["Code"] == "ValidationException"


MISSING = {  # operation, request, what is not there
    "DeregisterScalableTarget": ("deregister_scalable_target", {}, "scalable target found"),
    "DeleteScalingPolicy": ("delete_scaling_policy", {"PolicyName": "track"}, "scaling policy found"),
    "PutScalingPolicy": (
        "put_scaling_policy",
        {
            "PolicyName": "track",
            "PolicyType": "TargetTrackingScaling",
            "TargetTrackingScalingPolicyConfiguration": {"TargetValue": 1.0, "PredefinedMetricSpecification": METRIC},
        },
        "scalable target registered",
    ),
}


@pytest.mark.parametrize("row", MISSING)
def test_without_a_scalable_target_nothing_is_found(scaling, target, row):
    operation, more, what = MISSING[row]
    with pytest.raises(ClientError) as caught:
        getattr(scaling, operation)(**target("nowhere"), **more)
    error = caught.value.response["Error"]
    assert error["Code"] == "ObjectNotFoundException"
    assert error["Message"].startswith(
        f"No {what} for service namespace: sagemaker, resource ID: endpoint/nowhere/variant/v1, "
        "scalable dimension: sagemaker:variant:DesiredInstanceCount"
    )


STEPS = {"AdjustmentType": "ChangeInCapacity", "StepAdjustments": [{"ScalingAdjustment": 1}]}
UNSUPPORTED = {
    "PutScheduledAction": (
        "put_scheduled_action", {"ScheduledActionName": "a", "Schedule": "rate(1 hour)"}, "PutScheduledAction"),
    "step scaling": (
        "put_scaling_policy", {"PolicyName": "p", "PolicyType": "StepScaling", "StepScalingPolicyConfiguration": STEPS},
        "TargetTrackingScaling only"),
    "an expression over metrics": (
        "put_scaling_policy",
        {"PolicyName": "p", "PolicyType": "TargetTrackingScaling", "TargetTrackingScalingPolicyConfiguration": {
            "TargetValue": 1.0, "CustomizedMetricSpecification": {"Metrics": [{"Id": "a", "Expression": "1"}]}}},
        "no expressions over several"),
    "DynamoDB": (
        "register_scalable_target",
        {"ServiceNamespace": "dynamodb", "ResourceId": "table/t",
         "ScalableDimension": "dynamodb:table:ReadCapacityUnits",
         "MinCapacity": 1, "MaxCapacity": 2},
        "scales sagemaker"),
}  # fmt: skip


@pytest.mark.parametrize("row", UNSUPPORTED)
def test_what_is_not_supported_is_refused_by_name(scaling, registered, row):
    operation, more, words = UNSUPPORTED[row]
    with pytest.raises(ClientError, match=words) as caught:
        getattr(scaling, operation)(**(registered | more))
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 501


ENUM = "failed to satisfy constraint: Member must satisfy enum value set: "
BOUNDS = {
    "ServiceNamespace": (
        "register_scalable_target", {"ServiceNamespace": "mars"}, f"'mars' at 'serviceNamespace' {ENUM}"),
    "ScalableDimension": (
        "register_scalable_target", {"ScalableDimension": "mars"}, f"'mars' at 'scalableDimension' {ENUM}"),
    "PolicyType": (
        "put_scaling_policy", {"PolicyName": "p", "PolicyType": "Magic"}, f"'Magic' at 'policyType' {ENUM}"),
    "PolicyName of 257": (
        "put_scaling_policy", {"PolicyName": "p" * 257}, "at 'policyName' .*less than or equal to 256"),
    "an empty ResourceId": (
        "deregister_scalable_target", {"ResourceId": ""}, "at 'resourceId' .*greater than or equal to 1"),
    "no ScalableDimension": (
        "deregister_scalable_target", {"ScalableDimension": None}, "null at 'scalableDimension' .*must not be null"),
}  # fmt: skip


@pytest.mark.parametrize("row", BOUNDS)
def test_members_are_bounded_in_awss_words(offline, target, row):
    operation, more, words = BOUNDS[row]
    client = offline.client("application-autoscaling", config=Config(parameter_validation=False))
    request = {key: value for key, value in (target("e") | more).items() if value is not None}
    with pytest.raises(ClientError, match=r"validation errors? detected: .*" + words) as caught:
        getattr(client, operation)(**request)
    assert caught.value.response["Error"]["Code"] == "ValidationException"


def test_tags_of_a_target_are_listed_and_taken_away(scaling, registered):
    listed = scaling.describe_scalable_targets(ServiceNamespace="sagemaker", ResourceIds=[registered["ResourceId"]])
    arn = listed["ScalableTargets"][0]["ScalableTargetARN"]
    scaling.tag_resource(ResourceARN=arn, Tags={"a": "1", "b": "2"})
    scaling.untag_resource(ResourceARN=arn, TagKeys=["a"])
    assert scaling.list_tags_for_resource(ResourceARN=arn)["Tags"] == {"b": "2"}
    assert listed["ScalableTargets"][0]["RoleARN"].endswith(
        "/AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint"
    )
    assert abs(listed["ScalableTargets"][0]["CreationTime"].timestamp() - time.time()) < 600


def test_what_is_described_comes_in_pages(scaling, make_endpoint, target):
    endpoints = [make_endpoint() for _ in range(3)]
    for name in endpoints:
        scaling.register_scalable_target(**target(name), MinCapacity=1, MaxCapacity=4)
        put_policy(scaling, target(name))
    names = target(endpoints[0])
    for least in (2, 3, 4):
        scaling.register_scalable_target(**names, MinCapacity=least, MaxCapacity=4)
    resources = [target(name)["ResourceId"] for name in endpoints]
    by_paginator = {
        "describe_scalable_targets": ({"ResourceIds": resources}, "ScalableTargets", "ResourceId"),
        "describe_scaling_policies": ({}, "ScalingPolicies", "ResourceId"),
        "describe_scaling_activities": ({"ResourceId": names["ResourceId"]}, "ScalingActivities", "Description"),
    }
    found = {}
    for operation, (request, member, key) in by_paginator.items():
        dimension = {"ScalableDimension": names["ScalableDimension"]} if "ResourceId" in request else {}
        pages = list(
            scaling.get_paginator(operation).paginate(
                ServiceNamespace="sagemaker", **request, **dimension, PaginationConfig={"PageSize": 1}
            )
        )
        assert {len(page[member]) for page in pages} == {1}
        found[operation] = [page[member][0][key] for page in pages]
    assert sorted(found["describe_scalable_targets"]) == sorted(resources)
    assert set(resources) <= set(found["describe_scaling_policies"])
    assert found["describe_scaling_activities"] == [
        f"Setting desired instance count to {count}." for count in (4, 3, 2)
    ]
    with pytest.raises(ClientError) as caught:
        scaling.describe_scaling_policies(ServiceNamespace="sagemaker", NextToken="garbage")
    assert caught.value.response["Error"]["Code"] == "InvalidNextTokenException"
