"""The live model in two regions: copied, routed to, scaled under load, and torn down in both."""

import io
import json
import tarfile
from pathlib import Path

import boto3
import numpy as np
import pytest
import xgboost
from botocore.exceptions import ClientError

from helpers.resources import buckets, model_training, regional_endpoints, rush_hour, teardown
from helpers.resources.regional_routing import NoRegionAnswers, Router, distance_km
from helpers.workshop import Workshop

AWAY = "eu-west-1"
FEATURES = ",".join(["5"] * 12)


@pytest.fixture(scope="module")
def archive() -> bytes:
    """A model.tar.gz of XGBoost with twelve features."""
    rows = np.random.default_rng(0).random((200, 12))
    content = bytes(xgboost.train({"nthread": 1}, xgboost.DMatrix(rows, rows.sum(1), nthread=1), 3).save_raw("ubj"))
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as tar:
        member = tarfile.TarInfo("xgboost-model")
        member.size = len(content)
        tar.addfile(member, io.BytesIO(content))
    return file.getvalue()


@pytest.fixture
def live(ws, archive):
    """A participant whose live endpoint serves in the home region; all is torn down in the end."""
    buckets.ensure(ws, "models")
    key = "jobs/one/output/model.tar.gz"
    ws.client("s3").put_object(Bucket=ws.bucket("models"), Key=key, Body=archive)
    job = {
        "TrainingJobName": ws.name("xgboost-1"),
        "AlgorithmSpecification": {"TrainingImage": model_training.image(ws)},
        "ModelArtifacts": {"S3ModelArtifacts": f"s3://{ws.bucket('models')}/{key}"},
    }
    model_training.deploy(ws, job, version="v1")
    yield ws
    teardown.run(ws)


def test_the_model_is_copied_and_served_in_the_second_region_too(live):
    assert regional_endpoints.deploy(live, AWAY) == live.name("LiveInferenceEndpoint")
    copy = live.bucket(f"models-{AWAY}")
    assert live.client("s3").get_bucket_location(Bucket=copy)["LocationConstraint"] == AWAY
    model = live.client("sagemaker", AWAY).describe_model(ModelName=live.name("xgboost-1"))["PrimaryContainer"]
    assert model["ModelDataUrl"].startswith(f"s3://{copy}/") and f".ecr.{AWAY}." in model["Image"]
    regional_endpoints.deploy(live, AWAY)  # again: nothing to do
    assert regional_endpoints.instances(live, AWAY) == 1
    with pytest.raises(ValueError, match="name another region"):
        regional_endpoints.deploy(live, live.region)


def test_without_a_live_endpoint_deploy_says_which_lab_makes_it(ws):
    with pytest.raises(RuntimeError, match="lab 2 makes it"):
        regional_endpoints.deploy(ws, AWAY)


def test_a_centre_asks_the_nearest_region_and_the_next_one_while_it_is_down(live):
    regional_endpoints.deploy(live, AWAY, service_time_ms=1)
    router = Router(live, [live.region, AWAY])
    answers = {fc: router.ask(fc, FEATURES) for fc in ("FC-ASPEN", "FC-BIRCH", "FC-CEDAR", "FC-MAPLE")}
    assert [answer.region for answer in answers.values()] == ["us-east-1", "us-east-1", AWAY, AWAY]
    assert len({answer.duration_ms for answer in answers.values()}) == 1
    with pytest.raises(ClientError, match="Number of columns does not match"):
        router.ask("FC-CEDAR", FEATURES + ",1")  # the question is wrong: no region is down
    assert router.ask("FC-CEDAR", FEATURES).region == AWAY
    regional_endpoints.remove(live, AWAY)
    regional_endpoints.remove(live, AWAY)  # a cell may run twice
    assert [(router.ask("FC-CEDAR", FEATURES).region, router.ask("FC-CEDAR", FEATURES).failed) for _ in range(2)] == [
        ("us-east-1", (AWAY,))
    ] * 2
    regional_endpoints.remove(live, live.region)
    with pytest.raises(NoRegionAnswers, match=r"us-east-1: .*not found"):
        Router(live, [live.region, AWAY]).ask("FC-CEDAR", FEATURES)


def test_instances_follow_the_rush_hour_and_teardown_leaves_nothing_in_either_region(live, capsys):
    regional_endpoints.deploy(live, AWAY)
    router, target = Router(live, [live.region, AWAY]), regional_endpoints.scalable_target(live)
    scaling = live.client("application-autoscaling", AWAY)
    scaling.register_scalable_target(
        **target, MinCapacity=1, MaxCapacity=5, Tags={rush_hour.CLOCK_TAG: str(rush_hour.CLOCK_FACTOR)}
    )
    metric = {"PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"}
    scaling.put_scaling_policy(
        PolicyName="invocations",
        PolicyType="TargetTrackingScaling",
        **target,
        TargetTrackingScalingPolicyConfiguration={
            "TargetValue": 420.0,
            "PredefinedMetricSpecification": metric,
            "ScaleOutCooldown": 60,
            "ScaleInCooldown": 60,
        },
    )
    course = rush_hour.play(live, router, "FC-CEDAR", profile=((3, 3), (21, 34), (6, 3)))
    counts = course.instances["instances"]
    assert counts.iloc[0] == 1 and counts.max() >= 4
    assert set(course.requests["region"]) == {AWAY}
    alone = course.requests[course.requests["minute"] < 3]["latency_ms"].median()
    assert course.requests["latency_ms"].max() > 3 * alone > 3 * 100  # an instance works 100 ms, and then they queue
    activities = scaling.describe_scaling_activities(**target)["ScalingActivities"]
    assert "-AlarmHigh-" in activities[-1]["Cause"] and activities[-1]["StatusCode"] == "Successful"
    found = teardown.left(live)
    assert sum(line.startswith("alarm TargetTracking-") and line.endswith(AWAY) for line in found) == 2
    assert any(line.startswith("scaling target") and line.endswith(AWAY) for line in found)
    teardown.run(live)
    capsys.readouterr()
    assert teardown.prove(live)
    assert "in every region you used" in capsys.readouterr().out
    alarms = live.client("cloudwatch", AWAY).describe_alarms()["MetricAlarms"]
    assert not [alarm for alarm in alarms if live.prefix in alarm["AlarmName"]]
    assert not [name for name in live.client("s3").list_buckets()["Buckets"] if live.prefix in name["Name"]]


def test_distances_order_regions_as_a_map_does():
    assert distance_km("eu-central-1", "eu-west-1") < distance_km("eu-central-1", "us-east-1")
    assert 5000 < distance_km("us-east-1", "eu-west-1") < 6000
    assert distance_km("us-east-1", "us-east-1") == 0


def test_the_participants_policy_is_enough_for_two_regions_and_their_teardown(live, offline, capsys):
    text = (Path(__file__).resolve().parents[2] / "docs/policies/participant.json").read_text()
    policy = text.replace("ACCOUNT", live.account_id).replace("PARTICIPANT", live.participant)
    iam, name = offline.client("iam"), f"participant-{live.participant}"
    trust = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{live.account_id}:root"},
        "Action": "sts:AssumeRole",
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=document)["Role"]["Arn"]
    iam.put_role_policy(RoleName=name, PolicyName="participant", PolicyDocument=json.dumps(json.loads(policy)))
    keys = offline.client("sts").assume_role(RoleArn=role, RoleSessionName="learner")["Credentials"]
    session = boto3.Session(keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"], region_name=live.region)
    learner = Workshop("offline", live.region, live.account_id, live.participant, session, live.folder)

    regional_endpoints.deploy(learner, AWAY)
    assert Router(learner, [AWAY]).ask("FC-CEDAR", FEATURES).region == AWAY
    scaling, target = learner.client("application-autoscaling", AWAY), regional_endpoints.scalable_target(learner)
    scaling.register_scalable_target(**target, MinCapacity=1, MaxCapacity=2, Tags={rush_hour.CLOCK_TAG: "180"})
    metric = {"PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"}
    scaling.put_scaling_policy(
        PolicyName="invocations",
        PolicyType="TargetTrackingScaling",
        **target,
        TargetTrackingScalingPolicyConfiguration={"TargetValue": 420.0, "PredefinedMetricSpecification": metric},
    )
    assert scaling.describe_scaling_activities(**target)["ScalingActivities"] == []
    assert regional_endpoints.instances(learner, AWAY) == 1
    teardown.run(learner)
    assert teardown.prove(learner), capsys.readouterr().out
    with pytest.raises(ClientError, match="AccessDenied"):
        learner.client("sagemaker", AWAY).delete_endpoint(
            EndpointName="fulfillment-somebody-else-LiveInferenceEndpoint"
        )
