"""What of the workspace cannot be used: set aside under its own name and told, never deleted."""

from __future__ import annotations

import logging
import os
import shutil
import time
from pathlib import Path

DIRECTORY = "set-aside"

log = logging.getLogger("offline.damage")


class Unreadable(Exception):
    """A file that the system does not let be read: the start ends here, for what goes on without it would lose it."""

    def __init__(self, path: Path, error: OSError) -> None:
        super().__init__(
            f"{error.filename or path} cannot be read ({error.strerror}): make it a file that can be, or move it "
            "away, and start again."
        )


def set_aside(workspace: Path, *paths: Path) -> Path:
    """Moves files and folders of the workspace away. Returns the folder where they are. Raises OSError."""
    folder = _new_folder(workspace)
    for path in paths:
        os.replace(path, folder / path.name)
    return folder


def copy_aside(workspace: Path, path: Path, why: str) -> None:
    """For a file of which a part is of use, and which goes on being used. Raises OSError."""
    folder = _new_folder(workspace)
    shutil.copy2(path, folder / path.name)
    log.warning("A part of %s cannot be used: %s. The rest is; the whole file is in %s.", path, why, folder)


def _new_folder(workspace: Path) -> Path:
    stamp, number = time.strftime("%Y%m%dT%H%M%S"), 0
    while True:
        folder = workspace / DIRECTORY / (f"{stamp}-{number}" if number else stamp)
        try:
            folder.mkdir(parents=True)
            return folder
        except FileExistsError:
            if not folder.is_dir():
                raise
            number += 1
