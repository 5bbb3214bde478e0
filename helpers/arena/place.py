"""Where an arena keeps its files, and how others on this machine find it."""

import json
import os
from pathlib import Path

import psutil

DEFAULT_PORT = 8765
SERVER = "server.json"
DOOR = "door.json"


def folder() -> Path:
    """`arena/` in the workspace: WORKSHOP_DIR, else `.workshop` at the repository's root."""
    workspace = os.environ.get("WORKSHOP_DIR") or Path(__file__).resolve().parents[2] / ".workshop"
    return Path(workspace).resolve() / "arena"


def write_address(path: Path, **facts: str) -> None:
    """Leave a server's address (`url`) and what else belongs to it, e.g. its token, readable by this user only."""
    text = json.dumps({**facts, "pid": os.getpid()})
    fresh = path.with_suffix(".new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    fresh.replace(path)


def read_address(path: Path) -> dict | None:
    """What `write_address` left, if that process still lives."""
    try:
        found = json.loads(path.read_text())
        alive = psutil.pid_exists(found["pid"]) and psutil.Process(found["pid"]).status() != psutil.STATUS_ZOMBIE
    except (OSError, ValueError, KeyError, psutil.Error):
        return None
    return found if alive else None
