"""One execution environment of a function: imports the handler, then answers invocations that come over a socket.

Runs in a process of its own, by path, with the standard library alone: `python -I -S -B bootstrap.py FD SITE...`.
A frame is two lengths, a JSON header and a payload. The first frame that comes in holds the settings; the first that
goes out says whether the handler could be imported. What the function prints goes to file descriptors 1 and 2, never to
the socket.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.machinery
import importlib.util
import json
import os
import select
import socket
import struct
import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

FRAME = struct.Struct(">II")
TASK_ROOT_ON_AWS = "/var/task"

# What AWS's Python runtimes carry beside the standard library; anything else has to be in the zip, here as there.
RUNTIME_PACKAGES = frozenset({"boto3", "botocore", "s3transfer", "jmespath", "dateutil", "six", "urllib3"})


class RuntimePackages:
    """Finds the packages of AWS's runtime in this Python's site-packages, and nothing else that lies there."""

    def __init__(self, directories: Sequence[str]) -> None:
        self.directories = list(directories)

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> importlib.machinery.ModuleSpec | None:
        if path is None and name in RUNTIME_PACKAGES:
            return importlib.machinery.PathFinder.find_spec(name, self.directories)
        return None


class HandlerError(Exception):
    """The handler cannot be had: `kind` is AWS's errorType."""

    def __init__(self, kind: str, message: str, trace: list[str] | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.trace = trace or []


# --- Frames ----------------------------------------------------------------------------------------------------------


def receive(sock: socket.socket) -> tuple[dict[str, Any], bytes] | None:
    """The next frame, or None where the other side has closed."""
    lengths = _exactly(sock, FRAME.size)
    if lengths is None:
        return None
    header_size, payload_size = FRAME.unpack(lengths)
    data = _exactly(sock, header_size + payload_size)
    return None if data is None else (json.loads(data[:header_size]), data[header_size:])


def send(sock: socket.socket, header: dict[str, Any], payload: bytes = b"") -> None:
    encoded = json.dumps(header).encode()
    sock.sendall(FRAME.pack(len(encoded), len(payload)) + encoded + payload)


def _exactly(sock: socket.socket, size: int) -> bytes | None:
    data = sock.recv(size, socket.MSG_WAITALL)
    while len(data) < size:
        more = sock.recv(size - len(data))
        if not more:
            return None
        data += more
    return data


# --- What the handler is given ---------------------------------------------------------------------------------------


class CognitoIdentity:
    cognito_identity_id = None
    cognito_identity_pool_id = None


class Client:
    def __init__(self, values: dict[str, Any]) -> None:
        for name in ("installation_id", "app_title", "app_version_name", "app_version_code", "app_package_name"):
            setattr(self, name, values.get(name))


class ClientContext:
    def __init__(self, document: dict[str, Any]) -> None:
        self.custom = document.get("custom")
        self.env = document.get("env")
        self.client = Client(document.get("client") or {})


class LambdaContext:
    """The second argument of a handler."""

    def __init__(self, header: dict[str, Any]) -> None:
        self.aws_request_id = header["id"]
        self.invoked_function_arn = header["arn"]
        self.function_name = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
        self.function_version = os.environ["AWS_LAMBDA_FUNCTION_VERSION"]
        self.memory_limit_in_mb = os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]
        self.log_group_name = os.environ["AWS_LAMBDA_LOG_GROUP_NAME"]
        self.log_stream_name = os.environ["AWS_LAMBDA_LOG_STREAM_NAME"]
        self.identity = CognitoIdentity()
        self.client_context = ClientContext(header["client_context"]) if header.get("client_context") else None
        self._deadline_ms = header["deadline_ms"]

    def get_remaining_time_in_millis(self) -> int:
        return max(0, int(self._deadline_ms - time.time() * 1000))

    def log(self, message: object) -> None:
        sys.stdout.write(f"{message}\n")

    def __repr__(self) -> str:
        members = ",".join(f"{name}={value}" for name, value in vars(self).items() if not name.startswith("_"))
        return f"LambdaContext([{members}])"


def load_handler(name: str) -> Callable[[Any, LambdaContext], Any]:
    """Imports `module.function`. Raises HandlerError with AWS's words, or what the module raised itself."""
    module_name, dot, function_name = name.rpartition(".")
    if not dot:
        raise HandlerError(
            "Runtime.MalformedHandlerName", f"Bad handler '{name}': not enough values to unpack (expected 2, got 1)"
        )
    try:
        module = importlib.import_module(module_name.replace("/", "."))
    except ImportError as error:
        raise HandlerError("Runtime.ImportModuleError", f"Unable to import module '{module_name}': {error}") from error
    except SyntaxError as error:
        place = f'  File "{error.filename}" Line {error.lineno}\n    {(error.text or "").strip()}\n'
        raise HandlerError(
            "Runtime.UserCodeSyntaxError", f"Syntax error in module '{module_name}': {error}", [place]
        ) from error
    try:
        return getattr(module, function_name)
    except AttributeError:
        raise HandlerError(
            "Runtime.HandlerNotFound", f"Handler '{function_name}' missing on module '{module_name}'"
        ) from None


def encode_result(result: object) -> bytes:
    try:
        return json.dumps(result, ensure_ascii=False, allow_nan=False, default=_decimal).encode()
    except (TypeError, ValueError) as error:
        raise HandlerError("Runtime.MarshalError", f"Unable to marshal response: {error}") from error


def _decimal(value: object) -> float:
    if type(value).__name__ == "Decimal":
        return float(value)  # type: ignore[arg-type]
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


def describe_error(error: BaseException, request_id: str, task_root: str) -> dict[str, Any]:
    """The error document of AWS's Python runtime."""
    if isinstance(error, HandlerError):
        kind, trace = error.kind, error.trace
    else:
        kind = type(error).__name__
        frames = [
            frame
            for frame in traceback.extract_tb(error.__traceback__)
            if frame.filename != __file__ and not frame.filename.startswith("<frozen importlib")
            if not frame.filename.endswith("/importlib/__init__.py")
        ]
        trace = traceback.format_list(frames)
    return {
        "errorMessage": str(error),
        "errorType": kind,
        "requestId": request_id,
        "stackTrace": [line.replace(task_root, TASK_ROOT_ON_AWS) for line in trace],
    }


def print_error(document: dict[str, Any]) -> None:
    """One log event: carriage returns keep its lines together, as in AWS's runtime."""
    lines = [f"[ERROR] {document['errorType']}: {document['errorMessage']}"]
    if document["stackTrace"]:
        lines.append("Traceback (most recent call last):")
        lines += "".join(document["stackTrace"]).splitlines()
    print("\r".join(lines))


# --- The process -----------------------------------------------------------------------------------------------------


def prepare_process(settings: dict[str, Any]) -> None:
    """Environment, limits, directories and standard streams as the function shall find them."""
    os.environ.clear()
    os.environ.update(settings["environment"])
    if hasattr(time, "tzset"):
        time.tzset()
    tempfile = sys.modules.get("tempfile")
    if tempfile is not None:
        tempfile.tempdir = None
    os.chdir(settings["task_root"])
    sys.path.insert(0, settings["task_root"])
    sys.dont_write_bytecode = True
    sys.argv = [settings["handler"]]
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)


def set_up_logging() -> Callable[[str], None]:
    """AWS's root handler: `[INFO] time request-id message`. Returns what to call with each new request's id."""
    import logging

    current = {"id": ""}

    class RequestId(logging.Filter):
        def filter(self, record: logging.LogRecord) -> bool:
            record.aws_request_id = current["id"]
            return True

    class Output(logging.StreamHandler):
        def emit(self, record: logging.LogRecord) -> None:
            try:
                print(self.format(record).replace("\n", "\r"), flush=True)
            except Exception:
                self.handleError(record)

    handler = Output()
    formatter = logging.Formatter(
        "[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s", "%Y-%m-%dT%H:%M:%S"
    )
    formatter.converter = time.gmtime
    handler.setFormatter(formatter)
    handler.addFilter(RequestId())
    logging.getLogger().addHandler(handler)
    return lambda request_id: current.__setitem__("id", request_id)


def memory_mb() -> int:
    try:
        import resource
    except ImportError:
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (1024 * 1024 if sys.platform == "darwin" else 1024))


def end_with_server(sock: socket.socket) -> None:
    """Ends this process when the server has gone, even in the middle of an endless handler."""
    if not hasattr(select, "poll"):
        return
    poll = select.poll()
    poll.register(sock.fileno(), 0)  # hang-up is always reported; nothing else wakes this thread

    def watch() -> None:
        poll.poll()
        os._exit(0)

    threading.Thread(target=watch, name="end-with-server", daemon=True).start()


def load_confinement() -> ModuleType:
    """The module of that name, whose package is not on the path of what runs here."""
    path = Path(__file__).parents[2] / "confinement.py"
    spec = importlib.util.spec_from_file_location("_lambda_confinement", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def serve(sock: socket.socket, site: Sequence[str], confinement: ModuleType) -> None:
    """Answers invocations until the server closes the socket."""
    frame = receive(sock)
    if frame is None:
        return
    settings = frame[0]
    task_root = settings["task_root"]
    prepare_process(settings)
    confinement.limit(settings["limits"])
    confinement.confine([task_root, *site], settings["writable"])
    end_with_server(sock)
    name_request = set_up_logging()
    try:
        handler = load_handler(settings["handler"])
    except Exception as error:
        document = describe_error(error, "", task_root)
        print_error(document)
        _flush()
        send(sock, {"ready": False}, json.dumps(document).encode())
        return
    _flush()
    send(sock, {"ready": True, "init_ms": (time.time() - settings["born"]) * 1000})
    while (frame := receive(sock)) is not None:
        header, payload = frame
        name_request(header["id"])
        failed = False
        try:
            answer = encode_result(handler(json.loads(payload), LambdaContext(header)))
        except Exception as error:
            failed = True
            document = describe_error(error, header["id"], task_root)
            with contextlib.suppress(OSError):  # what it prints goes to a disk, which may be full; the answer does not
                print_error(document)
            answer = json.dumps(document).encode()
        _flush()
        send(sock, {"failed": failed, "memory_mb": memory_mb(), "ended": time.time()}, answer)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            continue


if __name__ == "__main__":
    descriptor, directories = int(sys.argv[1]), sys.argv[2:]
    sys.meta_path.append(RuntimePackages(directories))  # type: ignore[arg-type]
    os.set_inheritable(descriptor, False)
    serve(socket.socket(fileno=descriptor), directories, load_confinement())
