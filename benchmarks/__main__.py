"""Run the benchmarks named, or all that have a line in the table of docs/performance.md."""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time

from benchmarks.machine import description
from benchmarks.ratio import RESULTS, as_markdown

BENCHMARKS = {
    "messages": "SNS PublishBatch to Firehose to S3, against moto's server and a server that answers with a constant",
    "live_inference": "HTTP to API Gateway to Lambda to an endpoint, against another emulator's API Gateway and Lambda",
    "cold_start": "a Lambda function's first answer, against the same handler in a fresh Python",
    "endpoint": "InvokeEndpoint, against `mlflow models serve` of the same model",
    "training": "a training job of 1,500,000 rows, against xgboost.train",
    "start": "start-up and idle memory, against moto's server",
    "classroom": "thirty learners on one server",
}
BY_NAME = {
    "story": "the leaderboard's lesson over ten seeds of the world",
    "world": "2,000,000 samples to a file; edge compute on one core",
    "drift": "drift, alarm and retraining over ten seeds of the world",
    "chaos": "the offline AWS killed under load: what was acknowledged and lost",
    "arena_load": "two hundred participants in one arena, some of them broken",
}
LIMIT_S = 900.0  # of one benchmark, the installation of its peer included


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help="which to run (default: those of the table)")
    parser.add_argument("--list", action="store_true", help="name the benchmarks and stop")
    parser.add_argument("--markdown", action="store_true", help="at the end, the table as docs/performance.md has it")
    options = parser.parse_args()
    if options.list:
        print("\n".join(f"{name:<15} {what}" for name, what in BENCHMARKS.items()))
        print("\nonly by name:")
        print("\n".join(f"{name:<15} {what}" for name, what in BY_NAME.items()))
        return 0
    known = BENCHMARKS | BY_NAME
    unknown = [name for name in options.names if name not in known]
    if unknown:
        print(f"There is no benchmark {unknown[0]}; there are: {', '.join(known)}.", file=sys.stderr)
        return 2
    print(description())
    with tempfile.NamedTemporaryFile("r") as results:
        names = options.names or list(BENCHMARKS)
        failed = [name for name in names if not run(name, known[name], results.name)]
        if options.markdown:
            print(f"\n{description()}\n\n{as_markdown(results.read())}")
    if failed:
        print(f"\nNot finished: {', '.join(failed)}.", file=sys.stderr)
    return 1 if failed else 0


def run(name: str, what: str, results: str) -> bool:
    """In a process of its own, so that none inherits another's memory and threads."""
    print(f"\n{name}: {what}", flush=True)
    begun = time.monotonic()
    process = subprocess.Popen([sys.executable, "-m", f"benchmarks.{name}"], env=os.environ | {RESULTS: results})
    try:
        code = process.wait(None if name in BY_NAME else LIMIT_S)
    except subprocess.TimeoutExpired:
        print(f"{name} took longer than {LIMIT_S:.0f} s.", file=sys.stderr)
        process.send_signal(signal.SIGINT)  # it stops its servers, as with Ctrl+C
        try:
            code = process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            code = process.wait()
    print(f"({time.monotonic() - begun:.0f} s)", flush=True)
    return code == 0


if __name__ == "__main__":
    sys.exit(main())
