"""A Python process with boto3 already imported, of which execution environments are forked in milliseconds.

Runs by path with the standard library alone: `python -I -S -B zygote.py FD SITE...`. It takes one order at a time from
its control socket and never runs user code itself. Linux only; elsewhere each environment is a fresh Python.
"""

from __future__ import annotations

import gc
import importlib.util
import json
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

ORDER_SIZE = 4096


def load_bootstrap() -> ModuleType:
    spec = importlib.util.spec_from_file_location("_lambda_bootstrap", Path(__file__).with_name("bootstrap.py"))
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def preload() -> list[Callable[[], object]]:
    """Imports what nearly every function imports. Returns what else is worth loading when there is time."""
    import logging  # noqa: F401

    import boto3
    from botocore import loaders

    read, kept = loaders.JSONFileLoader.load_file, {}

    def load_file(self: Any, file_path: str) -> Any:
        if file_path not in kept:
            kept[file_path] = read(self, file_path)
        return kept[file_path]

    loaders.JSONFileLoader.load_file = load_file
    session = boto3.Session(aws_access_key_id="-", aws_secret_access_key="-", region_name="us-east-1")
    services = ("sagemaker-runtime", "firehose", "cloudwatch", "s3", "sagemaker")
    return [partial(session.client, service, endpoint_url="http://127.0.0.1:9") for service in services]


def serve(control: socket.socket, bootstrap: ModuleType, later: list[Callable[[], object]]) -> None:
    """Takes orders; while there are none, does what was left for later, one thing at a time."""
    while True:
        while later and not select.select([control], [], [], 0.02)[0]:
            later.pop(0)()
            settle()
        order, descriptors, _, _ = socket.recv_fds(control, ORDER_SIZE, 2)
        if not order:
            return
        control.send(json.dumps(obey(json.loads(order), descriptors, control, bootstrap)).encode())


def obey(
    request: dict[str, Any], descriptors: list[int], control: socket.socket, bootstrap: ModuleType
) -> dict[str, object]:
    try:
        if request["do"] == "fork":
            return {"pid": fork(control, bootstrap, *descriptors)}
        return {"status": end(request["pid"], request["grace_s"])}
    except OSError as error:
        return {"error": str(error)}


def settle() -> None:
    """Keeps the pages that are there shared with the forks."""
    gc.collect()
    gc.freeze()


def fork(control: socket.socket, bootstrap: ModuleType, channel: int, output: int) -> int:
    pid = os.fork()
    if pid:
        os.close(channel)
        os.close(output)
        return pid
    status = 1
    try:
        control.close()
        os.setsid()
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.close(output)
        bootstrap.serve(socket.socket(fileno=channel), sys.argv[2:], bootstrap.confinement)
        status = 0
    except SystemExit as exit_:
        status = exit_.code if isinstance(exit_.code, int) else int(exit_.code is not None)
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def end(pid: int, grace_s: float) -> int:
    """Waits for the process up to `grace_s`, then kills it with its children. Returns its wait status."""
    deadline = time.monotonic() + grace_s
    while True:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return status
        if time.monotonic() >= deadline:
            break
        time.sleep(0.002)
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        os.kill(pid, signal.SIGKILL)
    return os.waitpid(pid, 0)[1]


if __name__ == "__main__":
    bootstrap_module = load_bootstrap()
    bootstrap_module.confinement = bootstrap_module.load_confinement()
    sys.meta_path.append(bootstrap_module.RuntimePackages(sys.argv[2:]))
    left_for_later = preload()
    settle()
    control_socket = socket.socket(fileno=int(sys.argv[1]))
    control_socket.send(b'{"ready": true}')
    serve(control_socket, bootstrap_module, left_for_later)
