"""The notebook's side of the arena: find or start one, and enter it."""

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import filelock
import psutil
import requests

from helpers.arena import place
from helpers.arena.keys import Keys

START_SECONDS = 30.0
IDLE_MINUTES = 60


class ArenaError(RuntimeError):
    """The arena refused, or there is none; the text says why and what to do."""


class Client:
    """Speaks to one arena. `token` is the instructor's, where this user has it."""

    def __init__(self, url: str, token: str = "") -> None:
        self.url = url.rstrip("/") + "/"
        self.token = token
        self._session = requests.Session()
        self._session.trust_env = False

    def __repr__(self) -> str:
        return f"<arena at {self.url}>"

    def call(self, method: str, path: str, body: Mapping[str, Any] | None = None, token: str | None = None) -> Any:
        """The answer, as JSON or text. Raises ArenaError with the arena's own words."""
        token = self.token if token is None else token
        try:
            answer = self._session.request(
                method,
                self.url + path,
                json=body if method not in ("GET", "DELETE") else None,
                headers={"X-Arena-Token": token} if token else {},
                timeout=60,
            )
        except requests.RequestException as error:
            raise ArenaError(f"No arena answers at {self.url}: {type(error).__name__}.") from None
        is_json = answer.headers.get("content-type", "").startswith("application/json")
        if answer.status_code >= 400:
            raise ArenaError(answer.json()["message"] if is_json else f"The arena answers HTTP {answer.status_code}.")
        return answer.json() if is_json else answer.text

    def state(self, view: str = "board") -> dict:
        """The public state; `view`: board, or phone (without the chart and what only the big screen shows)."""
        return self.call("GET", f"api/state?view={view}")

    def act(self, action: str, **body: object) -> dict:
        return self.call("POST", f"api/instructor/round/{action}", body)


@dataclass(slots=True)
class Entry:
    """One's own entry: its alias, and the token that changes need (never shown)."""

    client: Client
    id: int
    alias: str
    _token: str

    def __repr__(self) -> str:
        return f"<{self.alias} in the arena>"

    def change(self, url: str) -> None:
        """Point the entry at another URL, e.g. that of a better model. Raises ArenaError."""
        self.client.call("PATCH", f"api/entries/{self.id}", {"url": url}, self._token)

    def withdraw(self) -> None:
        self.client.call("DELETE", f"api/entries/{self.id}", token=self._token)

    def standing(self) -> dict | None:
        """The entry's row on the board: rank, score (ms), availability, p95 (ms), state."""
        return next((r for r in self.client.state()["rows"] if r["id"] == self.id), None)


def find(url: str | None = None) -> Client | None:
    """The arena at `url`, at ARENA_URL, or the one that runs in this workspace; None when there is none."""
    url = url or os.environ.get("ARENA_URL")
    found = place.read_address(place.folder() / "server.json")
    if url:
        own = found is not None and found["url"].rstrip("/") == url.rstrip("/")
        return Client(url, found["token"] if own and found else os.environ.get("ARENA_TOKEN", ""))
    return Client(found["url"], found["token"]) if found else None


def start(*options: str) -> Client:
    """The workspace's arena, started as a process of its own unless it runs. It ends after an idle hour.

    `options`: of `python -m helpers.arena serve`. Raises ArenaError with the end of its log.
    """
    folder = place.folder()
    folder.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(folder / "start.lock", timeout=START_SECONDS * 2):
        found = find()
        if found:
            return found
        log = folder / "server.log"
        with log.open("wb") as out:
            process = subprocess.Popen(
                [sys.executable, "-m", "helpers.arena", "serve", "--idle-minutes", str(IDLE_MINUTES), *options],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end and process.poll() is None:
            found = place.read_address(folder / "server.json")
            if found and found["pid"] == process.pid:
                client = Client(found["url"], found["token"])
                try:
                    client.state()
                    return client
                except ArenaError:
                    pass  # listening, not yet serving
            time.sleep(0.05)
        raise ArenaError(f"The arena did not start. Its log ends with: {_tail(log)}")


def stop() -> bool:
    """Stop the workspace's arena; its round continues when one is started again. False when there is none."""
    found = place.read_address(place.folder() / "server.json")
    if not found:
        return False
    try:
        process = psutil.Process(found["pid"])
        if "helpers.arena" not in " ".join(process.cmdline()):
            return False
        process.terminate()
        process.wait(10)
    except psutil.TimeoutExpired:
        process.kill()
    except psutil.Error:
        return False
    return True


def join(ws: Any, url: str, alias: str | None = None, arena: str | None = None) -> Entry:
    """Enter the arena with the URL of one's live-inference API.

    Parameters
    ----------
    ws : the workshop object, whose `participant` is the alias unless one is given (None: the arena makes one up)
    url : the API; the arena asks it `?features=<12 values>` at once, and says what is wrong if it does not answer
    alias : the name on the board
    arena : address of an arena elsewhere (default: ARENA_URL, else the workspace's own, started if need be)

    Entering again under the same alias points the entry at the new URL. Raises ArenaError.
    """
    client = find(arena) or start(*options_for(ws))
    alias = alias or getattr(ws, "participant", None)
    keys = Keys(place.folder() / "entries.json")
    kept = keys.get(client.url, alias) if alias else None
    if kept:
        entry = Entry(client, kept["id"], kept["alias"], kept["token"])
        if entry.standing() is not None:
            entry.change(url)
            return entry
    made = client.call("POST", "api/entries", {"url": url, "alias": alias}, "")
    keys.put(client.url, made["alias"], made)
    return Entry(client, made["id"], made["alias"], made["token"])


def options_for(ws: Any) -> tuple[str, ...]:
    """An arena of one's own calls this machine only, and on AWS the APIs there."""
    return ("--allow", "loopback", "--allow", "aws") if getattr(ws, "mode", "offline") == "aws" else ()


def _tail(path: Path) -> str:
    lines = path.read_text(errors="replace").strip().splitlines()
    return " / ".join(lines[-3:]) or "nothing"
