"""The notebook's side of the arena: find or start one, and enter it."""

import ipaddress
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import filelock
import psutil
import requests

from helpers.arena import place
from helpers.arena.keys import Keys
from helpers.arena.listening import address_towards

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
        """The public state; `view`: board, or phone (the top, without what only the big screen shows)."""
        return self.call("GET", f"api/state?view={view}")

    def act(self, action: str, **body: object) -> dict:
        """One of the round's controls, with its settings, as the instructor. Raises ArenaError."""
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
        url = _reachable(url, self.client.url)
        self.client.call("PATCH", f"api/entries/{self.id}", {"url": url}, self._token)

    def withdraw(self) -> None:
        """Leave the arena; a door that was opened for it is closed."""
        self.client.call("DELETE", f"api/entries/{self.id}", token=self._token)
        if not _is_here(urlsplit(self.client.url).hostname or ""):
            close_door()

    def standing(self) -> dict | None:
        """The entry's row on the board: rank, score (ms), availability, p95 (ms), state."""
        return next((r for r in self.client.state()["rows"] if r["id"] == self.id), None)


def find(url: str | None = None) -> Client | None:
    """The arena at `url`, at ARENA_URL, or the one that runs in this workspace; None when there is none."""
    url = url or os.environ.get("ARENA_URL")
    found = place.read_address(place.folder() / place.SERVER)
    if url:
        own = found is not None and found["url"].rstrip("/") == url.rstrip("/")
        return Client(url, found["token"] if own and found else os.environ.get("ARENA_TOKEN", ""))
    return Client(found["url"], found["token"]) if found else None


def start(*options: str) -> Client:
    """The workspace's arena, started as a process of its own unless it runs. It ends after an idle hour.

    `options`: of `python -m helpers.arena serve`. Raises ArenaError with the end of its log.
    """
    place.folder().mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(place.folder() / "start.lock", timeout=START_SECONDS * 2):
        found = find()
        if found:
            return found
        facts = _launch(place.SERVER, "serve", "--idle-minutes", str(IDLE_MINUTES), *options)
        return Client(facts["url"], facts["token"])


def _launch(name: str, *command: str) -> dict:
    """Start `python -m helpers.arena …` in the background; what it leaves in `name` as soon as it answers."""
    folder = place.folder()
    log = (folder / name).with_suffix(".log")
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "helpers.arena", *command],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        found = place.read_address(folder / name)
        if found and found["pid"] == process.pid and _answers(found["url"]):
            return found
        time.sleep(0.05)
    process.kill()  # one that never answers would hold its port and its lock
    process.wait()
    raise ArenaError(f"`{command[0]}` of the arena did not start. Its log ends with: {_tail(log)}")


def _answers(url: str) -> bool:
    """Whether a server is there: it may be listening and not yet serve."""
    with requests.Session() as session:
        session.trust_env = False
        try:
            session.get(url, timeout=60).close()
        except requests.RequestException:
            return False
    return True


def stop() -> bool:
    """Stop the workspace's arena; its round continues when one is started again. False when there is none."""
    return _stop(place.SERVER)


def close_door() -> bool:
    """Close the door through which an arena elsewhere asks this machine's API. False when none is open."""
    return _stop(place.DOOR)


def _stop(name: str) -> bool:
    found = place.read_address(place.folder() / name)
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


def _reachable(url: str, arena: str) -> str:
    """The API's URL as that arena can ask it: through a door, when the API is on this machine and the arena is not."""
    there = urlsplit(arena).hostname or ""
    if not _is_here(urlsplit(url).hostname or "") or _is_here(there):
        return url
    place.folder().mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(place.folder() / "door.lock", timeout=START_SECONDS * 2):
        found = place.read_address(place.folder() / place.DOOR)
        if found and found["target"] == url:
            return found["url"]
        _stop(place.DOOR)
        try:
            own = address_towards(there)
        except OSError as error:
            raise ArenaError(f"There is no way from here to the arena at {there}: {error}.") from None
        return _launch(place.DOOR, "door", url, "--host", own)["url"]


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def join(ws: Any, url: str, alias: str | None = None, arena: str | None = None) -> Entry:
    """Enter the arena with the URL of one's live-inference API.

    Parameters
    ----------
    ws : the workshop object, whose `participant` is the alias unless one is given (None: the arena makes one up)
    url : the API; the arena asks it `?features=<12 values>` at once, and says what is wrong if it does not answer
    alias : the name on the board
    arena : address of an arena elsewhere (default: ARENA_URL, else the workspace's own, started if need be)

    Entering again under the same alias points the entry at the new URL. When the arena is on another machine of the
    room and the API on this one, a door to this one API is opened on this machine (`helpers.arena.door`). Raises
    ArenaError.
    """
    client = find(arena) or start(*options_for(ws))
    url = _reachable(url, client.url)
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
