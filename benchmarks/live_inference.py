"""HTTP GET to API Gateway to a warm Lambda to InvokeEndpoint, against ministack's API Gateway and Lambda alone."""

import tempfile
import time
from pathlib import Path

import requests

from benchmarks.functions import create, rest_api
from benchmarks.local_aws import client, local_aws
from benchmarks.models import csv_line, deploy, role, rows, trained
from benchmarks.peers import free_port, python_of, running
from benchmarks.ratio import Ratio, percentile, show

CALLS = 500
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


def latencies_ms(url: str, features: str) -> list[float]:
    session = requests.Session()
    times = []
    for number in range(CALLS + 50):
        started = time.perf_counter()
        answer = session.get(url, params={"features": features})
        answer.raise_for_status()
        if number >= 50:
            times.append((time.perf_counter() - started) * 1e3)
    return times


def ministack_ms(features: str) -> list[float]:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    environment = {"GATEWAY_PORT": str(port), "BIND_HOST": "127.0.0.1", "IOT_MTLS_ENABLED": "0", "SFTP_ENABLED": "0"}
    with running([python_of("ministack").parent / "ministack"], url, environment):
        functions = client("lambda", url)
        role_arn = role(client("iam", url))
        arn = create(functions, "answering", ANSWERING, role_arn)
        api = rest_api(client("apigateway", url), functions, arn, "000000000000")
        return latencies_ms(f"{url}/restapis/{api}/live/_user_request_/ask", features)


def main() -> None:
    features = csv_line(rows(1, seed=7)[0][0])
    with tempfile.TemporaryDirectory() as folder, local_aws() as aws:
        role_arn = role(aws.client("iam"))
        deploy(aws, trained(), role_arn, Path(folder))
        arn = create(aws.client("lambda"), "asking", ASKING, role_arn)
        api = rest_api(aws.client("apigateway"), aws.client("lambda"), arn, "123456789012")
        ours = latencies_ms(f"{aws.url}/restapis/{api}/live/_user_request_/ask", features)
        theirs = ministack_ms(features)
    show(
        "A live inference over HTTP",
        [
            Ratio(
                "API Gateway, Lambda, endpoint: p50",
                "ministack, without an endpoint",
                percentile(ours, 50),
                percentile(theirs, 50),
                "ms",
                1 / 8,
                False,
            ),
            Ratio(
                "the same: p99",
                "ministack, without an endpoint",
                percentile(ours, 99),
                percentile(theirs, 99),
                "ms",
                1 / 8,
                False,
            ),
        ],
    )


if __name__ == "__main__":
    main()
