"""An outbox: things that were accepted and are still on their way, kept in a file until each is done."""

from __future__ import annotations

import logging
import os
import pickle
import threading
from pathlib import Path
from typing import Any

from helpers.offline import pickling
from helpers.offline.records import Records, read

REWRITE_BYTES = 8 << 20  # a file of this size that has doubled is written anew, without what is done

log = logging.getLogger("offline.outbox")


class Outbox:
    """Things by an id of their own. What is not done when the process is killed is there for the next one."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.RLock()
        self._open: dict[str, Any] = {}
        self._records = Records(path)
        self._rewritten_bytes = 0  # the file's size when it was last written anew

    def left(self) -> list[Any]:
        """What an earlier process left, oldest first; it stays until it is done. Raises Unreadable, OSError."""
        with self._lock:
            for record in read(self.path, self.path.parents[1]):
                try:
                    identities, thing = pickling.load(record)
                except Exception:
                    log.exception("a record of %s cannot be used", self.path.name)
                    continue
                for identity in identities:
                    self._open.pop(identity, None)
                if thing is not None:
                    self._open[identities[0]] = thing
            try:
                if self.path.exists():
                    self._rewrite()
            except OSError as error:  # then it stays as it is
                log.error("%s could not be written anew: %s", self.path, error)
            return list(self._open.values())

    def put(self, identity: str, thing: Any) -> None:
        """It survives this process when this returns; in the place of what had the same id. Raises OSError."""
        with self._lock:
            self._records.append(pickle.dumps(((identity,), thing)))
            self._open[identity] = thing

    def done(self, *identities: str) -> None:
        """They are on their way no more. A disk that refuses is logged, not raised."""
        with self._lock:
            for identity in identities:
                self._open.pop(identity, None)
            try:
                size = self._records.append(pickle.dumps((identities, None)))
                if not self._open or size > max(REWRITE_BYTES, 2 * self._rewritten_bytes):
                    self._rewrite()
            except OSError as error:  # then they are done once more after a crash, which at least once allows
                log.error("%s: what is done could not be noted: %s", self.path.name, error)

    def sync(self) -> None:
        """What was put by now survives a power failure too. Raises OSError."""
        self._records.sync()

    def close(self) -> None:
        with self._lock:
            self._records.close()

    def _rewrite(self) -> None:
        """With the open ones alone; whole or not at all. Without any, the file is emptied in place."""
        if not self._open:
            self._records.clear()
            return
        fresh = Records(self.path.with_suffix(".new"))
        fresh.path.unlink(missing_ok=True)
        try:
            for identity, thing in self._open.items():
                fresh.append(pickle.dumps(((identity,), thing)))
            self._rewritten_bytes = fresh.size
            fresh.sync()  # it takes the place of what may have been synced already
        finally:
            fresh.close()
        os.replace(fresh.path, self.path)
        self._records.close()
