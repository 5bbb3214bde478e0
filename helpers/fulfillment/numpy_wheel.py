"""numpy's files for a Lambda function: from this installation where it fits the function's runtime, else from pip.

Lambda's Python runtimes hold boto3 and no numpy. The version is always the installed one, so that a stream of samples
is the same bytes here and there.
"""

from __future__ import annotations

import platform
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path, PurePosixPath

# Runtimes on Amazon Linux 2023 (C library 2.34). numpy's wheels ask for 2.27; AWS's python3.11 has 2.26.
RUNTIMES = ("python3.12", "python3.13")
ARCHITECTURES = {"x86_64": "x86_64", "arm64": "aarch64"}  # Lambda's name: the wheels' name
MANYLINUX = ("manylinux_2_28", "manylinux_2_27", "manylinux2014")
_LEFT_OUT_FOLDERS = {"tests", "__pycache__", "f2py", "distutils", "_pyinstaller", "include", "pkgconfig", ".."}
_LEFT_OUT_ENDINGS = (".pyi", ".pxd", ".h", ".a", ".lib", ".pyc", ".md", ".rst")
_LEFT_OUT_NAMES = {"RECORD", "INSTALLER", "REQUESTED", "direct_url.json", "entry_points.txt"}


class NumpyUnavailable(RuntimeError):
    """numpy for that runtime is neither installed here nor to be had from the package index."""


def files(runtime: str | None = None, architecture: str = "x86_64") -> Iterator[tuple[str, bytes]]:
    """Name in the zip and content of each of numpy's files that a running function needs, about 25 MB zipped.

    Parameters: the function's runtime, one of RUNTIMES, and its architecture (x86_64 or arm64); without a runtime, for
    the offline AWS, which runs functions on the Python that runs the workshop.
    Raises ValueError for a runtime on which numpy cannot run, NumpyUnavailable when it cannot be had.
    """
    if runtime is None:
        return installed()
    if runtime not in RUNTIMES:
        raise ValueError(
            f"numpy {version()} runs on Lambda's {' and '.join(RUNTIMES)}, got {runtime!r} "
            "(python3.11 and older have a C library that is too old for it)."
        )
    if architecture not in ARCHITECTURES:
        raise ValueError(f"The architecture is {' or '.join(ARCHITECTURES)}, got {architecture!r}.")
    return installed() if _fits(runtime, architecture) else downloaded(runtime, architecture)


def version() -> str:
    """Version of the installed numpy."""
    return metadata.version("numpy")


def installed() -> Iterator[tuple[str, bytes]]:
    """The files of this Python's numpy."""
    for file in metadata.files("numpy") or ():
        if _needed(file.as_posix()):
            yield file.as_posix(), Path(file.locate()).read_bytes()


def downloaded(runtime: str, architecture: str) -> Iterator[tuple[str, bytes]]:
    """The files of the wheel for that runtime, which pip downloads."""
    with tempfile.TemporaryDirectory() as folder:
        platforms = [f"--platform={name}_{ARCHITECTURES[architecture]}" for name in MANYLINUX]
        done = subprocess.run(
            [
                sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "--no-input",
                "--disable-pip-version-check", "--retries=1", "--timeout=15", *platforms, "--implementation=cp",
                f"--python-version={runtime.removeprefix('python')}", f"--dest={folder}", f"numpy=={version()}",
            ],
            capture_output=True, text=True,
        )  # fmt: skip
        wheels = list(Path(folder).glob("*.whl"))
        if done.returncode or not wheels:
            lines = done.stderr.splitlines() or ["no wheel came"]
            said = next((line for line in reversed(lines) if line.startswith("ERROR")), lines[-1])
            raise NumpyUnavailable(
                f"numpy {version()} for {runtime} on {architecture} could not be downloaded ({said}). It takes a "
                f"network; without one, package on Linux {architecture} with Python {runtime.removeprefix('python')}."
            )
        with zipfile.ZipFile(wheels[0]) as wheel:
            for name in sorted(wheel.namelist()):
                if not name.endswith("/") and _needed(name):
                    yield name, wheel.read(name)


def _fits(runtime: str, architecture: str) -> bool:
    """Would this Python's numpy run there?"""
    here = f"python{sys.version_info.major}.{sys.version_info.minor}"
    machine = {"amd64": "x86_64", "aarch64": "arm64"}.get(platform.machine().lower(), platform.machine().lower())
    wheel = metadata.distribution("numpy").read_text("WHEEL") or ""
    return sys.platform == "linux" and (here, machine) == (runtime, architecture) and "manylinux" in wheel


def _needed(name: str) -> bool:
    path = PurePosixPath(name)
    if _LEFT_OUT_FOLDERS.intersection(path.parts) or path.name in _LEFT_OUT_NAMES:
        return False
    return ".dist-info" in path.parts[0] or not name.endswith(_LEFT_OUT_ENDINGS)
