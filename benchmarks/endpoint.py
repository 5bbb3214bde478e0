"""InvokeEndpoint of one row: median latency and requests a second, against `mlflow models serve` of the same model.

Both are asked by the same HTTP client over a kept connection; ours gets a signature with every request, as on AWS.
What boto3 adds to that is shown beside.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from benchmarks.asking import caller
from benchmarks.local_aws import LocalAws, local_aws
from benchmarks.models import csv_line, deploy, role, rows, trained
from benchmarks.peers import free_port, python_of, running
from benchmarks.ratio import Ratio, blocks_in_turn, in_turn, percentile, show

CALLS, BLOCKS = 100, 8  # of one client: so many calls of each server in turn, so many times
CLIENTS, SECONDS, ROUNDS = 8, 3.0, 3
SAVE = """
import sys, xgboost, mlflow.xgboost
booster = xgboost.Booster(); booster.load_model(sys.argv[1])
mlflow.xgboost.save_model(booster, sys.argv[2])
"""
Call = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, and where. `keys`, the access key id and its secret, sign it."""

    url: str
    content_type: str
    body: str
    keys: tuple[str, str] | None = None

    def caller(self) -> Call:
        return caller(self.url, self.content_type, self.body.encode(), self.keys)


def boto3_caller(aws: LocalAws, line: str) -> Call:
    runtime = aws.client("sagemaker-runtime")
    return lambda: runtime.invoke_endpoint(EndpointName="bench", ContentType="text/csv", Body=line)["Body"].read()


def times_ms(call: Call) -> list[float]:
    times = []
    for _ in range(CALLS):
        started = time.perf_counter()
        call()
        times.append((time.perf_counter() - started) * 1e3)
    return times


def calls_per_second(question: Question) -> float:
    """Of CLIENTS processes that ask as fast as they can for SECONDS."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    environment["BENCHMARK_BODY"] = question.body
    if question.keys is not None:
        environment["AWS_ACCESS_KEY_ID"], environment["AWS_SECRET_ACCESS_KEY"] = question.keys
    command = [sys.executable, "-m", "benchmarks.asking", question.url, question.content_type, str(SECONDS)]
    with ExitStack() as stack:
        clients = []
        for _ in range(CLIENTS):
            pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
            client = stack.enter_context(subprocess.Popen(command, env=environment, **pipes))
            stack.callback(client.kill)
            clients.append(client)
        for client in clients:
            if client.stdout.readline().strip() != "ready":
                raise RuntimeError("A client could not ask.")
        for client in clients:
            client.stdin.write("go\n")
            client.stdin.flush()
        return sum(int(client.stdout.readline()) for client in clients) / SECONDS


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
            keys = aws.environment["AWS_ACCESS_KEY_ID"], aws.environment["AWS_SECRET_ACCESS_KEY"]
            signed = Question(f"{aws.url}/endpoints/bench/invocations", "text/csv", line, keys)
            inputs = json.dumps({"inputs": [[float(cell) for cell in line.split(",")]]})
            plain = Question(f"http://127.0.0.1:{port}/invocations", "application/json", inputs)
            callers = [signed.caller(), plain.caller(), boto3_caller(aws, line)]
            for call in callers:
                for _ in range(50):
                    call()
            measures = [lambda call=call: times_ms(call) for call in callers]
            ours, theirs, with_boto3 = (percentile(times, 50) for times in blocks_in_turn(measures, BLOCKS))
            rates = [lambda: calls_per_second(signed), lambda: calls_per_second(plain)]
            our_rate, their_rate = in_turn(rates, ROUNDS)
    mlflow = "mlflow 3.17.2, `models serve`, the same HTTP client"
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
