"""InvokeEndpoint of one row: median latency and requests a second, against `mlflow models serve` of the same model.

Both are asked by the same HTTP client over a kept connection; ours gets a signature with every request, as on AWS.
What boto3 adds to that is shown beside.
"""

import json
import multiprocessing
import os
import subprocess
import tempfile
import time
from collections.abc import Callable
from http.client import HTTPConnection
from pathlib import Path

from botocore.credentials import Credentials

from benchmarks.local_aws import LocalAws, local_aws
from benchmarks.models import csv_line, deploy, role, rows, trained
from benchmarks.peers import free_port, python_of, running
from benchmarks.ratio import Ratio, blocks_in_turn, in_turn, percentile, show
from benchmarks.signed import SignedClient, post

CALLS, BLOCKS = 100, 8  # of one client: so many calls of each server in turn, so many times
CLIENTS, SECONDS, ROUNDS = 8, 3.0, 3
SAVE = """
import sys, xgboost, mlflow.xgboost
booster = xgboost.Booster(); booster.load_model(sys.argv[1])
mlflow.xgboost.save_model(booster, sys.argv[2])
"""
Call = Callable[[], object]


def signed_caller(aws: LocalAws, line: str) -> Call:
    keys = aws.environment
    credentials = Credentials(keys["AWS_ACCESS_KEY_ID"], keys["AWS_SECRET_ACCESS_KEY"])
    client = SignedClient(aws.url, credentials, "sagemaker", "us-east-1")
    return lambda: client.post("/endpoints/bench/invocations", line.encode(), "text/csv")


def boto3_caller(aws: LocalAws, line: str) -> Call:
    runtime = aws.client("sagemaker-runtime")
    return lambda: runtime.invoke_endpoint(EndpointName="bench", ContentType="text/csv", Body=line)["Body"].read()


def mlflow_caller(port: int, line: str) -> Call:
    connection = HTTPConnection("127.0.0.1", port)
    body = json.dumps({"inputs": [[float(cell) for cell in line.split(",")]]}).encode()
    return lambda: post(connection, "/invocations", body, {"Content-Type": "application/json"})


def times_ms(call: Call) -> list[float]:
    times = []
    for _ in range(CALLS):
        started = time.perf_counter()
        call()
        times.append((time.perf_counter() - started) * 1e3)
    return times


def calls_per_second(make_caller: Callable[..., Call], *arguments: object) -> float:
    """Of CLIENTS processes that ask as fast as they can for SECONDS."""
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(CLIENTS + 1)
    counts = context.Queue()
    clients = [
        context.Process(target=ask_in_a_loop, args=(make_caller, arguments, barrier, counts), daemon=True)
        for _ in range(CLIENTS)
    ]
    for client in clients:
        client.start()
    barrier.wait(60)
    total = sum(counts.get(timeout=60) for _ in clients)
    for client in clients:
        client.join()
    return total / SECONDS


def ask_in_a_loop(make_caller, arguments, barrier, counts) -> None:
    call = make_caller(*arguments)
    for _ in range(10):
        call()
    barrier.wait(60)
    end = time.perf_counter() + SECONDS
    count = 0
    while time.perf_counter() < end:
        call()
        count += 1
    counts.put(count)


def main() -> None:
    line = csv_line(rows(1, seed=7)[0][0])
    with tempfile.TemporaryDirectory() as folder, local_aws() as aws:
        folder = Path(folder)
        booster = trained()
        deploy(aws, booster, role(aws.client("iam")), folder)
        port = free_port()
        python = python_of("mlflow")
        subprocess.run([python, "-c", SAVE, folder / "model.ubj", folder / "mlflow"], check=True, capture_output=True)
        serve = ["-m", "mlflow", "models", "serve", "-m", folder / "mlflow", "-p", port, "--env-manager", "local"]
        path = {"PATH": f"{python.parent}{os.pathsep}{os.defpath}"}
        with running([python, *serve], f"http://127.0.0.1:{port}/ping", path):
            callers = [signed_caller(aws, line), mlflow_caller(port, line), boto3_caller(aws, line)]
            for call in callers:
                for _ in range(50):
                    call()
            measures = [lambda call=call: times_ms(call) for call in callers]
            ours, theirs, with_boto3 = (percentile(times, 50) for times in blocks_in_turn(measures, BLOCKS))
            our_rate, their_rate = in_turn(
                [
                    lambda: calls_per_second(signed_caller, aws, line),
                    lambda: calls_per_second(mlflow_caller, port, line),
                ],
                ROUNDS,
            )
    mlflow = "`mlflow models serve`, the same HTTP client"
    show(
        "One row to an endpoint",
        [
            Ratio("InvokeEndpoint, one row, signed: p50", mlflow, ours, theirs, "ms", 0.5, False),
            Ratio("the same with boto3: p50", mlflow, with_boto3, theirs, "ms", None, False),
            Ratio(f"{CLIENTS} client processes", mlflow, our_rate, their_rate, "/s", 2, True),
        ],
    )


if __name__ == "__main__":
    main()
