"""CPU, memory and disk of endpoints and training jobs in CloudWatch, as dashboards and alarms look for them."""

import time
from datetime import UTC, datetime, timedelta

import psutil
import pytest

METRICS = ("CPUUtilization", "MemoryUtilization", "DiskUtilization")


@pytest.fixture
def points(offline):
    """points(namespace, metric, **dimensions) -> the data of the last hour, in periods of a minute."""
    cloudwatch = offline.client("cloudwatch")

    def read(namespace: str, metric: str, **dimensions: str) -> list[dict]:
        now = datetime.now(UTC)
        return cloudwatch.get_metric_statistics(
            Namespace=namespace,
            MetricName=metric,
            Dimensions=[{"Name": name, "Value": value} for name, value in dimensions.items()],
            StartTime=now - timedelta(hours=1),
            EndTime=now + timedelta(minutes=1),
            Period=60,
            Statistics=["Average", "Maximum", "SampleCount"],
        )["Datapoints"]

    return read


def test_a_variant_that_works_uses_cpu_and_an_idle_one_does_not(sagemaker, endpoint, unique, points, eventually):
    name = unique("busy")
    sagemaker.config(name, ("busy", endpoint, 1.0), ("idle", endpoint, 1.0))
    sagemaker.client.create_endpoint(EndpointName=name, EndpointConfigName=name)
    sagemaker.settled(name)
    body = "5,5,5\n" * 20_000
    began = time.monotonic()
    while time.monotonic() - began < 1.5:
        sagemaker.ask(name, body, TargetVariant="busy")

    def look(variant: str) -> dict:
        found = {
            metric: points("/aws/sagemaker/Endpoints", metric, EndpointName=name, VariantName=variant)
            for metric in METRICS
        }
        return found if all(found.values()) else {}

    eventually(lambda: any(one["Maximum"] > 0 for one in look("busy").get("CPUUtilization", ())), 30)
    busy, idle = look("busy"), eventually(lambda: look("idle"), 30)
    assert max(one["Maximum"] for one in busy["CPUUtilization"]) > 1
    assert max(one["Maximum"] for one in idle["CPUUtilization"]) == 0
    for variant in (busy, idle):
        assert all(one["Unit"] == "Percent" for metric in METRICS for one in variant[metric])
        assert 0 < variant["MemoryUtilization"][0]["Average"] < 100
        whole = psutil.disk_usage(str(sagemaker.offline.directory)).percent
        assert variant["DiskUtilization"][0]["Average"] == pytest.approx(whole, abs=10)


@pytest.mark.parametrize("instances", [1, 2])
def test_each_host_of_a_training_job_tells_what_it_used(sagemaker, channels, points, instances):
    resources = {"InstanceType": "ml.m5.large", "InstanceCount": instances, "VolumeSizeInGB": 1}
    job = sagemaker.train({"train": channels["train"]}, {"num_round": "300"}, ResourceConfig=resources)
    assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")
    for number in range(instances):
        host = f"{job['TrainingJobName']}/algo-{number + 1}"
        found = {metric: points("/aws/sagemaker/TrainingJobs", metric, Host=host) for metric in METRICS}
        assert all(found.values()), host
        assert found["CPUUtilization"][0]["Maximum"] > 1
        assert 0 < found["MemoryUtilization"][0]["Maximum"] < 100
        assert 0 < found["DiskUtilization"][0]["Maximum"] < 1  # some kilobytes of a gigabyte
        assert found["CPUUtilization"][0]["Unit"] == "Percent"
