"""`python -m benchmarks.chaos [--kills 100] [--seed 0] [--minutes 60]`: kill -9 under load, and what was lost."""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.chaos.run import run
from benchmarks.machine import description

KINDS = {
    "lost": "acknowledged changes, records, messages, events or jobs lost",
    "twice": "metric values or log events that count twice",
    "torn": "objects or resources torn",
    "unreadable": "state unreadable",
    "serving": "endpoints that did not serve again",
    "left": "processes left behind",
    "error": "calls refused without need",
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.chaos", description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="the workspace to use, kept afterwards")
    parser.add_argument("--minutes", type=float, default=24 * 60, help="no more kills after so long")
    options = parser.parse_args()
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="chaos-", ignore_cleanup_errors=True) as folder:
        result = run(
            options.keep or Path(folder),
            options.kills,
            options.seed,
            lambda line: print(line, flush=True),
            until=started + 60 * options.minutes,
        )
    print(description())
    print(f"{result.kills} kills under load, {result.kills_while_starting} while starting", end="; ")
    print(f"{time.monotonic() - started:.0f} s in all, seed {options.seed}")
    print(
        f"acknowledged: {result.writes} changes, {result.jobs} training jobs, {result.tuning_jobs} tuning jobs", end=""
    )
    print("".join(f", {count} {path}" for path, count in result.sent.items()))
    print("changes:", ", ".join(f"{count} of {name}" for name, count in sorted(result.changes.items())))
    print(f"start to answering: median {sorted(result.starts_s)[len(result.starts_s) // 2]:.2f} s")
    for kind, words in KINDS.items():
        print(f"{words:<65} {result.count(kind)}")
    for problem in result.problems:
        print(problem)
    return 1 if result.problems else 0


if __name__ == "__main__":
    sys.exit(main())
