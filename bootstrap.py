"""Make the workshop's environment in .venv: needs Python 3.11 to 3.13 and nothing else.

Standard library only, and written so that an older Python can still read it and say what is missing.
A second run finds everything in place, needs no network and installs nothing.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = os.path.dirname(os.path.abspath(__file__))
VENV = os.path.join(ROOT, ".venv")
PYTHON = os.path.join(VENV, "Scripts", "python.exe") if os.name == "nt" else os.path.join(VENV, "bin", "python")
STAMP = os.path.join(VENV, "workshop-installed")
LOG = os.path.join(VENV, "install.log")
KERNELS = os.path.join(VENV, "etc", "ipython", "ipython_kernel_config.py")  # read by every kernel of this environment
KERNEL_SETTINGS = """# A cell that breaks for a plain reason says it in a sentence, from a kernel's first cell on.
c.InteractiveShellApp.extensions = ["helpers.workshop.explain"]
"""
OVERRIDES = os.path.join(VENV, "share", "jupyter", "lab", "settings", "overrides.json")  # what JupyterLab begins with
LAB_SETTINGS = """{"@jupyterlab/apputils-extension:notification": {"checkForUpdates": false, "fetchNews": "false"}}
"""
JUPYTER = {KERNELS: KERNEL_SETTINGS, OVERRIDES: LAB_SETTINGS}
LOCK = os.path.join(ROOT, "requirements.txt")
OLDEST, NEWEST = (3, 11), (3, 13)
NEEDED_MB = 2500  # what the environment takes, with pip's temporary files


class SetupError(Exception):
    """Something that the reader has to mend; its text is the whole message."""


def check_python(version: tuple[int, int] | None = None) -> None:
    """Raise SetupError unless this Python can run the workshop."""
    version = version or sys.version_info[:2]
    if not OLDEST <= tuple(version) <= NEWEST:
        raise SetupError(
            f"The workshop needs Python 3.11, 3.12 or 3.13; this is {version[0]}.{version[1]} ({sys.executable}). "
            "Install one of them, then name it: make labs PYTHON=python3.12"
        )
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError:
        raise SetupError(
            f"This Python ({sys.executable}) cannot make virtual environments. "
            "On Debian and Ubuntu: sudo apt install python3-venv"
        ) from None


def check_disk(free_mb: int | None = None) -> None:
    """Raise SetupError when the environment would not fit."""
    free_mb = shutil.disk_usage(ROOT).free // 2**20 if free_mb is None else free_mb
    if free_mb < NEEDED_MB:
        raise SetupError(
            f"The workshop's environment needs {NEEDED_MB} MB of disk space, and {ROOT} has {free_mb} MB left. "
            "Free some space, then run again."
        )


def fingerprint() -> str:
    """What the environment was made from: the lock, the package's own metadata, this Python, this place."""
    digest = hashlib.sha256()
    for name in (LOCK, os.path.join(ROOT, "pyproject.toml")):
        with open(name, "rb") as file:
            digest.update(file.read())
    digest.update(f"{sys.version_info[:2]}\n{ROOT}".encode())
    return digest.hexdigest()


def is_ready() -> bool:
    try:
        with open(STAMP) as file:
            return file.read() == fingerprint() and os.path.exists(PYTHON)
    except OSError:
        return False


def remake_venv() -> None:
    import venv

    if os.path.isdir(VENV):
        shutil.rmtree(VENV)
    venv.EnvBuilder(with_pip=True, symlinks=os.name != "nt").create(VENV)


def pip(*arguments: str, count: int = 0) -> None:
    """Run pip quietly, its words in the log; show how many of `count` packages are resolved."""
    command = [PYTHON, "-m", "pip", "install", "--disable-pip-version-check", "--no-input"]
    started, seen, shown, unpacking = time.monotonic(), 0, 0.0, False
    with open(LOG, "a") as log:
        process = subprocess.Popen(
            command + list(arguments), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        for line in process.stdout:
            log.write(line)
            log.flush()
            seen += line.startswith(("Collecting ", "Processing ", "Ignoring "))
            begins_unpacking = line.startswith("Installing collected")
            unpacking = unpacking or begins_unpacking
            now = time.monotonic()
            due = begins_unpacking or (not unpacking and now - shown > (0.2 if sys.stdout.isatty() else 15))
            if count and due:
                shown = now
                what = "unpacking them (a minute or two)" if unpacking else f"{min(seen, count)} of {count} packages"
                show(f"  {what:<40}{now - started:4.0f} s")
        if process.wait() != 0:
            raise SetupError(
                "pip could not install the workshop's packages. The first time needs a network that reaches PyPI. "
                f"What pip said is in {LOG}; its last line: {last_line(LOG)}"
            )
    if count and sys.stdout.isatty():
        print()


def show(text: str) -> None:
    """One line that is written over on a terminal, and a line each elsewhere."""
    if sys.stdout.isatty():
        print("\r" + text, end="", flush=True)
    else:
        print(text, flush=True)


def last_line(path: str) -> str:
    with open(path, errors="replace") as file:
        lines = [line.strip() for line in file if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR")]
    return (errors or lines or ["(nothing)"])[-1]


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Wait while another set-up of this folder is running; a killed one leaves nothing locked."""
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    with open(os.path.join(ROOT, ".venv.lock"), "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("Another set-up is running here; waiting for it.", flush=True)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def main() -> None:
    check_python()
    try:
        if not is_ready():
            with alone():
                if not is_ready():
                    set_up()
        set_up_jupyter()
    except OSError as error:
        raise SetupError(f"The environment could not be written: {error}.") from error


def set_up() -> None:
    check_disk()
    with open(LOCK) as file:
        count = sum(1 for line in file if re.match(r"[A-Za-z0-9].*==", line))
    print(f"Setting up the workshop in .venv (once; {count} packages, a few minutes on an ordinary line)", flush=True)
    started = time.monotonic()
    remake_venv()
    pip("--prefer-binary", "-r", LOCK, count=count)
    pip("--no-deps", "--no-build-isolation", "-e", ROOT)
    # Training jobs and Lambda functions may not write here: without this they would compile at each start.
    subprocess.run([PYTHON, "-m", "compileall", "-q", os.path.join(ROOT, "helpers")], check=False)
    with open(STAMP, "w") as file:
        file.write(fingerprint())
    print(f"Ready after {time.monotonic() - started:.0f} s", flush=True)


def set_up_jupyter() -> None:
    """Kernels explain errors; JupyterLab does not ask whether it may fetch news, which it could not offline."""
    for path, text in JUPYTER.items():
        if not os.path.exists(path):
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w") as file:
                file.write(text)


if __name__ == "__main__":
    try:
        main()
    except SetupError as error:
        print(error, file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("\nStopped. Nothing is lost: the next run starts the set-up again.", file=sys.stderr)
        sys.exit(130)
