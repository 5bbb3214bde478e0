"""What a job leaves in its directory, read by the server, which is not confined as the job was.

A job may put links in the place of its files and folders; what they lead to is not the job's.
"""

from __future__ import annotations

import gzip
import io
import os
import stat
import tarfile
from pathlib import Path

LONGEST_FAILURE_BYTES = 65_536


def regular_files(home: Path, folder: Path) -> list[Path]:
    """The files in a folder below `home`, in the order of their paths; none through a link. `home` is trusted."""
    if not is_own(home, folder):
        return []
    found = [Path(place) / name for place, _, names in os.walk(folder) for name in names]
    return sorted(path for path in found if stat.S_ISREG(path.lstat().st_mode))


def is_own(home: Path, path: Path) -> bool:
    """It is there, and no part of it below `home` is a link."""
    return path.exists() and path.resolve() == home.resolve() / path.relative_to(home)


def text_of(home: Path, path: Path) -> str:
    """The beginning of a file; nothing where there is none of the job's own."""
    if not is_own(home, path) or not path.is_file():
        return ""
    with path.open("rb") as file:
        return file.read(LONGEST_FAILURE_BYTES).decode("utf-8", "replace")


def packed(home: Path, *folders: Path) -> bytes:
    """The content of the folders as one tar.gz, the same bytes for the same content; of one name, the first counts."""
    plain = io.BytesIO()
    found: dict[str, Path] = {}
    for folder in folders:
        for path in regular_files(home, folder):
            found.setdefault(str(path.relative_to(folder)), path)
    with tarfile.open(fileobj=plain, mode="w") as archive:
        for name, path in found.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = path.stat().st_size, 0o644
            with path.open("rb") as file:
                archive.addfile(entry, file)
    return gzip.compress(plain.getvalue(), compresslevel=1, mtime=0)
