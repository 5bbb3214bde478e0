"""`python -m benchmarks [name …]`: run the benchmarks named, or all of them; `--list` names them."""

import argparse
import subprocess
import sys

from benchmarks.machine import description

BENCHMARKS = {
    "messages": "SNS PublishBatch to Firehose to S3, against moto's server and a server that answers with a constant",
    "live_inference": "HTTP to API Gateway to Lambda to an endpoint, against another emulator's API Gateway and Lambda",
    "cold_start": "a Lambda function's first answer, against the same handler in a fresh Python",
    "endpoint": "InvokeEndpoint, against `mlflow models serve` of the same model",
    "training": "a training job of 1,500,000 rows, against xgboost.train",
    "start": "start-up and idle memory, against moto's server",
    "classroom": "thirty learners on one server",
    "story": "the leaderboard's lesson over ten seeds of the world",
    "world": "2,000,000 samples to a file; edge compute on one core",
    "drift": "drift, alarm and retraining over ten seeds of the world",
    "arena_load": "two hundred participants in one arena, some of them broken",
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help="which to run (all of them without a name)")
    parser.add_argument("--list", action="store_true", help="name the benchmarks and stop")
    options = parser.parse_args()
    if options.list:
        print("\n".join(f"{name:<15} {what}" for name, what in BENCHMARKS.items()))
        return 0
    unknown = [name for name in options.names if name not in BENCHMARKS]
    if unknown:
        print(f"There is no benchmark {unknown[0]}; there are: {', '.join(BENCHMARKS)}.", file=sys.stderr)
        return 2
    print(description())
    failed = 0
    for name in options.names or BENCHMARKS:
        print(f"\n{name}: {BENCHMARKS[name]}", flush=True)
        failed += subprocess.run([sys.executable, "-m", f"benchmarks.{name}"]).returncode != 0
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
