"""HTTP GET to API Gateway to a warm Lambda to InvokeEndpoint, against ministack's API Gateway and Lambda alone."""

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import requests

from benchmarks.functions import create, rest_api
from benchmarks.local_aws import client, local_aws
from benchmarks.models import csv_line, deploy, role, rows, trained
from benchmarks.peers import free_port, python_of, running
from benchmarks.ratio import Ratio, blocks_in_turn, percentile, show

CALLS, BLOCKS = 100, 10  # so many requests to each server in turn, so many times
ASKING = """
import boto3
runtime = boto3.client("sagemaker-runtime")

def handler(event, context):
    features = event["queryStringParameters"]["features"]
    answer = runtime.invoke_endpoint(EndpointName="bench", ContentType="text/csv", Body=features)
    return {"statusCode": 200, "body": answer["Body"].read().decode()}
"""
ANSWERING = """
def handler(event, context):
    return {"statusCode": 200, "body": event["queryStringParameters"]["features"]}
"""


def caller(url: str, features: str) -> Callable[[], list[float]]:
    """Gives the latencies in ms of CALLS requests over one kept connection, after some to warm up."""
    session = requests.Session()

    def call() -> float:
        started = time.perf_counter()
        answer = session.get(url, params={"features": features})
        answer.raise_for_status()
        return (time.perf_counter() - started) * 1e3

    for _ in range(50):
        call()
    return lambda: [call() for _ in range(CALLS)]


@contextmanager
def ministack() -> Iterator[str]:
    """Its API with a warm function behind; yields the URL."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    environment = {"GATEWAY_PORT": str(port), "BIND_HOST": "127.0.0.1", "IOT_MTLS_ENABLED": "0", "SFTP_ENABLED": "0"}
    with running([python_of("ministack").parent / "ministack"], url, environment):
        functions = client("lambda", url)
        role_arn = role(client("iam", url))
        arn = create(functions, "answering", ANSWERING, role_arn)
        api = rest_api(client("apigateway", url), functions, arn, "000000000000")
        yield f"{url}/restapis/{api}/live/_user_request_/ask"


def main() -> None:
    features = csv_line(rows(1, seed=7)[0][0])
    with tempfile.TemporaryDirectory() as folder, local_aws() as aws, ministack() as their_url:
        role_arn = role(aws.client("iam"))
        deploy(aws, trained(), role_arn, Path(folder))
        arn = create(aws.client("lambda"), "asking", ASKING, role_arn)
        api = rest_api(aws.client("apigateway"), aws.client("lambda"), arn, "123456789012")
        our_url = f"{aws.url}/restapis/{api}/live/_user_request_/ask"
        ours, theirs = blocks_in_turn([caller(our_url, features), caller(their_url, features)], BLOCKS)
    their_p50 = percentile(theirs, 50)
    peer = "ministack 1.5.33, API Gateway and Lambda alone, p50"
    show(
        "A live inference over HTTP",
        [
            Ratio(
                "HTTP GET, API Gateway, warm Lambda, InvokeEndpoint, XGBoost: p50",
                peer,
                percentile(ours, 50),
                their_p50,
                "ms",
                1 / 8,
                False,
            ),
            Ratio("the same: p99", peer, percentile(ours, 99), their_p50, "ms", 1 / 8, False),
        ],
        [f"{len(ours):,} requests each. The p99 of ministack: {percentile(theirs, 99):.1f} ms."],
    )


if __name__ == "__main__":
    main()
