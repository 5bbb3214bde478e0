"""The options of `python -m helpers.arena`, and the round that they describe."""

import argparse
import secrets
from pathlib import Path

from helpers.arena import place
from helpers.arena.door import PORT as DOOR_PORT
from helpers.arena.rounds import Settings


def command_line() -> argparse.ArgumentParser:
    """What can be said on the command line."""
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


def round_settings(arguments: argparse.Namespace) -> Settings:
    """The first round as the options want it; a short one hides nothing, unless told to. Raises RoundError."""
    changes = {k: v for k in Settings().as_dict() if (v := getattr(arguments, k, None)) is not None}
    changes.setdefault("seed", secrets.randbelow(2**31))
    if changes.get("seconds", 1800) <= 120:
        changes.setdefault("hide_seconds", 0.0)
    return Settings().with_changes(changes)
