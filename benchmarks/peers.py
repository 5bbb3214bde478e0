"""The peers: each in an environment of its own under build/peers, installed once, started on a free port."""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PEERS = Path(__file__).resolve().parents[1] / "build" / "peers"
REQUIREMENTS = {
    "moto": ["moto[server]==5.2.5"],
    "ministack": ["ministack==1.5.33"],
    "mlflow": ["mlflow==3.17.2", "xgboost-cpu==3.2.0", "pandas", "scikit-learn"],
}


def python_of(name: str) -> Path:
    """The peer's own Python; the first call makes its environment, which needs a network."""
    folder = PEERS / name
    python = folder / "bin" / "python"
    stamp = folder / "installed"
    wanted = "\n".join(REQUIREMENTS[name])
    if not (stamp.exists() and stamp.read_text() == wanted):
        print(f"  installing {', '.join(REQUIREMENTS[name])} into {folder.relative_to(PEERS.parents[1])}", flush=True)
        venv.EnvBuilder(with_pip=True, clear=True).create(folder)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "--quiet", *REQUIREMENTS[name]], check=True)
        stamp.write_text(wanted)
    return python


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def is_answering(url: str) -> bool:
    """Whether anything speaks HTTP there, whatever it says."""
    try:
        urllib.request.urlopen(url, timeout=2).close()
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


@contextmanager
def running(command: list[str], url: str, environment: dict[str, str] | None = None) -> Iterator[subprocess.Popen]:
    """`command` as a process that is stopped when the block ends; the block begins when `url` answers."""
    process = subprocess.Popen(
        list(map(str, command)),
        env=os.environ | (environment or {}),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 90
        while not is_answering(url):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"The peer did not start: {' '.join(map(str, command))}")
            time.sleep(0.01)
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()


@contextmanager
def moto_server() -> Iterator[str]:
    """moto's own server; yields its URL."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with running([python_of("moto").parent / "moto_server", "-p", str(port)], url + "/moto-api/"):
        yield url


@contextmanager
def constant_server(body: str) -> Iterator[str]:
    """A server of this project's kind (uvicorn, raw ASGI) that answers every request with `body`; yields its URL."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "benchmarks.constant", str(port)]
    with running(command, url, {"CONSTANT_BODY": body, "PYTHONPATH": str(PEERS.parents[1])}):
        yield url
