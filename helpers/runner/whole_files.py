"""Files that are there whole or not at all, however a run ends."""

import contextlib
import os
import tempfile
from pathlib import Path


def write_whole(path: Path, text: str) -> None:
    """Write `text` to `path` in UTF-8; until all of it is on the disk, what was there before stays.

    Raises
    ------
    OSError
        If it could not be written; its `filename` is `path`, which is as it was.
    """
    temporary = None
    try:
        descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, path.stat().st_mode & 0o777 if path.exists() else 0o666 & ~_umask())
        os.replace(temporary, path)
    except BaseException as error:
        if temporary:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
        if isinstance(error, OSError):
            error.filename, error.filename2 = str(path), None
        raise


def remove_pieces(folder: Path) -> None:
    """Remove what a killed run had begun to write in `folder`."""
    for pattern in (".*.ipynb-*", ".*.html-*"):
        for piece in folder.glob(pattern):
            piece.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
