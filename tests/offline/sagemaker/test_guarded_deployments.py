"""Deployments with guard rails: a canary that fails is taken back by an alarm on its errors, a good model stays."""

import json
import threading
import time

import pytest
from botocore.exceptions import ClientError

LINEAR = "382416733822.dkr.ecr.us-east-1.amazonaws.com/linear-learner:1"
ROW = "5,5,5"


@pytest.fixture(scope="module")
def model(sagemaker):
    """model("name", weights) -> a Linear Learner model of that name."""

    def make(name: str, weights: list[float]) -> str:
        content = {"predictor_type": "regressor", "weights": [[weight] for weight in weights], "bias": [0.0]}
        sagemaker.model(name, sagemaker.packed(json.dumps(content).encode(), "model_algo-1"), LINEAR)
        return name

    return make


@pytest.fixture
def guarded(sagemaker, offline, model, unique):
    """guarded(weights of the new model, routing) -> what became of an update under load, its alarm watching errors."""

    def deploy(weights: list[float], routing: dict) -> dict:
        name = unique("guarded")
        for suffix, numbers in (("old", [1.0, 1.0, 1.0]), ("new", weights)):
            model(f"{name}-{suffix}", numbers)
            sagemaker.config(f"{name}-{suffix}", ("AllTraffic", f"{name}-{suffix}", 1.0))
        sagemaker.client.create_endpoint(EndpointName=name, EndpointConfigName=f"{name}-old")
        sagemaker.settled(name)
        offline.client("cloudwatch").put_metric_alarm(
            AlarmName=f"{name}-errors",
            Namespace="AWS/SageMaker",
            MetricName="Invocation4XXErrors",
            Dimensions=[{"Name": "EndpointName", "Value": name}, {"Name": "VariantName", "Value": "AllTraffic"}],
            Statistic="Average",
            Period=10,
            EvaluationPeriods=1,
            Threshold=0.02,
            ComparisonOperator="GreaterThanThreshold",
            TreatMissingData="notBreaching",
        )
        done, asked, seen = threading.Event(), threading.Event(), []

        def load() -> None:
            while not done.wait(0.05):
                try:
                    answer = sagemaker.ask(name, ROW)[1]
                    seen.append(json.loads(answer)["predictions"][0]["score"])
                except ClientError as error:
                    seen.append(error.response["OriginalStatusCode"])
                asked.set()

        thread = threading.Thread(target=load)
        thread.start()
        try:
            assert asked.wait(60)  # the old model has answered
            sagemaker.client.update_endpoint(
                EndpointName=name,
                EndpointConfigName=f"{name}-new",
                DeploymentConfig={
                    "BlueGreenUpdatePolicy": {
                        "TrafficRoutingConfiguration": routing,
                        "TerminationWaitInSeconds": 0,
                        "MaximumExecutionTimeoutInSeconds": 600,
                    },
                    "AutoRollbackConfiguration": {"Alarms": [{"AlarmName": f"{name}-errors"}]},
                },
            )
            states = set()
            deadline = time.monotonic() + 120
            while (found := sagemaker.client.describe_endpoint(EndpointName=name))["EndpointStatus"] != "InService":
                assert time.monotonic() < deadline, found["EndpointStatus"]
                states.add(found["EndpointStatus"])
                time.sleep(0.1)
        finally:
            done.set()
            thread.join()
        return {"name": name, "found": found, "states": states, "seen": seen}

    return deploy


def test_a_canary_that_fails_is_taken_back(sagemaker, guarded):
    size = {"Type": "CAPACITY_PERCENT", "Value": 30}
    told = guarded([1.0, 1.0], {"Type": "CANARY", "CanarySize": size, "WaitIntervalInSeconds": 90})
    assert 400 in told["seen"], "nobody met the canary"
    assert told["found"]["EndpointConfigName"] == f"{told['name']}-old"
    assert f"{told['name']}-errors" in told["found"]["FailureReason"]
    assert "Updating" in told["states"]
    after = [json.loads(sagemaker.ask(told["name"], ROW)[1])["predictions"][0]["score"] for _ in range(30)]
    assert set(after) == {15.0}


def test_a_linear_shift_of_a_good_model_ends_with_it_alone(sagemaker, guarded):
    size = {"Type": "CAPACITY_PERCENT", "Value": 50}
    told = guarded([2.0, 2.0, 2.0], {"Type": "LINEAR", "LinearStepSize": size, "WaitIntervalInSeconds": 2})
    assert set(told["seen"]) <= {15.0, 30.0} and told["seen"][0] == 15.0
    assert told["found"]["EndpointConfigName"] == f"{told['name']}-new" and "FailureReason" not in told["found"]
    routing = told["found"]["LastDeploymentConfig"]["BlueGreenUpdatePolicy"]["TrafficRoutingConfiguration"]
    assert routing["Type"] == "LINEAR"
    assert json.loads(sagemaker.ask(told["name"], ROW)[1])["predictions"][0]["score"] == 30.0
