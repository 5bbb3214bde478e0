"""Deployment packages: an uploaded zip is checked, then unpacked once per content into the workspace."""

from __future__ import annotations

import io
import os
import shutil
import stat
import threading
import zipfile
from pathlib import Path, PurePosixPath

from helpers.offline.kernel import AwsError

# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
UNZIPPED_LIMIT_BYTES = 262_144_000
ZIPPED_LIMIT_BYTES = 52_428_800

_unpacking = threading.Lock()


def check(archive: bytes) -> None:
    """Raises AwsError where AWS, or the safety of this machine, refuses the archive."""
    if not archive:
        raise _refused("Uploaded file must be a non-empty zip")
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as package:
            entries = package.infolist()
            if sum(entry.file_size for entry in entries) > UNZIPPED_LIMIT_BYTES:
                raise _refused(f"Unzipped size must be smaller than {UNZIPPED_LIMIT_BYTES} bytes")
            broken = package.testzip()
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError, OSError) as error:
        raise _refused("Could not unzip uploaded file. Please check your file, then try to upload again.") from error
    if broken is not None:
        raise _refused("Could not unzip uploaded file. Please check your file, then try to upload again.")
    if not any(not entry.is_dir() for entry in entries):
        raise _refused("Uploaded file must be a non-empty zip")
    for entry in entries:
        _relative_path(entry)


def unpack(archive: bytes, digest: str, directory: Path) -> Path:
    """The folder that holds the archive's files, read-only. `digest` names it; unpacked once, torn never."""
    target = directory / digest
    if target.is_dir():
        return target
    with _unpacking:
        if target.is_dir():
            return target
        check(archive)
        directory.mkdir(parents=True, exist_ok=True)
        partial = directory / f".{digest}.{os.getpid()}"
        remove(partial)
        partial.mkdir()
        with zipfile.ZipFile(io.BytesIO(archive)) as package:
            for entry in package.infolist():
                _extract(package, entry, partial)
        for folder, _, _ in os.walk(partial, topdown=False):
            if folder != str(partial):
                os.chmod(folder, 0o555)
        partial.rename(target)  # the folder itself must stay writable for that
        os.chmod(target, 0o555)
        return target


def remove(target: Path) -> None:
    """Deletes an unpacked folder, read-only parts included."""
    if not target.is_dir():
        return
    for folder, _, _ in os.walk(target):
        os.chmod(folder, 0o755)
    shutil.rmtree(target, ignore_errors=True)


def bundles_its_own_sdk(target: Path) -> bool:
    """Whether the package brings a boto3 of its own, which must win over the one that is already imported."""
    return any((target / name).exists() for name in ("boto3", "botocore", "urllib3", "dateutil", "jmespath"))


def _extract(package: zipfile.ZipFile, entry: zipfile.ZipInfo, root: Path) -> None:
    path = root / _relative_path(entry)
    if entry.is_dir():
        path.mkdir(parents=True, exist_ok=True)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with package.open(entry) as source, open(path, "wb") as target:
        shutil.copyfileobj(source, target)
    executable = (entry.external_attr >> 16) & stat.S_IXUSR
    os.chmod(path, 0o555 if executable else 0o444)


def _relative_path(entry: zipfile.ZipInfo) -> Path:
    name = entry.filename.replace("\\", "/")
    path = PurePosixPath(name)
    escapes = path.is_absolute() or ".." in path.parts or ":" in (path.parts[0] if path.parts else "")
    if escapes or stat.S_ISLNK(entry.external_attr >> 16):
        kind = "a symbolic link" if not escapes else "a path outside of the package"
        raise _refused(
            f"Could not unzip uploaded file: entry '{entry.filename}' is {kind}, which the offline AWS refuses."
        )
    return Path(*path.parts) if path.parts else Path(".")


def _refused(message: str) -> AwsError:
    return AwsError("InvalidParameterValueException", message, 400, Type="User")
