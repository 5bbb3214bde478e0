"""The simulated world's speed: 2,000,000 samples to a file, and edge compute's steadiness on one core.

    python -m benchmarks.world [--rows 2000000] [--seconds 10]

Samples: wall time, CPU time and peak memory of `python -m helpers.fulfillment generate` (limits: 15 s and 2 GiB on two
cores). Edge compute: in a process pinned to one core, real time, a stand-in for SNS that takes every batch; the rate
between the first and the last second (limit: within 1 %), how far it ever lagged behind its schedule, and CPU seconds
per second.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from helpers.fulfillment import EdgeCompute
from helpers.fulfillment.clock import RealTime

RATES = (1, 10, 100, 500, 1000, 2000)


class Sink:
    """Takes what SNS takes."""

    def publish_batch(self, *, TopicArn, PublishBatchRequestEntries):
        return {"Successful": [], "Failed": []}


class Watched(RealTime):
    """Remembers when each interaction had begun: whoever waits has just begun all that was due."""

    def __init__(self):
        super().__init__()
        self.marks, self.started = [], lambda: 0

    def wait(self, seconds, stop):
        started = self.started()
        if not self.marks or started > self.marks[-1][1]:
            self.marks.append((self.now_s(), started))
        super().wait(seconds, stop)


def generated(rows, name):
    """Wall seconds, CPU seconds, peak MB, file MB of one `generate`."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / name
        begun = time.perf_counter()
        command = [sys.executable, "-m", "helpers.fulfillment", "generate", "--rows", str(rows), "--out", str(out)]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - begun
        if status:
            raise SystemExit(f"{' '.join(command)} ended with {status}")
        return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, out.stat().st_size / 1e6


def steadiness(rate, seconds):
    """Rate over the run against the one asked for, largest lag in ms, CPU seconds per second."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    clock = Watched()
    edge = EdgeCompute(rate=rate, sns=Sink(), topic_arn="topic", clock=clock)
    clock.started = lambda: edge.counts["started"]
    cpu, begun = time.process_time(), time.perf_counter()
    edge.run(seconds)
    cpu, marks = (time.process_time() - cpu) / (time.perf_counter() - begun), clock.marks
    (first_s, first), (last_s, last) = marks[0], marks[-1]
    lag_s = max(at_s - (started - 1) / rate for at_s, started in marks)
    return {"rate": (last - first) / (last_s - first_s) / rate, "lag_ms": 1000 * lag_s, "cpu": cpu}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--rate", type=float, help=argparse.SUPPRESS)  # one rate, in a process of its own
    options = parser.parse_args()
    if options.rate:
        return print(json.dumps(steadiness(options.rate, options.seconds)))
    console = Console(width=120)
    table = Table("file", "wall", "CPU", "peak memory", "size", title=f"{options.rows:,} samples")
    for name in ("a.parquet", "a.csv"):
        wall, cpu, memory, size = generated(options.rows, name)
        table.add_row(name[2:], f"{wall:.1f} s", f"{cpu:.1f} s", f"{memory:.0f} MiB", f"{size:.0f} MB")
    console.print(table)
    table = Table("rate asked for", "rate", "largest lag", "CPU", title=f"edge compute, {options.seconds:.0f} s each")
    for rate in RATES:
        seconds = max(options.seconds, 20 / rate)
        command = [sys.executable, "-m", "benchmarks.world", "--rate", str(rate), "--seconds", str(seconds)]
        found = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        cells = f"{100 * (found['rate'] - 1):+.2f} %", f"{found['lag_ms']:.0f} ms", f"{found['cpu']:.2f} s per s"
        table.add_row(f"{rate:,} a second", *cells)
    console.print(table)


if __name__ == "__main__":
    main()
