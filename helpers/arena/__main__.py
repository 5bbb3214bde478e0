"""`python -m helpers.arena`: serve the arena on this machine, or read its log."""

import argparse
import contextlib
import gc
import json
import os
import secrets
import socket
import sys
import webbrowser
from pathlib import Path

import filelock
import uvicorn

from helpers.arena import place, replay
from helpers.arena.door import Door
from helpers.arena.guard import Guard
from helpers.arena.listening import address_towards, listen
from helpers.arena.opponents import Opponent
from helpers.arena.options import command_line, round_settings
from helpers.arena.rounds import RoundError
from helpers.arena.server import Arena
from helpers.arena.store import Store


def _own_address(host: str) -> str:
    """This machine's address in the room's network, when the server listens to all."""
    if host not in ("0.0.0.0", "::"):
        return host
    try:
        return address_towards("192.0.2.1")  # of RFC 5737, nobody's: whatever leads out
    except OSError:
        return "127.0.0.1"


class _Server(uvicorn.Server):
    """Ends the viewers' streams before it waits for their connections: they would never end by themselves."""

    def __init__(self, config: uvicorn.Config, arena: Arena) -> None:
        super().__init__(config)
        self.arena = arena

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self.arena.board.close()
        await super().shutdown(sockets)


def _run(server: uvicorn.Server, listening: socket.socket, address_file: Path) -> None:
    """Until it is stopped; then nobody finds it any more."""
    try:
        with contextlib.suppress(KeyboardInterrupt):
            server.run(sockets=[listening])
    finally:
        address_file.unlink(missing_ok=True)


def _serve(arguments: argparse.Namespace, store_path: Path) -> int:
    opponents = []
    for item in arguments.house:
        alias, _, url = item.partition("=")
        if not alias or not url:
            raise SystemExit(f"--house takes NAME=URL, got {item!r}.")
        opponents.append(Opponent(alias, url))
    guard = Guard.parse(arguments.allow or ["loopback"])
    settings = round_settings(arguments)
    store_path.parent.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(f"{store_path}.lock")
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        raise SystemExit(f"Another arena plays with {store_path}. Use its page, or name another --store.") from None
    listening = listen(arguments.host, arguments.port)
    port = listening.getsockname()[1]
    address = _own_address(arguments.host)
    url = f"http://{address}:{port}/"
    public = arguments.public_url or (url if address != "127.0.0.1" else "")
    token = _token(store_path.parent / "instructor.token")
    arena = Arena(
        Store(store_path),
        guard,
        token,
        settings,
        opponents=opponents,
        baseline=not arguments.no_baseline,
        public_url=public,
        entries_per_minute=arguments.entries_per_minute,
    )
    local = url if arguments.host not in ("0.0.0.0", "::") else f"http://127.0.0.1:{port}/"
    address_file = store_path.parent / place.SERVER
    place.write_address(address_file, url=local, token=token)
    print(f"Projector   {url}\nPhones      {public or url}phone\nInstructor  {local}instructor#{token}", flush=True)
    print(
        f"The arena calls {guard.describe()}. Log: {store_path}. Ctrl+C stops; the round continues next time.",
        flush=True,
    )
    if arguments.open:
        webbrowser.open(local)
        webbrowser.open(f"{local}instructor#{token}")
    config = uvicorn.Config(
        arena.app,
        loop="asyncio",  # ticks come to the microsecond; uvloop counts in milliseconds
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=2,
        server_header=False,
    )
    server = _Server(config, arena)
    if arguments.idle_minutes:
        arena.when_idle(arguments.idle_minutes * 60, lambda: setattr(server, "should_exit", True))
    gc.collect()
    gc.freeze()  # what was imported stays: no full collection, each a stop of all play, goes through it again
    _run(server, listening, address_file)
    return 0


def _door(arguments: argparse.Namespace) -> int:
    """Serve the door until it is stopped, or nobody has asked for a long time."""
    listening = listen(arguments.host, arguments.port)
    door = Door(arguments.url)
    config = uvicorn.Config(door.app, log_level="warning", access_log=False, server_header=False)
    server = uvicorn.Server(config)
    door.when_idle(lambda: setattr(server, "should_exit", True))
    address_file = place.folder() / place.DOOR
    address_file.parent.mkdir(parents=True, exist_ok=True)
    public = door.public_url(arguments.host, listening.getsockname()[1])
    place.write_address(address_file, url=public, target=arguments.url)
    print(f"{public} leads to {arguments.url}, and nowhere else.", flush=True)
    _run(server, listening, address_file)
    return 0


def _token(path: Path) -> str:
    """The instructor's token: made once for a workspace, kept where only its owner reads."""
    try:
        kept = path.read_text().strip()
    except FileNotFoundError:
        kept = ""
    if len(kept) >= 32:
        return kept
    token = secrets.token_urlsafe(24)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(token)
    return token


def _read(arguments: argparse.Namespace, store_path: Path) -> int:
    if not store_path.exists():
        raise SystemExit(f"There is no store at {store_path}.")
    store = Store(store_path)
    rounds = {r.id: r for r in store.rounds()}
    try:
        if arguments.command == "rounds":
            for row in rounds.values():
                print(f"{row.id:4}  {row.phase:9}  {row.settings.seconds:6.0f} s  {row.settings.rate:g}/s")
        elif arguments.command == "compare":
            table = replay.compare(store, rounds[arguments.first], rounds[arguments.second])
            print(json.dumps(table, indent=1))
        else:
            row = rounds[arguments.round or max(rounds)]
            text = replay.as_csv(replay.courses(store, row))
            if arguments.out:
                arguments.out.write_text(text)
            else:
                sys.stdout.write(text)
    except KeyError as error:
        raise SystemExit(f"The store has no round {error}; it has {', '.join(map(str, rounds)) or 'none'}.") from None
    return 0


def main(argv: list[str] | None = None) -> int:
    argv = sys.argv[1:] if argv is None else argv
    parser = command_line()
    known = {"serve", "export", "compare", "rounds", "door", "stop"}
    if not known & set(argv) and not {"-h", "--help"} & set(argv[:1]):
        argv = ["serve", *argv]
    arguments = parser.parse_args(argv)
    if arguments.command == "stop":
        from helpers.arena.client import close_door, stop

        print("The arena has stopped." if stop() else "No arena runs in this workspace.")
        if close_door():
            print("The door is closed.")
        return 0
    store_path = (arguments.store or place.folder() / "arena.db").resolve()
    try:
        if arguments.command == "door":
            return _door(arguments)
        return (_serve if arguments.command == "serve" else _read)(arguments, store_path)
    except (RoundError, ValueError) as error:
        raise SystemExit(str(error)) from None
    except OSError as error:
        raise SystemExit(_refused_by_the_system(error)) from None


def _refused_by_the_system(error: OSError) -> str:
    """What to do about a folder that cannot be written, or whatever else the system says."""
    if not error.filename:
        return str(error)
    return (
        f"The arena cannot write to {Path(error.filename).parent} ({error.strerror}): make room or make it writable, "
        "or name another place with --store, or another workspace in WORKSHOP_DIR."
    )


if __name__ == "__main__":
    sys.exit(main())
