"""The processes of training jobs: forked from one that has xgboost imported where that can be, else a fresh Python.

Either way the process has the environment, the working directory and the pipes that it is given, and nothing else of
the server's.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Protocol

ALGORITHMS = "helpers.offline.services.sagemaker.algorithms"
START_S, ANSWER_S = 60.0, 10.0
log = logging.getLogger("offline.sagemaker")


class Process(Protocol):
    """What `subprocess.Popen` and `Forked` have in common."""

    stdin: IO[bytes] | None
    stdout: IO[bytes] | None
    pid: int

    def poll(self) -> int | None: ...
    def wait(self) -> int: ...
    def terminate(self) -> None: ...
    def kill(self) -> None: ...


class Forked:
    """A fork of the standby process, which alone can wait for it and tells its exit code through a pipe."""

    def __init__(self, pidfd: int, stdin: IO[bytes], stdout: IO[bytes], code: IO[bytes]) -> None:
        self.stdin: IO[bytes] | None = stdin
        self.stdout: IO[bytes] | None = stdout
        self.returncode: int | None = None
        self.pid = _pid_of(pidfd)
        self._pidfd = pidfd
        self._code = code
        self._lock = threading.Lock()
        os.set_blocking(code.fileno(), False)

    def poll(self) -> int | None:
        with self._lock:
            if self.returncode is None and (told := self._code.read(16)) is not None:
                if not told:  # the standby process has been killed
                    self._send(signal.SIGKILL)
                self.returncode = int(told) if told else -signal.SIGKILL
                os.close(self._pidfd)
            return self.returncode

    def wait(self) -> int:
        if (code := self.poll()) is None:
            told = select.poll()
            told.register(self._code, select.POLLIN)
            while (code := self.poll()) is None:
                told.poll()
        return code

    def terminate(self) -> None:
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        with self._lock:
            if self.returncode is None:
                self._send(number)

    def _send(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):  # it has ended and its code is on the way
            signal.pidfd_send_signal(self._pidfd, number)


def _pid_of(pidfd: int) -> int:
    """The process of a pidfd; -1 where it has ended."""
    told = Path(f"/proc/self/fdinfo/{pidfd}").read_text()
    return int(told.partition("\nPid:")[2].split()[0])


class Standby:
    """The standby process's end in the server. Started at the first need in `home`; started anew if it has ended."""

    def __init__(self, home: Path, environment: Mapping[str, str]) -> None:
        self._home = home
        self._environment = dict(environment)
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None

    def fork(self, algorithm: str, directory: Path, environment: Mapping[str, str]) -> Forked:
        """Raises OSError where a fork cannot be had."""
        order = {"algorithm": algorithm, "directory": str(directory), "environment": dict(environment)}
        with self._lock:
            if self._process is None or self._process.poll() is not None:
                self._drop()
                self._start()
            return self._ask(json.dumps(order).encode())

    def stop(self) -> None:
        with self._lock:
            self._drop()

    def _start(self) -> None:
        self._home.mkdir(parents=True, exist_ok=True)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", f"{ALGORITHMS}.standby", str(theirs.fileno())],
                cwd=self._home,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
            )
        self._control = ours
        ours.settimeout(START_S)
        try:
            if not ours.recv(16):
                raise OSError("The standby process ended as it began.")
        except OSError:
            self._drop()
            raise
        ours.settimeout(ANSWER_S)

    def _ask(self, order: bytes) -> Forked:
        assert self._control is not None
        its_stdin, stdin = os.pipe()
        stdout, its_stdout = os.pipe()
        code, its_code = os.pipe()
        try:
            socket.send_fds(self._control, [order], [its_stdin, its_stdout, its_code])
            answer, descriptors, _, _ = socket.recv_fds(self._control, 32, 1)
            if not answer:
                raise OSError("The standby process has gone.")
        except OSError:
            self._drop()  # an answer that comes late must not be taken for the next one
            for descriptor in (stdin, stdout, code):
                os.close(descriptor)
            raise
        finally:
            for descriptor in (its_stdin, its_stdout, its_code):
                os.close(descriptor)
        return Forked(
            descriptors[0], os.fdopen(stdin, "wb", 0), os.fdopen(stdout, "rb"), os.fdopen(code, "rb", buffering=0)
        )

    def _drop(self) -> None:
        if self._control is not None:
            self._control.close()
            self._control = None
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


class JobProcesses:
    """Starts them in the fastest way that is right for the job. `home` and `environment` are the standby process's."""

    def __init__(self, home: Path, environment: Mapping[str, str]) -> None:
        self.standby = Standby(home, environment) if sys.platform == "linux" else None

    def start(self, algorithm: str, directory: Path, environment: Mapping[str, str], *, is_alone: bool) -> Process:
        """`is_alone`: a job of one host. Several make themselves a network, for which each is a Python of its own."""
        if is_alone and self.standby is not None:
            try:
                return self.standby.fork(algorithm, directory, environment)
            except OSError:
                log.exception("no standby process; a fresh Python instead")
        return subprocess.Popen(
            [sys.executable, "-P", "-m", ALGORITHMS, algorithm, str(directory)],
            cwd=directory,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def stop(self) -> None:
        if self.standby is not None:
            self.standby.stop()
