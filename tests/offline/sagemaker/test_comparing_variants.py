"""A/B tests: two models behind one endpoint, compared by target, by traffic and by their metrics, then one wins."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from tests.offline.sagemaker.conftest import numbers

ROWS = numbers(60, 21)


@pytest.fixture(scope="module")
def compared(sagemaker) -> str:
    """An endpoint with the variants good (50 rounds of boosting) and poor (one), of equal weight."""
    import xgboost

    table = numbers(500, 9)
    name = f"compare-{datetime.now(UTC):%H%M%S%f}"
    for variant, rounds in (("good", 50), ("poor", 1)):
        booster = xgboost.train({"nthread": 1}, xgboost.DMatrix(table[:, 1:], table[:, 0], nthread=1), rounds)
        sagemaker.model(f"{name}-{variant}", sagemaker.packed(bytes(booster.save_raw("ubj"))))
    sagemaker.config(name, ("good", f"{name}-good", 1.0), ("poor", f"{name}-poor", 1.0))
    sagemaker.client.create_endpoint(EndpointName=name, EndpointConfigName=name)
    sagemaker.settled(name)
    return name


def ask(sagemaker, name: str, row: np.ndarray, **more) -> tuple[str, float]:
    body = ",".join(f"{cell:g}" for cell in row[1:])
    answer = sagemaker.runtime.invoke_endpoint(EndpointName=name, ContentType="text/csv", Body=body, **more)
    return answer["InvokedProductionVariant"], float(answer["Body"].read())


def test_the_better_variant_is_found_by_its_errors_and_takes_all(sagemaker, compared, offline, eventually):
    errors = {"good": [], "poor": []}
    for variant, found in errors.items():
        for row in ROWS:
            answered_by, score = ask(sagemaker, compared, row, TargetVariant=variant)
            assert answered_by == variant
            found.append(abs(score - row[0]))
    assert np.mean(errors["good"]) < 2 < np.mean(errors["poor"])

    described = sagemaker.client.describe_endpoint(EndpointName=compared)
    assert {one["VariantName"]: one["CurrentWeight"] for one in described["ProductionVariants"]} == {
        "good": 1.0,
        "poor": 1.0,
    }
    sagemaker.client.update_endpoint_weights_and_capacities(
        EndpointName=compared,
        DesiredWeightsAndCapacities=[
            {"VariantName": "poor", "DesiredWeight": 0},
            {"VariantName": "good", "DesiredWeight": 100},
        ],
    )
    sagemaker.client.get_waiter("endpoint_in_service").wait(
        EndpointName=compared, WaiterConfig={"Delay": 1, "MaxAttempts": 30}
    )
    assert {ask(sagemaker, compared, row)[0] for row in ROWS} == {"good"}
    assert ask(sagemaker, compared, ROWS[0], TargetVariant="poor")[0] == "poor"  # a weight of 0 can still be asked for

    cloudwatch = offline.client("cloudwatch")

    def invocations(variant: str) -> float:
        now = datetime.now(UTC)
        query = {
            "Id": "m1",
            "MetricStat": {
                "Metric": {
                    "Namespace": "AWS/SageMaker",
                    "MetricName": "Invocations",
                    "Dimensions": [
                        {"Name": "EndpointName", "Value": compared},
                        {"Name": "VariantName", "Value": variant},
                    ],
                },
                "Period": 60,
                "Stat": "Sum",
            },
        }
        found = cloudwatch.get_metric_data(
            MetricDataQueries=[query], StartTime=now - timedelta(hours=1), EndTime=now + timedelta(minutes=1)
        )
        return sum(found["MetricDataResults"][0]["Values"])

    eventually(lambda: (invocations("good"), invocations("poor")) == (120.0, 61.0))
