"""Start to the first answered call, and memory when idle, against moto's server."""

import tempfile
import time
from pathlib import Path

import psutil

from benchmarks.local_aws import LocalAws, client, command
from benchmarks.peers import free_port, python_of, running
from benchmarks.ratio import Ratio, in_turn, show

IDLE_MB = 220


def ours_s() -> float:
    import json

    with tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as folder:
        directory = Path(folder)
        started = time.perf_counter()
        aws = LocalAws(directory, json.loads(command("env", directory, "--json")))
        aws.client("s3").list_buckets()
        seconds = time.perf_counter() - started
        command("stop", directory)
        return seconds


def theirs_s() -> float:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    started = time.perf_counter()
    with running([python_of("moto").parent / "moto_server", "-p", str(port)], url + "/moto-api/"):
        client("s3", url).list_buckets()
        return time.perf_counter() - started


def idle_mb() -> float:
    """Resident memory of the server and its children, after one call to each of the course's services."""
    import json

    with tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as folder:
        directory = Path(folder)
        aws = LocalAws(directory, json.loads(command("env", directory, "--json")))
        aws.client("s3").list_buckets()
        aws.client("sns").list_topics()
        aws.client("sagemaker").list_endpoints()
        process = psutil.Process(json.loads((directory / "offline.json").read_text())["pid"])
        family = [process, *process.children(recursive=True)]
        resident = sum(member.memory_info().rss for member in family) / 2**20
        command("stop", directory)
        return resident


def main() -> None:
    python_of("moto")
    ours_s(), theirs_s()  # each once with nothing cached
    seconds = in_turn([ours_s, theirs_s], 7)
    resident = idle_mb()
    show(
        "Start and rest",
        [
            Ratio("start to the first answered call", "moto 5.2.5's server", *seconds, "s", 1.5, False),
            Ratio("idle memory, all processes", "a budget", resident, IDLE_MB, "MB", 1, False),
        ],
    )


if __name__ == "__main__":
    main()
