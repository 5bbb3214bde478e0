"""An execution environment seen from the server: settings, the socket to its process, and one invocation at a time."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
import struct
import time
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from helpers.offline import confinement
from helpers.offline.services.functions.processes import Launcher, Process

FRAME = struct.Struct(">II")
INIT_LIMIT_S = 10.0  # https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
OUTPUT_KEPT_BYTES = 1 << 20
EXIT_GRACE_S = 0.5
PROCESSES = 1024  # and threads, https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html


@dataclass(frozen=True, slots=True)
class Settings:
    """All that makes one version of a function what it is. Two environments of equal settings are interchangeable."""

    function_arn: str
    function_name: str
    version: str
    region: str
    code_digest: str
    handler: str
    runtime: str
    memory_mb: int
    timeout_s: int
    role: str
    log_group: str
    ephemeral_storage_mb: int
    variables: tuple[tuple[str, str], ...]


@dataclass(slots=True)
class Outcome:
    """What came of one invocation. `error` is AWS's FunctionError; `kind` says how the runtime ended, if it did."""

    request_id: str
    payload: bytes
    error: str | None
    duration_ms: float
    memory_mb: int
    init_ms: float | None = None
    kind: str = ""
    printed: list[str] = field(default_factory=list)
    ended: float = field(default_factory=time.time)  # Unix time


class Gone(Exception):
    """The process ended before it answered."""


class Environment:
    """One process. `starting` until its init frame was read; then it answers one invocation at a time."""

    def __init__(self, settings: Settings, directory: Path) -> None:
        self.settings = settings
        self.id = uuid.uuid4().hex
        self.directory = directory / self.id
        today = datetime.now(UTC)
        self.log_stream = f"{today:%Y/%m/%d}/[{settings.version}]{self.id}"
        self.ready = False
        self.born = self.last_used = time.monotonic()
        self.init_ms: float | None = None
        self.memory_mb = 0  # as of the last answer
        self.init_error: bytes | None = None
        self.process: Process | None = None
        self._socket: socket.socket | None = None
        self._output = -1
        self._output_offset = 0

    # --- life ---

    def start(self, launcher: Launcher, task_root: Path, variables: dict[str, str], *, preloaded: bool) -> None:
        """Blocks for some milliseconds. `variables` are the environment variables, complete but for the directories."""
        self.directory.mkdir(parents=True)
        self._output = os.open(self.directory / "output", os.O_CREAT | os.O_RDWR | os.O_APPEND | os.O_CLOEXEC, 0o600)
        temporary = self.directory / "tmp"
        temporary.mkdir()
        ours, theirs = socket.socketpair()
        with theirs:
            self.process = launcher.start(theirs, self._output, preloaded=preloaded)
        ours.setblocking(False)
        self._socket = ours
        own = {"TMPDIR": str(temporary), "HOME": str(temporary), "LAMBDA_TASK_ROOT": str(task_root)}
        own["AWS_LAMBDA_LOG_STREAM_NAME"] = self.log_stream
        writable = [str(temporary), "/dev"]
        if not self.directory.is_relative_to("/tmp"):  # else all of the workspace would lie open
            writable.append("/tmp")
        settings = {
            "writable": writable,
            "born": time.time(),
            "handler": self.settings.handler,
            "task_root": str(task_root),
            "environment": variables | own,
            "limits": {
                "RLIMIT_AS": (4096 + self.settings.memory_mb) << 20,
                "RLIMIT_FSIZE": self.settings.ephemeral_storage_mb << 20,
                "RLIMIT_NOFILE": 1024,
                "RLIMIT_CORE": 0,
                **confinement.processes(PROCESSES),
            },
        }
        encoded = json.dumps(settings).encode()
        ours.sendall(FRAME.pack(len(encoded), 0) + encoded)  # a few KB: fits the socket's buffer

    def end(self, grace_s: float = 0.0) -> int:
        """Ends the process and removes its directory. Returns the process's exit code. Blocks."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        code = self.process.end(grace_s) if self.process is not None else 0
        self.process = None
        if self._output >= 0:
            os.close(self._output)
            self._output = -1
        shutil.rmtree(self.directory, ignore_errors=True)
        return code

    # --- invocations ---

    async def wait_ready(self) -> bool:
        """Reads the init frame. False where the handler could not be imported: `init_error` says why. Raises Gone."""
        if self.ready:
            return True
        async with asyncio.timeout(INIT_LIMIT_S):
            header, payload = await self._read()
        self.ready = header["ready"]
        if self.ready:
            self.init_ms = header["init_ms"]
        else:
            self.init_error = payload
        return self.ready

    async def exchange(self, header: dict[str, Any], payload: bytes) -> tuple[dict[str, Any], bytes]:
        """One invocation. Raises Gone or TimeoutError; the environment is of no use then."""
        assert self._socket is not None
        encoded = json.dumps(header).encode()
        frame = FRAME.pack(len(encoded), len(payload)) + encoded + payload
        try:
            async with asyncio.timeout(self.settings.timeout_s):
                try:
                    sent = self._socket.send(frame)
                except BlockingIOError:
                    sent = 0
                if sent < len(frame):
                    await asyncio.get_running_loop().sock_sendall(self._socket, frame[sent:])
                return await self._read()
        except (ConnectionError, BrokenPipeError) as error:
            raise Gone from error

    async def _read(self) -> tuple[dict[str, Any], bytes]:
        assert self._socket is not None
        loop = asyncio.get_running_loop()
        try:
            data = await loop.sock_recv(self._socket, 1 << 16)
            while data and len(data) < FRAME.size:
                data += await self._more(loop)
            if not data:
                raise Gone
            header_size, payload_size = FRAME.unpack_from(data)
            total = FRAME.size + header_size + payload_size
            if len(data) < total:
                buffer = bytearray(data)
                while len(buffer) < total:
                    buffer += await self._more(loop)
                data = bytes(buffer)
        except ConnectionError as error:
            raise Gone from error
        return json.loads(data[FRAME.size : FRAME.size + header_size]), data[FRAME.size + header_size : total]

    async def _more(self, loop: asyncio.AbstractEventLoop) -> bytes:
        assert self._socket is not None
        data = await loop.sock_recv(self._socket, 1 << 18)
        if not data:
            raise Gone
        return data

    def printed(self) -> list[str]:
        """The lines that came out since the last call; one event may hold several lines."""
        size = os.fstat(self._output).st_size
        if size <= self._output_offset:
            return []
        data = os.pread(self._output, size - self._output_offset, self._output_offset)
        self._output_offset = size
        if size > OUTPUT_KEPT_BYTES:
            os.ftruncate(self._output, 0)
            self._output_offset = 0
        return [line.replace("\r", "\n") for line in data.decode("utf-8", "replace").split("\n") if line]
