"""The state file of a workspace, `offline.json`: how its server is reached. Imports nothing heavy."""

from __future__ import annotations

import json
import os
import secrets
import string
import tempfile
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from helpers.offline import damage

PREFERRED_PORT = 4710
LARGEST_PORT = 65535
LARGEST_PID = 2**31 - 1


class OfflineError(Exception):
    """The offline AWS cannot do what was asked; the text is one sentence that says why and where to look."""


@dataclass(frozen=True, slots=True)
class State:
    """How to reach this workspace's server. `pid` is None while it does not run."""

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


def new_state() -> State:
    alphabet = string.ascii_uppercase + "234567"
    return State(
        access_key_id="AKIA" + "".join(secrets.choice(alphabet) for _ in range(16)),
        secret_access_key=secrets.token_urlsafe(30),
        region=os.environ.get("WORKSHOP_REGION", "us-east-1"),
    )


def read_state(directory: Path) -> State | None:
    """None where there is no workspace yet, or where its state file is damaged. Raises OfflineError."""
    path = state_path(directory)
    try:
        return _state_of(json.loads(path.read_text()))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise OfflineError(str(damage.Unreadable(path, error))) from error
    except (ValueError, TypeError, RecursionError):
        return None


def _state_of(document: Any) -> State:
    """Whatever a later version put there too is left out. Raises ValueError, TypeError where it is no state."""
    names = {field.name for field in fields(State)}
    state = State(**{name: value for name, value in dict(document).items() if name in names})
    texts = (state.access_key_id, state.secret_access_key, state.region, state.account_id)
    numbers = ((state.port, LARGEST_PORT), (1 if state.pid is None else state.pid, LARGEST_PID))
    if not all(isinstance(text, str) and text for text in texts) or not isinstance(state.started, int | float):
        raise ValueError("a text or the time of the start is missing")
    if not all(type(number) is int and 0 < number <= largest for number, largest in numbers):
        raise ValueError("the port or the process is none")
    return state


def write_state(directory: Path, state: State) -> None:
    """Atomically, for the owner's eyes only. Raises OSError."""
    descriptor, temporary = tempfile.mkstemp(prefix=".offline-", dir=directory)  # mkstemp makes it 0600
    try:
        with os.fdopen(descriptor, "w") as file:
            json.dump(asdict(state), file, indent=1)
        os.replace(temporary, state_path(directory))
    except OSError:
        Path(temporary).unlink(missing_ok=True)
        raise


def state_to_begin_with(directory: Path) -> State:
    """The one that is kept, or a new one; a damaged file is set aside. Raises OfflineError, OSError."""
    state = read_state(directory)
    if state is not None:
        return state
    path = state_path(directory)
    if path.exists():
        damage.set_aside(directory, path)
    return new_state()
