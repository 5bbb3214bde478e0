"""The server as a process: starting it once per workspace, finding it again, stopping it. Imports nothing heavy."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import filelock

from helpers.offline import damage
from helpers.offline.state_file import (
    LARGEST_PORT,
    OfflineError,
    State,
    log_path,
    new_state,
    read_state,
    state_path,
    state_to_begin_with,
    workspace_directory,
    write_state,
)

if TYPE_CHECKING:
    import psutil

__all__ = [
    "LARGEST_PORT",
    "OfflineError",
    "State",
    "log_path",
    "new_state",
    "read_state",
    "state_path",
    "state_to_begin_with",
    "workspace_directory",
    "write_state",
]

# What the offline AWS makes in its directory, and `reset` therefore deletes; the keys, the log and whatever else lies
# there (the participant's name, the arena) stay.
FOLDERS = ("state", "objects", "uploads", "firehose", "functions", "sagemaker", damage.DIRECTORY)
WIPED_BY_RESET = (*FOLDERS, "aws-config", "aws-credentials", "sagemaker.yaml")
START_TIMEOUT_S = 60.0
LOCK_TIMEOUT_S = 90.0
HANGING_S = 20.0
STOP_TIMEOUT_S = 30.0
IDLE_HOURS = 12.0


def proof(secret: str, message: str) -> str:
    """What only one who knows the workspace's secret can say."""
    return hmac.new(secret.encode(), message.encode(), hashlib.sha256).hexdigest()


def start(directory: Path, *, port: int | None = None, idle_hours: float | None = None) -> State:
    """Starts this workspace's server, or finds it; returns once it answers.

    Says on standard error what of its kept state cannot be used. Raises OfflineError.
    """
    port, idle_hours = wanted_port(port), wanted_idle_hours(idle_hours)
    prepare_directory(directory)
    with _lock(directory):
        state = _settled_state(directory)
        if state and _answers_in_time(directory, state):
            return state
        before = _set_aside(directory)
        state = state_to_begin_with(directory)
        port = port or state.port
        write_state(directory, replace(state, pid=None, port=port))
        state = _spawn(directory, port, idle_hours)
        for folder in sorted(_set_aside(directory) - before):
            names = ", ".join(sorted(path.name for path in folder.iterdir()))
            print(
                f"What the offline AWS kept is damaged in part: see {log_path(directory)}. In {folder}: {names}.",
                file=sys.stderr,
            )
        return state


def _set_aside(directory: Path) -> set[Path]:
    """The folders of what could not be used."""
    return set((directory / damage.DIRECTORY).glob("*"))


def wanted_port(given: int | None) -> int | None:
    """The port asked for, by option or WORKSHOP_PORT; None if any will do (nothing, or 0). Raises OfflineError."""
    name, said = "--port", given
    if given is None:
        name, said = "WORKSHOP_PORT", os.environ.get("WORKSHOP_PORT", "").strip()
    try:
        port = int(said or 0)
    except ValueError:
        port = -1
    if not 0 <= port <= LARGEST_PORT:
        raise OfflineError(f"{name} is a port from 1 to {LARGEST_PORT}, or 0 for one that is free; got {said!r}.")
    return port or None


def wanted_idle_hours(given: float | None) -> float:
    """After how many hours without a request the server ends. Raises OfflineError."""
    name, said = "--idle-hours", given
    if given is None:
        name, said = "WORKSHOP_IDLE_HOURS", os.environ.get("WORKSHOP_IDLE_HOURS", "").strip()
    try:
        hours = float(said) if said != "" else IDLE_HOURS
    except ValueError:
        hours = -1.0
    if not hours > 0:
        raise OfflineError(f"{name} is a number of hours above 0, such as 12 or 0.5; got {said!r}.")
    return hours


def _answers_in_time(directory: Path, state: State) -> bool:
    """A busy server is waited for; one that hangs is ended, so that there is never a second one beside it."""
    deadline = time.monotonic() + HANGING_S
    while (process := server_process(directory, state)) is not None:
        if is_answering(state):
            return True
        if time.monotonic() > deadline:
            process.kill()
            process.wait(5)
            return False
        time.sleep(0.1)
    return False


def stop(directory: Path, timeout_s: float = STOP_TIMEOUT_S) -> bool:
    """Asks the server to flush and end; kills it when it does not. True if one was running."""
    if not state_path(directory).exists():
        return False
    with _lock(directory):
        return _stop(directory, timeout_s)


def _stop(directory: Path, timeout_s: float) -> bool:
    state = _settled_state(directory)
    if state is None or state.pid is None:
        return False
    process = server_process(directory, state)
    if process is not None:
        from http.client import HTTPException

        import psutil

        try:
            ask(state, "POST", "/_workshop/stop")
        except (OSError, HTTPException):
            process.terminate()
        try:
            process.wait(timeout_s)
        except psutil.TimeoutExpired:
            process.kill()
            process.wait(5)
    latest = read_state(directory)
    if latest and latest.pid is not None:
        with contextlib.suppress(OSError):  # a full disk: nobody takes a process that has ended for a server
            write_state(directory, replace(latest, pid=None))
    return process is not None


def reset(directory: Path) -> None:
    """Stops the server and wipes everything it kept; its keys, the log and what others put there stay.

    Nobody starts it in between. Raises OfflineError where the directory is not a workspace.
    """
    if not directory.exists():
        return
    if not state_path(directory).is_file():
        raise OfflineError(f"{directory} holds no offline AWS, so nothing in it was deleted.")
    with _lock(directory):
        _stop(directory, STOP_TIMEOUT_S)
        held = hold_workspace(directory)
        try:
            for name in WIPED_BY_RESET:
                target = directory / name
                if target.is_dir() and not target.is_symlink():
                    _remove_tree(target)
                else:
                    target.unlink(missing_ok=True)
        except OSError as error:
            raise OfflineError(
                f"{error.filename or directory} could not be deleted ({error.strerror}); what is left there is of no "
                "use, so delete it by hand, or make it writable and reset again."
            ) from error
        finally:
            held.release()


def _remove_tree(directory: Path) -> None:
    """Read-only folders included: an unpacked Lambda package is one. Raises OSError."""
    for folder, _, _ in os.walk(directory):
        with contextlib.suppress(OSError):
            os.chmod(folder, 0o700)
    shutil.rmtree(directory)


def status(directory: Path) -> dict[str, object]:
    """What the running server says about itself; `{"running": False}` if there is none. Raises OfflineError."""
    state = read_state(directory)
    if (state is None or state.pid is None) and is_held(directory):
        state = _settled_state(directory)
    if state is not None and is_answering(state):
        from http.client import HTTPException

        with contextlib.suppress(OSError, HTTPException):  # it ended in between
            return {"running": True, "directory": str(directory)} | json.loads(ask(state, "GET", "/_workshop/status"))
    return {"running": False, "directory": str(directory)}


def is_answering(state: State) -> bool:
    """Whether the process that the state names is there, answers, and knows the workspace's secret."""
    from http.client import HTTPException

    import psutil

    if state.pid is None or not psutil.pid_exists(state.pid):
        return False
    nonce = secrets.token_hex(8)
    try:
        answer = json.loads(ask(state, "GET", f"/_workshop/ping?{nonce}", timeout_s=5))
    except (OSError, ValueError, HTTPException):
        return False
    return hmac.compare_digest(answer.get("proof", ""), proof(state.secret_access_key, f"ping {nonce}"))


def server_process(directory: Path, state: State) -> psutil.Process | None:
    """The server's process, unless it is gone or its number now belongs to another.

    The lock says whether one serves this workspace, whatever the clock says: it is the system's, and ends with it.
    """
    if state.pid is None or not is_held(directory):
        return None
    import psutil

    try:
        process = psutil.Process(state.pid)
        if process.status() == psutil.STATUS_ZOMBIE or "helpers.offline" not in process.cmdline():
            return None
        return process
    except psutil.Error:
        return None


def is_held(directory: Path) -> bool:
    """Whether a server serves the workspace now. Raises OfflineError."""
    if not (directory / "server.lock").exists():
        return False
    lock = filelock.FileLock(directory / "server.lock")
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        return True
    except OSError as error:
        raise _cannot_write(directory, error) from error
    lock.release()
    return False


def _settled_state(directory: Path) -> State | None:
    """The state, once the server that holds the workspace, if there is one, has said in it which process it is.

    It may still be starting, or about to write a lost or damaged file anew. Raises OfflineError.
    """
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        state = read_state(directory)
        if not is_held(directory) or (state is not None and server_process(directory, state) is not None):
            return state
        time.sleep(0.1)
    raise OfflineError(
        f"An offline AWS runs in {directory} and does not say in offline.json which process it is: end that process "
        "(`python -m helpers.offline serve`), then start again."
    )


def ask(state: State, method: str, path: str, timeout_s: float = 30.0) -> bytes:
    """One request to the server's own interface, proved by the workspace's secret."""
    from http.client import HTTPConnection

    now = str(int(time.time()))
    connection = HTTPConnection("127.0.0.1", state.port, timeout=timeout_s)
    try:
        signature = proof(state.secret_access_key, f"{method} {path} {now}")
        connection.request(method, path, headers={"x-workshop-time": now, "x-workshop-proof": signature})
        response = connection.getresponse()
        body = response.read()
        if response.status != 200:
            raise OSError(f"{method} {path} answered {response.status}: {body[:200]!r}")
        return body
    finally:
        connection.close()


def prepare_directory(directory: Path) -> None:
    """Makes the workspace's directory and proves that it can be written to. Raises OfflineError."""
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise _cannot_write(directory, error) from error
    try:
        with tempfile.TemporaryFile(dir=directory) as file:
            file.write(b"x" * 4096)
            file.flush()
    except OSError as error:
        raise _cannot_write(directory, OSError(error.errno, error.strerror)) from error  # not the file's made-up name
    for name in FOLDERS:
        if os.path.lexists(directory / name) and not (directory / name).is_dir():
            raise OfflineError(
                f"{directory / name} is where the offline AWS keeps a folder, and is none: move it away and start."
            )


def _cannot_write(directory: Path, error: OSError) -> OfflineError:
    return OfflineError(
        f"The offline AWS cannot write to {error.filename or directory} ({error.strerror}): "
        "make room or make it writable, or set WORKSHOP_DIR to another directory."
    )


def _spawn(directory: Path, port: int, idle_hours: float) -> State:
    command = [sys.executable, "-m", "helpers.offline", "serve", "--port", str(port), "--idle-hours", str(idle_hours)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    environment |= {"WORKSHOP_DIR": str(directory), "PYTHONUNBUFFERED": "1"}
    log = log_path(directory)
    if log.exists() and log.stat().st_size > 5_000_000:
        log.replace(log.with_suffix(".log.1"))
    with open(log, "ab", opener=lambda path, flags: os.open(path, flags, 0o600)) as output:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=directory,
            env=environment | {"PYTHONPATH": _import_path()},
            start_new_session=True,
        )
    # What asks it is imported while it starts, and not before.
    import http.client  # noqa: F401

    import psutil  # noqa: F401

    deadline = time.monotonic() + START_TIMEOUT_S
    try:
        while time.monotonic() < deadline:
            state = read_state(directory)
            if state and state.pid == child.pid and is_answering(state):
                return state
            if child.poll() is not None:
                # What a start had begun that was then killed may have been quicker.
                state = _settled_state(directory)
                if state and _answers_in_time(directory, state):
                    return state
                raise OfflineError(f"The offline AWS did not start: {_last_line(log)} The whole story is in {log}.")
            time.sleep(0.005)
    except KeyboardInterrupt:
        child.kill()
        raise
    child.kill()
    raise OfflineError(f"The offline AWS did not answer within {START_TIMEOUT_S:.0f} s; see {log}.")


def _import_path() -> str:
    """So that `helpers` is found whatever the current directory is and whether or not it is installed."""
    return os.pathsep.join(filter(None, [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH")]))


def _last_line(log: Path) -> str:
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines()[-20:] if line.strip()]
    return (lines[-1].rstrip(".") + ".") if lines else "it ended without a word."


def hold_workspace(directory: Path) -> filelock.BaseFileLock:
    """For the server's whole life. The system lets go of it however the process ends. Raises OfflineError."""
    lock = filelock.FileLock(directory / "server.lock")
    try:
        lock.acquire(timeout=5)
    except filelock.Timeout:
        raise OfflineError(f"Another offline AWS already runs in {directory}.") from None
    except OSError as error:
        raise _cannot_write(directory, error) from error
    return lock


@contextmanager
def _lock(directory: Path) -> Iterator[None]:
    try:
        with filelock.FileLock(directory / "offline.lock", timeout=LOCK_TIMEOUT_S, mode=0o600):
            yield
    except filelock.Timeout as error:
        raise OfflineError(f"Another process has been starting the offline AWS in {directory} for too long.") from error
    except OSError as error:
        raise _cannot_write(directory, error) from error
