"""The server as a process: starting it once per workspace, finding it again, stopping it. Imports nothing heavy."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import os
import secrets
import shutil
import string
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import filelock

if TYPE_CHECKING:
    import psutil

PREFERRED_PORT = 4710
# What the offline AWS makes in its directory, and `reset` therefore deletes; the keys, the log and whatever else lies
# there (the participant's name, the arena) stay.
WIPED_BY_RESET = (
    *("state", "objects", "uploads", "firehose", "functions", "sagemaker", "set-aside"),
    *("aws-config", "aws-credentials", "sagemaker.yaml"),
)
START_TIMEOUT_S = 60.0
LOCK_TIMEOUT_S = 90.0
HANGING_S = 20.0
STOP_TIMEOUT_S = 30.0
LARGEST_PORT = 65535
IDLE_HOURS = 12.0
HEALING_S = 10.0  # a running server writes a lost state file anew within a second or two


class OfflineError(Exception):
    """The offline AWS cannot do what was asked; the text is one sentence that says why and where to look."""


@dataclass(frozen=True, slots=True)
class State:
    """The state file: how to reach this workspace's server. `pid` is None while it does not run."""

    access_key_id: str
    secret_access_key: str
    region: str = "us-east-1"
    account_id: str = "123456789012"
    port: int = PREFERRED_PORT
    pid: int | None = None
    started: float = 0.0

    @property
    def endpoint_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


def workspace_directory() -> Path:
    """WORKSHOP_DIR, or `.workshop` beside the `helpers` package."""
    configured = os.environ.get("WORKSHOP_DIR")
    return Path(configured).absolute() if configured else Path(__file__).parents[2] / ".workshop"


def state_path(directory: Path) -> Path:
    return directory / "offline.json"


def log_path(directory: Path) -> Path:
    return directory / "offline.log"


def read_state(directory: Path) -> State | None:
    """None where there is no workspace yet, or where its state file is not readable as one."""
    try:
        return State(**json.loads(state_path(directory).read_text()))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (ValueError, TypeError):
        return None


def write_state(directory: Path, state: State) -> None:
    """Atomically, for the owner's eyes only."""
    descriptor, temporary = tempfile.mkstemp(prefix=".offline-", dir=directory)  # mkstemp makes it 0600
    with os.fdopen(descriptor, "w") as file:
        json.dump(asdict(state), file, indent=1)
    os.replace(temporary, state_path(directory))


def proof(secret: str, message: str) -> str:
    """What only one who knows the workspace's secret can say."""
    return hmac.new(secret.encode(), message.encode(), hashlib.sha256).hexdigest()


def start(directory: Path, *, port: int | None = None, idle_hours: float | None = None) -> State:
    """Starts this workspace's server, or finds it; returns once it answers.

    Raises OfflineError.
    """
    port, idle_hours = wanted_port(port), wanted_idle_hours(idle_hours)
    prepare_directory(directory)
    with _lock(directory):
        state = read_state(directory)
        if state is None and is_held(directory):
            state = _healed(directory)
        if state and _answers_in_time(directory, state):
            return state
        if state is None:
            state = new_state()
        port = port or state.port
        write_state(directory, replace(state, pid=None, port=port))
        return _spawn(directory, port, idle_hours)


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
    state = read_state(directory)
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
    """What the running server says about itself; `{"running": False}` if there is none."""
    state = read_state(directory)
    if state is None or not is_answering(state):
        return {"running": False, "directory": str(directory)}
    return {"running": True, "directory": str(directory)} | json.loads(ask(state, "GET", "/_workshop/status"))


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
    """Whether a server serves the workspace now."""
    if not (directory / "server.lock").exists():
        return False
    lock = filelock.FileLock(directory / "server.lock")
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        return True
    lock.release()
    return False


def _healed(directory: Path) -> State | None:
    """The state file as the running server writes it anew. Raises OfflineError."""
    deadline = time.monotonic() + HEALING_S
    while time.monotonic() < deadline:
        if (state := read_state(directory)) is not None:
            return state
        if not is_held(directory):
            return None
        time.sleep(0.1)
    raise OfflineError(
        f"An offline AWS runs in {directory}, and its state file offline.json was lost: end that process "
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
        with tempfile.TemporaryFile(dir=directory) as file:
            file.write(b"x" * 4096)
            file.flush()
    except OSError as error:
        raise _cannot_write(directory, error) from error


def _cannot_write(directory: Path, error: OSError) -> OfflineError:
    return OfflineError(
        f"The offline AWS cannot write to {directory} ({error.strerror}): "
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
    return lock


def new_state() -> State:
    alphabet = string.ascii_uppercase + "234567"
    return State(
        access_key_id="AKIA" + "".join(secrets.choice(alphabet) for _ in range(16)),
        secret_access_key=secrets.token_urlsafe(30),
        region=os.environ.get("WORKSHOP_REGION", "us-east-1"),
    )


@contextmanager
def _lock(directory: Path) -> Iterator[None]:
    try:
        with filelock.FileLock(directory / "offline.lock", timeout=LOCK_TIMEOUT_S, mode=0o600):
            yield
    except filelock.Timeout as error:
        raise OfflineError(f"Another process has been starting the offline AWS in {directory} for too long.") from error
    except OSError as error:
        raise _cannot_write(directory, error) from error
