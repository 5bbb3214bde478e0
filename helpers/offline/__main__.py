"""`python -m helpers.offline start|stop|status|reset|env|operations`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

from helpers.offline import process
from helpers.offline.damage import Unreadable
from helpers.offline.process import OfflineError


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m helpers.offline", description="The offline AWS of this workspace.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    start = commands.add_parser("start", help="start it, or find it running")
    serve = commands.add_parser("serve", help="run it in the foreground")
    for command in (start, serve):
        command.add_argument("--port", type=int, help="preferred port; a free one is taken if it is busy")
        command.add_argument("--idle-hours", type=float, help="end after so long without a request (default 12)")
    commands.add_parser("stop", help="flush what is buffered, keep the state, end")
    commands.add_parser("status", help="is it running, where, and what does it hold").add_argument(
        "--json", action="store_true"
    )
    commands.add_parser("reset", help="stop it and delete everything it holds")
    env = commands.add_parser("env", help="shell exports for the AWS CLI and the SDKs; starts it if need be")
    env.add_argument("--json", action="store_true", help="for programs")
    commands.add_parser("operations", help="what is supported, as Markdown").add_argument(
        "--write", action="store_true", help="bring docs/offline-aws.md up to date"
    )
    options = parser.parse_args(arguments)
    try:
        return _run(options)
    except (OfflineError, Unreadable) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return 130


def _run(options: argparse.Namespace) -> int:
    directory = process.workspace_directory()
    match options.command:
        case "serve":
            from helpers.offline.server import serve

            return serve(directory, port=options.port, idle_hours=options.idle_hours)
        case "start":
            state = process.start(directory, port=options.port, idle_hours=options.idle_hours)
            print(f"The offline AWS answers at {state.endpoint_url} (process {state.pid}).")
        case "stop":
            print("Stopped." if process.stop(directory) else "It was not running.")
        case "status":
            _print_status(process.status(directory), as_json=options.json)
        case "reset":
            process.reset(directory)
            print(f"Everything that the offline AWS held in {directory} is deleted.")
        case "env":
            from helpers.offline.environment import client_environment, shell_exports

            environment = client_environment(directory, process.start(directory))
            print(json.dumps(environment, indent=1) if options.json else shell_exports(environment))
        case "operations":
            from helpers.offline import operations

            if options.write:
                operations.DOCUMENT.write_text(operations.document(operations.DOCUMENT.read_text()))
            else:
                print(operations.as_markdown())
    return 0


def _print_status(status: dict[str, object], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(status, indent=1))
        return
    for name, value in status.items():
        if isinstance(value, dict):
            value = ", ".join(f"{key} {number}" for key, number in value.items()) or "nothing"
        print(f"{name.replace('_', ' '):22} {value}")


if __name__ == "__main__":
    sys.exit(main())
