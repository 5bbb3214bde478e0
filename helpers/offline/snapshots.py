"""What the offline AWS holds survives its process: a snapshot per service, written whole or not at all.

A change by a control-plane call is on disk before the call is answered; what hot paths change follows within about a
second, longer for a service whose snapshot takes long, so that snapshots never take more than a twentieth of the time.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import moto

from helpers.offline import damage, pickling
from helpers.offline.fallthrough import MOTO_PACKAGES
from helpers.offline.kernel import Kernel
from helpers.offline.records import sync_folder

SCHEMA = 1
INTERVAL_S = 1.0
PATIENCE_S = 2.0  # with a change that takes long; then the snapshot is taken beside it
ROOM_BYTES = 64 * 1024  # that a call may add to a snapshot beside its own body
SHARE = 20  # a service's snapshots rest at least so many times as long as they take
# What lies beside a service's snapshot and is of no use without it, below the workspace.
WITH_SNAPSHOT = {
    "s3": ("objects", "state/objects-*.journal"),
    "sqs": ("state/messages-*.journal",),
    "firehose": ("firehose",),
    "lambda": ("functions/events.outbox",),
    "logs": ("state/logs-*.journal",),
    "monitoring": ("state/metrics-*.journal",),
    "sagemaker": ("state/capture.outbox",),
    "sns": ("state/sns.outbox", "state/published-*.journal"),
    "apigateway": ("state/usage-*.journal",),
    "events": ("state/events.outbox",),
}
HEADER: dict[str, Any] = {
    "schema": SCHEMA,
    "moto": moto.__version__,
    "python": f"{sys.version_info.major}.{sys.version_info.minor}",
}

log = logging.getLogger("offline.state")


class Snapshots:
    """One file per service, `state/<signing name>.snapshot`: a line of JSON, then a pickle."""

    def __init__(self, kernel: Kernel, services: list[str]) -> None:
        self.kernel = kernel
        self.directory = kernel.workspace.dir / "state"
        self.services = services
        self._due: dict[str, float] = dict.fromkeys(services, 0.0)
        self._asked: dict[str, list[Future[None]]] = {}
        self._outstanding: dict[str, Future[None]] = {}
        self._wake = threading.Event()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="snapshots", daemon=True)

    def start(self) -> None:
        self.kernel.request_snapshot = self.request
        self._thread.start()

    def stop(self) -> None:
        """Writes whatever is not yet written."""
        self.kernel.stopping.set()
        self.kernel.request_snapshot = None
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(30)
        self._write_asked()
        for service in self._take_dirty():
            try:
                self._write(service)
            except Exception:
                log.exception("the last snapshot of %s failed", service)

    async def committed(self, *services: str) -> None:
        """Returns once snapshots of `services` that began after this moment are on disk. Raises OSError."""
        asked = [asyncio.wrap_future(self.request(service)) for service in services if service in self.services]
        for outcome in await asyncio.gather(*asked, return_exceptions=True):
            if isinstance(outcome, BaseException):
                raise outcome

    def request(self, service: str) -> Future[None]:
        """Like `committed`, for threads."""
        future: Future[None] = Future()
        with self._lock:
            self._asked.setdefault(service, []).append(future)
            self._outstanding[service] = future
        self._wake.set()
        return future

    def outstanding(self, service: str) -> Future[None] | None:
        """The last snapshot of `service` that was asked for, if it is not on disk yet."""
        future = self._outstanding.get(service)
        return None if future is None or future.done() else future

    def make_sure(self, services: Sequence[str], more_bytes: int) -> None:
        """That a change of `services` can be kept, before it is made. Raises OSError where the disk would not take it.

        Blocks for a fraction of a millisecond.
        """
        self.directory.mkdir(parents=True, exist_ok=True)
        for service in services:
            path = self._path(service)
            size = path.stat().st_size if path.exists() else 0
            descriptor, room = tempfile.mkstemp(prefix=f"{service}-", suffix=".room", dir=self.directory)
            try:
                if hasattr(os, "posix_fallocate"):
                    os.posix_fallocate(descriptor, 0, size + 2 * more_bytes + ROOM_BYTES)
            finally:
                os.close(descriptor)
                os.unlink(room)

    # --- Writing ------------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self.kernel.stopping.is_set():
            self._wake.wait(INTERVAL_S)
            self._wake.clear()
            self._write_asked()
            now = time.monotonic()
            for service in self._take_dirty(now):
                try:
                    self._write(service)
                except Exception:
                    log.exception("the snapshot of %s failed", service)
                    self.kernel.mark_dirty(service)
                    self._due[service] = now + 5
        self._write_asked()

    def _write_asked(self) -> None:
        with self._lock:
            asked, self._asked = self._asked, {}
        for service, futures in asked.items():
            try:
                self._write(service)
            except Exception as error:
                log.exception("the snapshot of %s failed", service)
                self.kernel.mark_dirty(service)
                for future in futures:
                    future.set_exception(error)
            else:
                for future in futures:
                    future.set_result(None)

    def _take_dirty(self, now: float | None = None) -> list[str]:
        """Those whose time has come; all of them without `now`."""
        marked = self.kernel.dirty_services
        everything = "" in marked
        if everything:
            marked.discard("")
            marked.update(self.services)
        taken = [
            service for service in self.services if service in marked and (now is None or self._due[service] <= now)
        ]
        marked.difference_update(taken)
        return taken

    def _write(self, service: str) -> None:
        started = time.monotonic()
        with self.kernel.gates[service].closed(PATIENCE_S):
            before = [hook() for hook in self.kernel.before_snapshot.get(service, [])]
            data = pickling.dump(self._held(service))
        write_whole(self._path(service), json.dumps(HEADER).encode() + b"\n" + data)
        for done in before:
            if done is not None:
                done()
        self._due[service] = time.monotonic() + max(INTERVAL_S, SHARE * (time.monotonic() - started))

    def _held(self, service: str) -> dict[str, Any]:
        held: dict[str, Any] = {
            "backends": pickling.backends_of(MOTO_PACKAGES.get(service, service)),
            "durables": {
                name: durable.save() for name, durable in self.kernel.durables.items() if durable.service == service
            },
        }
        if service == "s3":
            from moto.s3.models import s3_backends

            held["bucket_accounts"] = dict(s3_backends.bucket_accounts)
        elif service == "sagemaker":
            held["runtime"] = pickling.backends_of("sagemakerruntime")
        return held

    # --- Reading ------------------------------------------------------------------------------------------------------

    def restore(self) -> None:
        """Takes back what was written; sets aside what another version wrote or what is damaged. Raises Unreadable."""
        for service in self.services:
            path = self._path(service)
            try:
                header, _, data = path.read_bytes().partition(b"\n")
            except FileNotFoundError:
                continue
            except OSError as error:
                raise damage.Unreadable(path, error) from error
            try:
                if json.loads(header) != HEADER:
                    raise ValueError(f"it was written by {header.decode(errors='replace')}, this is {HEADER}")
                self._take_back(service, pickling.load(data))
            except Exception as error:
                self._set_aside(path, error)

    def _take_back(self, service: str, held: dict[str, Any]) -> None:
        pickling.restore_backends(MOTO_PACKAGES.get(service, service), held["backends"])
        if "runtime" in held:
            pickling.restore_backends("sagemakerruntime", held["runtime"])
        if "bucket_accounts" in held:
            from moto.s3.models import s3_backends

            s3_backends.bucket_accounts.update(held["bucket_accounts"])
        for name, value in held["durables"].items():
            if name in self.kernel.durables:
                self.kernel.durables[name].load(value)

    def _set_aside(self, path: Path, error: Exception) -> None:
        """With the files that only this state explains: they would be taken for leftovers."""
        workspace = self.kernel.workspace.dir
        beside = [found for pattern in WITH_SNAPSHOT.get(path.stem, ()) for found in workspace.glob(pattern)]
        aside = damage.set_aside(workspace, path, *beside)
        log.warning(
            "The kept state of %s cannot be used (%s). It begins empty; the old state is in %s.",
            path.stem,
            error,
            aside,
        )

    def _path(self, service: str) -> Path:
        return self.directory / f"{service}.snapshot"


def write_whole(path: Path, data: bytes) -> None:
    """All of `data` or the file as it was, whatever happens in between. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".writing")
    try:
        with open(temporary, "wb", opener=_private) as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        sync_folder(path.parent)
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
