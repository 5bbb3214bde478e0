"""The tokens of one's own entries, kept in the workspace where only its owner reads."""

import json
import os
from pathlib import Path

import filelock


class Keys:
    """A small JSON file: arena and alias -> what the arena answered at entry."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def _all(self) -> dict:
        try:
            return json.loads(self.path.read_text())
        except (OSError, ValueError):
            return {}

    def get(self, arena: str, alias: str) -> dict | None:
        """What `put` kept; None where there is nothing."""
        return self._all().get(f"{arena} {alias}")

    def put(self, arena: str, alias: str, made: dict) -> None:
        """Keep what the arena answered at entry, for this user alone. Raises OSError."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(self.path.with_suffix(".lock")):  # two notebooks may enter at once
            kept = self._all() | {f"{arena} {alias}": made}
            fresh = self.path.with_suffix(".new")
            with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
                json.dump(kept, file)
            fresh.replace(self.path)
