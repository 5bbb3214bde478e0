"""Runs one training job: `python -m … <algorithm> <job directory>`, in a process without credentials."""

from __future__ import annotations

import importlib
import os
import re
import sys
import threading
import traceback
from pathlib import Path

from helpers.offline.services.sagemaker.algorithms.errors import CustomerError
from helpers.offline.services.sagemaker.algorithms.job_directory import JobDirectory, say

PROGRAMS = {"xgboost": "xgboost_job", "linear-learner": "linear_learner", "knn": "nearest_neighbors"}


def main(algorithm: str, directory: str) -> int:
    threading.Thread(target=_end_with_the_server, daemon=True).start()
    return run(algorithm, JobDirectory(Path(directory)))


def run(algorithm: str, job: JobDirectory) -> int:
    """The exit code: 0; 1 for a failure of the algorithm; 2 for a mistake of the customer that it knows."""
    try:
        program = importlib.import_module(f"{__package__}.{PROGRAMS[algorithm]}")
        return program.main(job)
    except CustomerError as error:
        say(f"Customer Error: {error}")
        job.write_failure(str(error))
        return 2
    except Exception as error:
        job.write_failure(_failure(algorithm, error))
        say(_failure(algorithm, error))
        return 1


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
