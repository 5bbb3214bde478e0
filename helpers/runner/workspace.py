"""A workspace of the run's own, so that a learner's work in .workshop is never touched."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

PARTICIPANT = "amber-falcon"  # the alias in the stored outputs
NEEDED_MB = 300  # samples, models and logs of the four labs


class RunError(Exception):
    """The run cannot begin; the text says why and what to do."""


def offline_command(command: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "helpers.offline", command], capture_output=True, text=True, stdin=subprocess.DEVNULL
    )


@contextmanager
def alone_in(directory: Path) -> Iterator[None]:
    """Refuse a second run in the same directory while the block runs; a killed run leaves no lock behind."""
    lock = FileLock(directory.with_name(f".{directory.name}.lock"))
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout:
        raise RunError(
            f"The labs are being run in {directory} already: wait for the end, or name another --out."
        ) from None
    except OSError as error:
        raise RunError(
            f"The labs write to {directory.parent}, and that failed ({error.strerror}): make it writable, or "
            "name another folder with --out."
        ) from error
    try:
        yield
    finally:
        lock.release()


@contextmanager
def fresh_workspace(directory: Path) -> Iterator[Path]:
    """An empty offline AWS in `directory` while the block runs; what an interrupted run left there is removed first.

    Raises
    ------
    RunError
        If the directory cannot be written, another run is using it, or the offline AWS does not start.
    """
    directory = directory.resolve()  # the notebooks run in another folder
    with alone_in(directory):
        yield from _emptied(directory)


def build_what_comes_before(lab: int) -> None:
    """Make in the present workspace what the labs before this one leave, as their learner would find it.

    Raises
    ------
    RunError
        If that fails; the text is its last line.
    """
    code = f"from helpers import workshop; workshop.connect(lab={lab})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode:
        raise RunError(f"What lab {lab} needs could not be built: {done.stderr.strip().splitlines()[-1]}")


def _emptied(directory: Path) -> Iterator[Path]:
    os.environ |= {
        "WORKSHOP_MODE": "offline",
        "WORKSHOP_DIR": str(directory),
        "WORKSHOP_PARTICIPANT": PARTICIPANT,
        "WORKSHOP_REGION": "us-east-1",
        # A proxy or an AWS profile of this machine has no say in an offline run.
        "NO_PROXY": "127.0.0.1,localhost",
    }
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    if directory.exists():
        offline_command("stop")
    try:
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(parents=True, exist_ok=True)
        free_mb = shutil.disk_usage(directory).free // 2**20
    except OSError as error:
        raise RunError(
            f"The labs write to {directory}, and that failed ({error.strerror}): make it writable, or "
            "name another folder with --out."
        ) from error
    if free_mb < NEEDED_MB:
        raise RunError(
            f"The labs need {NEEDED_MB} MB of disk space, and {directory} has {free_mb} MB left: make room there, or "
            "name another folder with --out."
        )
    try:
        started = offline_command("start")
        if started.returncode != 0:
            raise RunError((started.stderr or started.stdout).strip() or "The offline AWS did not start.")
        yield directory
    finally:
        offline_command("stop")
