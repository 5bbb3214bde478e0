"""Processes for execution environments: forked from the zygote where there is one, else a fresh Python each."""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

log = logging.getLogger("offline.lambda")

HERE = Path(__file__).parent
ZYGOTE_START_S = 30.0
ZYGOTE_ANSWER_S = 10.0


class Process(Protocol):
    """A process that serves one environment."""

    pid: int

    def end(self, grace_s: float = 0.0) -> int:
        """Waits up to `grace_s`, then kills it and its children. Returns the exit code, negative for a signal."""
        ...


class Spawned:
    """A fresh Python."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self.pid = process.pid

    def end(self, grace_s: float = 0.0) -> int:
        try:
            return self.process.wait(grace_s)
        except subprocess.TimeoutExpired:
            _kill_group(self.pid)
            return self.process.wait()


class Forked:
    """A fork of the zygote, which alone can wait for it."""

    def __init__(self, zygote: Zygote, pid: int) -> None:
        self.zygote = zygote
        self.pid = pid

    def end(self, grace_s: float = 0.0) -> int:
        try:
            return os.waitstatus_to_exitcode(
                self.zygote.order({"do": "end", "pid": self.pid, "grace_s": grace_s})["status"]
            )
        except OSError:  # the zygote has gone, its forks end with their sockets
            _kill_group(self.pid)
            return -signal.SIGKILL


class Zygote:
    """The zygote's end in the server. Started at the first need; started anew if it has died."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None

    def fork(self, channel: socket.socket, output: int) -> Forked:
        """Raises OSError where the zygote cannot be had."""
        with self._lock:
            if self._process is None or self._process.poll() is not None:
                self._start()
            answer = self._ask({"do": "fork"}, [channel.fileno(), output])
        return Forked(self, answer["pid"])

    def warm_up(self) -> None:
        with self._lock:
            if self._process is None:
                self._start()

    def order(self, request: dict[str, object]) -> dict[str, int]:
        with self._lock:
            return self._ask(request, [])

    def stop(self) -> None:
        with self._lock:
            self._drop()

    def _drop(self) -> None:
        if self._control is not None:
            self._control.close()
            self._control = None
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _start(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = _python("zygote.py", theirs, subprocess.DEVNULL)
        self._control = ours
        ours.settimeout(ZYGOTE_START_S)
        try:
            if not ours.recv(4096):
                raise OSError("The zygote ended as it began.")
        except OSError:
            self._drop()  # a greeting that comes late must not be taken for an answer
            raise
        ours.settimeout(ZYGOTE_ANSWER_S)

    def _ask(self, request: dict[str, object], descriptors: list[int]) -> dict[str, int]:
        if self._control is None:
            raise OSError("The zygote is not running.")
        try:
            socket.send_fds(self._control, [json.dumps(request).encode()], descriptors)
            answer = json.loads(self._control.recv(4096) or b'{"error": "The zygote has gone."}')
        except OSError:
            self._drop()  # an answer that comes late must not be taken for the next one
            raise
        if "error" in answer:
            raise OSError(answer["error"])
        return answer


class Launcher:
    """Starts processes in the fastest way that is right for the package."""

    def __init__(self) -> None:
        self.zygote = Zygote() if sys.platform == "linux" else None

    def start(self, channel: socket.socket, output: int, *, preloaded: bool) -> Process:
        """`channel` is the environment's end of the socket; `output` the file that takes what it prints."""
        if preloaded and self.zygote is not None:
            try:
                return self.zygote.fork(channel, output)
            except OSError:
                log.exception("no zygote; a fresh Python instead")
        return Spawned(_python("bootstrap.py", channel, output))

    def warm_up(self) -> None:
        """Blocks until what makes starts fast is there."""
        if self.zygote is not None:
            self.zygote.warm_up()

    def stop(self) -> None:
        if self.zygote is not None:
            self.zygote.stop()


def _python(program: str, channel: socket.socket, output: int) -> subprocess.Popen[bytes]:
    """Isolated (-I), without site-packages (-S): what the course's own environment holds is not what AWS has."""
    return subprocess.Popen(
        [sys.executable, "-I", "-S", "-B", str(HERE / program), str(channel.fileno()), *_site_directories()],
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        pass_fds=[channel.fileno()],
        env={"PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8"},
        start_new_session=True,
    )


def _site_directories() -> list[str]:
    directories = []
    for package in ("boto3", "botocore", "dateutil", "six"):
        spec = find_spec(package)
        if spec and spec.origin:
            origin = Path(spec.origin)
            directory = str(origin.parent.parent if origin.name == "__init__.py" else origin.parent)
            if directory not in directories:
                directories.append(directory)
    return directories


def _kill_group(pid: int) -> None:
    try:
        os.killpg(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            return
