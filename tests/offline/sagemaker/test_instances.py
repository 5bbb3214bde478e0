"""The queues of a variant's instances, as a model and behind an endpoint."""

import asyncio
import json
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.offline.kernel import Call, Credentials, Kernel, Principal, Workspace
from helpers.offline.services.sagemaker import invocations
from helpers.offline.services.sagemaker.capture import Capture
from helpers.offline.services.sagemaker.deployments import Deployments
from helpers.offline.services.sagemaker.fleet import Fleet, Running
from helpers.offline.services.sagemaker.invocation_metrics import InvocationMetrics
from helpers.offline.services.sagemaker.records import Variant
from helpers.offline.services.sagemaker.serving.instances import LEAST_OUTSTANDING, Instances, service_time_s
from helpers.offline.services.sagemaker.serving.linear_container import LinearContainer
from helpers.offline.services.sagemaker.store import Store


def test_an_idle_instance_answers_after_its_service_time():
    instances = Instances(1, 0.1)
    assert instances.take(10.0) == pytest.approx(0.1)
    assert instances.take(20.0) == pytest.approx(0.1)


def test_requests_that_come_together_wait_for_each_other():
    instances = Instances(1, 0.1)
    assert [instances.take(0.0) for _ in range(3)] == pytest.approx([0.1, 0.2, 0.3])


@settings(deadline=None)
@given(st.integers(1, 8), st.integers(1, 60))
def test_throughput_follows_the_instance_count(count, requests):
    instances = Instances(count, 0.1, LEAST_OUTSTANDING)
    last = max(instances.take(0.0) for _ in range(requests))
    assert last == pytest.approx(0.1 * -(-requests // count))


def test_new_instances_begin_idle_and_what_waits_stays_where_it_is():
    instances = Instances(1, 1.0, LEAST_OUTSTANDING)
    for _ in range(5):
        instances.take(0.0)
    instances.resize(2)
    assert instances.take(0.0) == 1.0
    instances.resize(1)  # the busier one goes
    assert instances.take(0.0) == 2.0


@pytest.mark.parametrize(
    ("value", "seconds"), [("50", 0.05), ("0.5", 0.0005), ("0", None), ("-1", None), ("fast", None), ("1e9", None)]
)
def test_the_service_time_is_told_by_a_tag(value, seconds):
    tags = [{"Key": "participant", "Value": "x"}, {"Key": "offline-service-time-ms", "Value": value}]
    assert service_time_s(tags) == seconds
    assert service_time_s([]) is None


def test_an_endpoint_with_the_tag_makes_requests_wait_until_the_tag_is_gone(sagemaker, endpoint, offline):
    arn = sagemaker.client.describe_endpoint(EndpointName=endpoint)["EndpointArn"]
    tag = {"Key": "offline-service-time-ms", "Value": "50"}
    sagemaker.client.add_tags(ResourceArn=arn, Tags=[tag])

    def seconds(times: int) -> float:
        started = time.perf_counter()
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda _: sagemaker.ask(endpoint, "5,5,5"), range(times)))
        return time.perf_counter() - started

    assert seconds(8) >= 8 * 0.05  # one instance, one at a time: the last waits for seven others
    sagemaker.client.delete_tags(ResourceArn=arn, TagKeys=[tag["Key"]])
    assert min(seconds(1) for _ in range(20)) < 0.05


def test_a_request_that_waits_too_long_gets_the_timeout_of_the_runtime(tmp_path, monkeypatch):
    monkeypatch.setattr(invocations, "TIMEOUT_S", 0.05)  # AWS's are 60 s
    kernel = Kernel(Workspace(tmp_path, Credentials("id", "secret")), "http://127.0.0.1")
    deployments = Deployments(kernel, Store(kernel))
    linear = {"predictor_type": "regressor", "weights": [[1.0]], "bias": [0.0]}
    container = LinearContainer({"model_algo-1": json.dumps(linear).encode()})
    running = Running(Variant("v1", "m", 1.0, 1, "ml.m5.large", 1.0, 1), container, "c")
    running.pace(0.04)
    deployments.fleets["us-east-1", "e"] = Fleet([running])
    metrics = InvocationMetrics(kernel)
    asked = Call(
        "sagemaker", "InvokeEndpoint", "us-east-1", "123456789012", Principal("arn"), "POST", "/", "",
        {"content-type": "text/csv"}, b"7", {"EndpointName": "e"},
    )  # fmt: skip
    runtime = invocations.Invocations(kernel, deployments, metrics, Capture(kernel))

    async def two():
        return await asyncio.gather(runtime.invoke(asked), runtime.invoke(asked), return_exceptions=True)

    first, second = asyncio.run(two())
    assert json.loads(first.body) == {"predictions": [{"score": 7.0}]}
    assert (second.code, second.status, second.extra["OriginalStatusCode"]) == ("ModelError", 424, 0)
    assert second.message.startswith(
        'Received server error (0) from primary with message "Your invocation timed out while waiting for a response '
        "from container primary. Review the latency metrics"
    )
    assert sum(entry.server_errors for entry in metrics.gathered.values()) == 1
