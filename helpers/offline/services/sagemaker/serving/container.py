"""A loaded model as an endpoint's container: bytes in, a status and bytes out."""

from __future__ import annotations

import io
import tarfile
from dataclasses import dataclass
from typing import Protocol

from helpers.offline.services.sagemaker.images import Image

LARGEST_MODEL_BYTES = 2 * 1024**3
LARGEST_RATIO = 100  # of what a model unpacks to and its archive: real ones have 2 to 10, a bomb has 1,000
SMALL_BYTES = 16 * 1024**2  # which may have any ratio


class LoadError(Exception):
    """The model cannot be served; the text says why."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What the container answers; `log` is what it writes to its log beside."""

    status: int
    content_type: str
    body: bytes
    log: str = ""


class Container(Protocol):
    def invoke(self, body: bytes, content_type: str | None, accept: str | None) -> Reply: ...


def refusal(status: int, text: str, log: str = "") -> Reply:
    return Reply(status, "text/html; charset=utf-8", text.encode(), log or text)


def crash(log: str) -> Reply:
    """What a container of Flask answers when its code raises: the framework's page, and the reason in the log alone."""
    title = "<title>500 Internal Server Error</title>\n<h1>Internal Server Error</h1>\n"
    text = "<p>The server encountered an internal error and was unable to complete your request.</p>\n"
    page = f"<!doctype html>\n<html lang=en>\n{title}{text}"
    return refusal(500, page, log)


def load(image: Image, files: dict[str, bytes], environment: dict[str, str]) -> Container:
    """Raises LoadError."""
    if image.algorithm == "xgboost":
        from helpers.offline.services.sagemaker.serving.xgboost_container import XGBoostContainer

        return XGBoostContainer(files, environment, image.version)
    if image.algorithm == "linear-learner":
        from helpers.offline.services.sagemaker.serving.linear_container import LinearContainer

        return LinearContainer(files)
    from helpers.offline.services.sagemaker.serving.neighbors_container import NeighborsContainer

    return NeighborsContainer(files)


def unpack(archive: bytes) -> dict[str, bytes]:
    """The regular files of a model.tar.gz, in memory: nothing is written, so no path can lead out of anywhere."""
    files: dict[str, bytes] = {}
    room = min(LARGEST_MODEL_BYTES, max(SMALL_BYTES, LARGEST_RATIO * len(archive)))
    try:
        with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as tar:
            for member in tar:
                if not member.isfile():
                    continue
                room -= member.size
                if room < 0:
                    raise LoadError(
                        "The model is larger than 2 GB when unpacked."
                        if LARGEST_RATIO * len(archive) >= LARGEST_MODEL_BYTES
                        else f"The model unpacks to more than {LARGEST_RATIO} times its size, which no model does."
                    )
                content = tar.extractfile(member)
                if content is not None:
                    files[member.name.removeprefix("./")] = content.read()
    except (tarfile.TarError, OSError, EOFError) as error:
        raise LoadError(f"The model data is not a tar.gz archive: {error}") from None
    return files
