"""The server process: restore, install the services, listen, and flush at the end."""

from __future__ import annotations

import gc
import logging
import os
import socket
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from helpers.offline import left_out

if TYPE_CHECKING:
    import uvicorn

    from helpers.offline.front import Front
    from helpers.offline.process import State

GUARD_S = 1.0

log = logging.getLogger("offline")


def serve(directory: Path, *, port: int | None = None, idle_hours: float | None = None) -> int:
    """Runs until stopped. Raises OfflineError, Unreadable where it cannot begin."""
    gc.disable()  # until it answers: what a start makes is there to stay; looking through it takes a sixth of the time
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s", stream=sys.stderr)
    _prepare_process()
    from helpers.offline import process
    from helpers.offline.kernel import Credentials, Kernel, Workspace

    port, idle_hours = process.wanted_port(port), process.wanted_idle_hours(idle_hours)
    process.prepare_directory(directory)
    lock = process.hold_workspace(directory)
    state = process.state_to_begin_with(directory)
    listener = listen(port or state.port)
    state = replace(state, port=listener.getsockname()[1])
    credentials = Credentials(state.access_key_id, state.secret_access_key)
    kernel = Kernel(Workspace(directory, credentials, state.region), state.endpoint_url, state.account_id)

    from helpers.offline import fallthrough, operations
    from helpers.offline.front import Front
    from helpers.offline.snapshots import Snapshots

    fallthrough.tune_moto()
    for package, module in operations.collect().items():
        kernel.installing = operations.PACKAGES[package]
        module.install(kernel)
    snapshots = Snapshots(kernel, [name for name in operations.OPERATIONS if name != "tagging"])
    snapshots.restore()
    snapshots.start()
    server: list[uvicorn.Server] = []
    front = Front(kernel, snapshots, stop=lambda: setattr(server[0], "should_exit", True))
    kernel.run()
    idle_s = 3600 * idle_hours
    kernel.every(min(30.0, idle_s / 4), lambda: front.control.stop_if_idle(idle_s), name="idle time-out")
    guard = Guard(directory, state)
    kernel.every(GUARD_S, guard.look, name="guard of the workspace")
    server.append(_server(front, guard))
    server[0].run(sockets=[listener])
    kernel.shut_down()
    snapshots.stop()
    latest = process.read_state(directory)
    if latest and latest.pid == os.getpid():
        process.write_state(directory, replace(latest, pid=None))
    lock.release()
    return 0


class Guard:
    """Sees to it that this server can be found, and that it does not outlive its workspace."""

    def __init__(self, directory: Path, state: State) -> None:
        self.directory = directory
        self.state = state
        self.is_found = False
        self.lock = (directory / "server.lock").stat().st_ino

    def announce(self) -> None:
        """From now on the state file says how this server is reached."""
        from helpers.offline import process

        self.state = replace(self.state, pid=os.getpid(), started=time.time())
        process.write_state(self.directory, self.state)
        self.is_found = True

    def look(self) -> None:
        from helpers.offline import process

        try:
            is_ours = (self.directory / "server.lock").stat().st_ino == self.lock
        except FileNotFoundError:
            is_ours = False
        if not is_ours:  # nothing may be written: another server's workspace may be there by now
            log.error("%s was deleted or moved away while this server ran: it ends", self.directory)
            logging.shutdown()
            os._exit(1)
        if not self.is_found:
            return
        state = process.read_state(self.directory)
        if state is None or replace(state, started=self.state.started) != self.state:
            process.write_state(self.directory, self.state)
            log.warning("the state file was lost, damaged or another's, and is written anew")


def listen(preferred_port: int) -> socket.socket:
    """A listening socket on the loopback interface: at the preferred port, or at a free one if that is taken."""
    for port in (preferred_port, 0):
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # so asyncio sets NODELAY
        if os.name == "posix":  # elsewhere the option would let two processes share the port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
            listener.listen(512)
            return listener
        except OSError:
            listener.close()
            if port == 0:
                raise
    raise AssertionError


def _prepare_process() -> None:
    os.umask(0o077)
    os.environ["MOTO_DISABLE_GLOBAL_CORS"] = "1"
    os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
    left_out.leave_out()


def _server(front: Front, guard: Guard) -> uvicorn.Server:
    import uvicorn

    from helpers.offline import connections

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets=sockets)
            connections.sweep(self.server_state.connections)
            gc.freeze()  # what start-up made stays: no collection looks at it again, nor now, for it would find nothing
            gc.enable()
            # Background threads hold up the event loop for so long at most, each time it comes back from the system.
            sys.setswitchinterval(0.0005)
            gc.set_threshold(20_000, 20, 100)  # fewer pauses under load; requests leave next to no cycles behind
            guard.announce()
            log.info("answering at %s", guard.state.endpoint_url)

    config = uvicorn.Config(
        front,
        http=connections.Connection,
        ws="none",
        lifespan="off",
        access_log=False,
        log_config=None,
        log_level="warning",
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=300,
        timeout_graceful_shutdown=5,
        backlog=512,
    )
    return Server(config)
