"""`python -m helpers.arena`: serve the arena on this machine, or read its log."""

import argparse
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
from helpers.arena.door import PORT as DOOR_PORT
from helpers.arena.door import Door
from helpers.arena.guard import Guard
from helpers.arena.listening import address_towards, listen
from helpers.arena.opponents import Opponent
from helpers.arena.rounds import RoundError, Settings
from helpers.arena.server import Arena
from helpers.arena.store import Store


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m helpers.arena",
        description="The live competition: every API is asked about the same interactions, and a page ranks them.",
    )
    parser.add_argument("--store", type=Path, help="SQLite file (default: arena/arena.db in the workspace)")
    commands = parser.add_subparsers(dest="command")

    serve = commands.add_parser("serve", help="serve the page and play rounds (the default)")
    at = serve.add_argument_group("where")
    at.add_argument(
        "--host", default="127.0.0.1", help="0.0.0.0 for a room of phones and laptops (default %(default)s)"
    )
    at.add_argument(
        "--port", type=int, default=place.DEFAULT_PORT, help="the next free one if taken (default %(default)s)"
    )
    at.add_argument("--public-url", default="", help="where phones find this server, for the QR code")
    at.add_argument("--open", action="store_true", help="open the instructor's page and the projector's in the browser")
    at.add_argument("--idle-minutes", type=float, default=0, help="stop when nothing happened for so long (0: never)")
    who = serve.add_argument_group("who plays")
    who.add_argument(
        "--allow",
        action="append",
        metavar="WHAT",
        help="which addresses the arena may call; repeat it. loopback, aws (*.execute-api.*.amazonaws.com), a network"
        " such as 192.168.1.0/24, host:port, a host name or pattern. On this machine and in a network only API Gateway"
        " stages of an offline AWS are called, at host:port anything (default: loopback)",
    )
    who.add_argument("--house", action="append", default=[], metavar="NAME=URL", help="an opponent that always plays")
    who.add_argument(
        "--entries-per-minute",
        type=float,
        default=60,
        help="entries and changes from one address; a class behind one router is one address (default %(default)g)",
    )
    who.add_argument("--no-baseline", action="store_true", help="without the FC average")
    how = serve.add_argument_group("the round")
    for name, text in {
        "seconds": "length of the live part",
        "rate": "interactions a second",
        "warm_up_seconds": "warm-up before it",
        "window": "scored interactions that the ranking looks back on",
        "minimum": "scored interactions before an entry is ranked",
        "penalty_ms": "added to the FC average's error for a missing or wrong answer",
        "deadline_seconds": "later answers are missing answers",
        "speed": "warehouse seconds per second",
        "hide_seconds": "the ranking locks itself this long before the end",
        "change_at": "when conditions change; 0: when the instructor says so",
    }.items():
        default = getattr(Settings(), name)
        how.add_argument(f"--{name.replace('_', '-')}", type=type(default), help=f"{text} (default {default:g})")
    how.add_argument("--seed", type=int, help="of the stream (default: random, so that nobody knows what comes)")
    how.add_argument("--scenario", help="conditions after the change, e.g. PEAK_SEASON")

    export = commands.add_parser("export", help="one round as CSV")
    export.add_argument("--round", type=int, help="default: the last")
    export.add_argument("--out", type=Path, help="default: standard output")
    compare = commands.add_parser("compare", help="two rounds side by side")
    compare.add_argument("first", type=int)
    compare.add_argument("second", type=int)
    commands.add_parser("rounds", help="the rounds in the store")
    door = commands.add_parser(
        "door", help="let an arena in the room's network ask one API of this machine's offline AWS"
    )
    door.add_argument("url", help="of the API; `arena.join` opens the door by itself")
    door.add_argument("--host", required=True, help="this machine's address in the room's network")
    door.add_argument("--port", type=int, default=DOOR_PORT, help="the next free one if taken (default %(default)s)")
    commands.add_parser("stop", help="stop this workspace's arena, and close its door; its round continues next time")
    return parser


def _settings(arguments: argparse.Namespace) -> Settings:
    changes = {k: v for k in Settings().as_dict() if (v := getattr(arguments, k, None)) is not None}
    changes.setdefault("seed", secrets.randbelow(2**31))
    if changes.get("seconds", 1800) <= 120:
        changes.setdefault("hide_seconds", 0.0)
    return Settings().with_changes(changes)


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


def _serve(arguments: argparse.Namespace, store_path: Path) -> int:
    opponents = []
    for item in arguments.house:
        alias, _, url = item.partition("=")
        if not alias or not url:
            raise SystemExit(f"--house takes NAME=URL, got {item!r}.")
        opponents.append(Opponent(alias, url))
    guard = Guard.parse(arguments.allow or ["loopback"])
    settings = _settings(arguments)
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
    try:
        server.run(sockets=[listening])
    except KeyboardInterrupt:
        pass
    finally:
        address_file.unlink(missing_ok=True)
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
    try:
        server.run(sockets=[listening])
    except KeyboardInterrupt:
        pass
    finally:
        address_file.unlink(missing_ok=True)
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
    parser = _parser()
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
    except (RoundError, ValueError, OSError) as error:
        raise SystemExit(str(error)) from None


if __name__ == "__main__":
    sys.exit(main())
