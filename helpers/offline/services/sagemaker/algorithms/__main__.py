"""Runs one training job: `python -m … <algorithm> <job directory>`, in a process without credentials."""

from __future__ import annotations

import contextlib
import importlib
import os
import re
import site
import sys
import threading
import traceback
from pathlib import Path

import helpers
from helpers.offline import confinement
from helpers.offline.services.sagemaker.algorithms.errors import CustomerError
from helpers.offline.services.sagemaker.algorithms.job_directory import JobDirectory, say

PROGRAMS = {"xgboost": "xgboost_job", "linear-learner": "linear_learner", "knn": "nearest_neighbors"}


def main(algorithm: str, directory: str) -> int:
    job = JobDirectory(Path(directory))
    join_the_other_hosts(job)
    confine(job)
    threading.Thread(target=_end_with_the_server, daemon=True).start()
    return run(algorithm, job)


def join_the_other_hosts(job: JobDirectory) -> None:
    """Several hosts have a network of their own: xgboost's workers listen on all of its interfaces."""
    hosts = sorted(job.resources["hosts"])
    if sys.platform == "linux" and len(hosts) > 1:
        from helpers.offline import private_network

        is_first = job.resources["current_host"] == hosts[0]
        private_network.share(job.shared / "network", is_first=is_first)


def confine(job: JobDirectory) -> None:
    """Before anything else: this process sees the system, its Python, this package and its own directory, no more."""
    limits = {
        "RLIMIT_FSIZE": int(job.resources.get("volume_gb", 30)) << 30,
        "RLIMIT_NOFILE": 4096,
        "RLIMIT_CORE": 0,
        **confinement.processes(1024),
    }
    if hasattr(os, "sysconf"):
        limits["RLIMIT_AS"] = 2 * os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    confinement.limit(limits)
    confinement.confine(
        [sys.prefix, *site.getsitepackages(), str(Path(helpers.__file__).parent)], [str(job.shared), "/dev"]
    )


def run(algorithm: str, job: JobDirectory) -> int:
    """The exit code: 0; 1 for a failure of the algorithm; 2 for a mistake of the customer that it knows."""
    try:
        program = importlib.import_module(f"{__package__}.{PROGRAMS[algorithm]}")
        return program.main(job)
    except CustomerError as error:
        say(f"Customer Error: {error}")
        _leave_word(job, str(error))
        return 2
    except Exception as error:
        say(_failure(algorithm, error))
        _leave_word(job, _failure(algorithm, error))
        return 1


def _leave_word(job: JobDirectory, text: str) -> None:
    """On a full disk there is no room for it: then the log alone tells."""
    with contextlib.suppress(OSError):
        job.write_failure(text)


def _failure(algorithm: str, error: Exception) -> str:
    trace = "".join(traceback.format_exception(error))
    here = re.escape(str(Path(__file__).parents[5]) + os.sep)
    site = r"[^\"]*site-packages[/\\]"
    trace = re.sub(f'File "{here}', 'File "', trace)
    trace = re.sub(f'File "{site}', 'File "', trace)
    prefix = "framework error: \n" if algorithm == "xgboost" else ""
    return f"{prefix}{trace}\n{error}"


def _end_with_the_server() -> None:
    """The server holds the other end of stdin; when it is gone, so is this process."""
    while sys.stdin.buffer.raw.read(1):
        pass
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
