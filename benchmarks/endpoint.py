"""InvokeEndpoint of one row: median latency and requests a second, against `mlflow models serve` of the same model."""

import json
import subprocess
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import requests

from benchmarks.local_aws import local_aws
from benchmarks.models import csv_line, deploy, role, rows, trained
from benchmarks.peers import free_port, python_of, running
from benchmarks.ratio import Ratio, percentile, show

CALLS, CLIENTS = 600, 8
SAVE = """
import sys, xgboost, mlflow.xgboost
booster = xgboost.Booster(); booster.load_model(sys.argv[1])
mlflow.xgboost.save_model(booster, sys.argv[2])
"""


def measured(make_caller) -> tuple[float, float]:
    """(p50 in ms of one client, requests a second of eight)."""
    call = make_caller()
    for _ in range(50):
        call()
    times = []
    for _ in range(CALLS):
        started = time.perf_counter()
        call()
        times.append((time.perf_counter() - started) * 1e3)

    def many(_: int) -> None:
        mine = make_caller()
        for _ in range(CALLS // CLIENTS):
            mine()

    started = time.perf_counter()
    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(many, range(CLIENTS)))
    return percentile(times, 50), CALLS // CLIENTS * CLIENTS / (time.perf_counter() - started)


def main() -> None:
    row = rows(1, seed=7)[0][0]
    with tempfile.TemporaryDirectory() as folder, local_aws() as aws:
        folder = Path(folder)
        booster = trained()
        deploy(aws, booster, role(aws.client("iam")), folder)
        port = free_port()
        python = python_of("mlflow")
        subprocess.run([python, "-c", SAVE, folder / "model.ubj", folder / "mlflow"], check=True, capture_output=True)
        command = [
            python,
            "-m",
            "mlflow",
            "models",
            "serve",
            "-m",
            folder / "mlflow",
            "-p",
            port,
            "--env-manager",
            "local",
        ]
        with running(command, f"http://127.0.0.1:{port}/ping", {"PATH": f"{python.parent}:/usr/bin:/bin"}):
            body = json.dumps({"inputs": [row.tolist()]})

            def ours():
                runtime = aws.client("sagemaker-runtime")
                return lambda: runtime.invoke_endpoint(
                    EndpointName="bench", ContentType="text/csv", Body=csv_line(row)
                )["Body"].read()

            def theirs():
                session = requests.Session()

                def call():
                    answer = session.post(
                        f"http://127.0.0.1:{port}/invocations", data=body, headers={"Content-Type": "application/json"}
                    )
                    answer.raise_for_status()

                return call

            our_p50, our_rate = measured(ours)
            their_p50, their_rate = measured(theirs)
    show(
        "One row to an endpoint",
        [
            Ratio("InvokeEndpoint with boto3, p50", "mlflow models serve", our_p50, their_p50, "ms", 0.5, False),
            Ratio(f"requests with {CLIENTS} clients", "mlflow models serve", our_rate, their_rate, "/s", 2, True),
        ],
        ["Our side pays for boto3's signing and parsing; the peer is asked with plain HTTP."],
    )


if __name__ == "__main__":
    main()
