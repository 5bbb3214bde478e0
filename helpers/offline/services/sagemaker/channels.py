"""The channels of a training job: which S3 objects they are, and how they come into the job's directory."""

from __future__ import annotations

import errno
import gzip
import json
import os
import re
import shutil
import threading
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from helpers.offline.kernel import AwsError, Kernel
from helpers.offline.services.sagemaker import roles
from helpers.offline.services.sagemaker.store import invalid

FULL = "Insufficient disk space"
KEPT_FREE_BYTES = 256 << 20  # of this machine's disk, so that S3 and the others can still write
CHUNK_BYTES, STEP_BYTES = 1 << 20, 64 << 20
S3_HOST = re.compile(r"(?:(?P<bucket>.+)\.)?s3(?:[.-][a-z0-9-]+)?\.amazonaws\.com(?:\.cn)?")
CANNOT_COPY_RANGES = (errno.EXDEV, errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP)


@dataclass(frozen=True, slots=True)
class Source:
    """`relative` is where the object goes below the channel's folder."""

    bucket: str
    key: str
    relative: str
    size: int


def split_uri(uri: str) -> tuple[str, str]:
    """s3://bucket/key, or S3's https addresses in path style and virtual-hosted style -> (bucket, key)."""
    scheme, _, rest = uri.partition("://")
    host, _, path = rest.partition("/")
    if scheme != "https":
        return host, path
    place = S3_HOST.fullmatch(host)
    if place is not None and place["bucket"]:
        return place["bucket"], path
    bucket, _, key = path.partition("/")
    return bucket, key


def check(kernel: Kernel, region: str, role_arn: str, channels: list[dict[str, Any]]) -> None:
    """What CreateTrainingJob looks at before it accepts the job. Raises AwsError."""
    names = [channel["ChannelName"] for channel in channels]
    if len(set(names)) < len(names):
        raise invalid("Channel names must be unique.")
    for channel in channels:
        source = channel.get("DataSource", {}).get("S3DataSource")
        if source is None:
            raise AwsError("NotImplemented", "The offline AWS supports training data from S3 only.", 501)
        if source["S3DataType"] not in ("S3Prefix", "ManifestFile"):
            raise AwsError(
                "NotImplemented", f"The offline AWS does not support S3DataType {source['S3DataType']}.", 501
            )
        uri = source["S3Uri"]
        bucket, key = split_uri(uri)
        problem = roles.refusal(kernel, role_arn, "ListObjectsV2", bucket)
        there = kernel.ports.objects.region_of(bucket)
        if there not in (None, region):
            problem = f"The bucket is in this region: {there}. Please use this region to retry the request"
        if problem is None:
            try:
                if kernel.ports.objects.list(bucket, key):
                    continue
            except AwsError as error:
                problem = error.message
        told = f" Error message from S3: {problem}" if problem else ""
        raise invalid(
            f'No S3 objects found under S3 URL "{uri}" given in input data source. Please ensure that the bucket '
            f"exists in the selected region ({region}), that objects exist under that S3 prefix, and that the role "
            f'"{role_arn}" has "s3:ListBucket" permissions on bucket "{bucket}".{told}'
        )


def sources(kernel: Kernel, channel: dict[str, Any]) -> list[Source]:
    """The channel's objects. Raises AwsError."""
    data = channel["DataSource"]["S3DataSource"]
    bucket, prefix = split_uri(data["S3Uri"])
    if data.get("S3DataType") == "ManifestFile":
        base_bucket, base, names = _manifest(kernel.ports.objects.get(bucket, prefix), data["S3Uri"])
        sizes = {found.key: found.size for found in kernel.ports.objects.list(base_bucket, base)}
        return [Source(base_bucket, base + name, name, sizes.get(base + name, 0)) for name in names]
    folder = len(prefix.rpartition("/")[0]) + 1 if "/" in prefix else 0
    return [
        Source(bucket, found.key, found.key[folder:].lstrip("/"), found.size)
        for found in kernel.ports.objects.list(bucket, prefix)
        if not found.key.endswith("/")
    ]


def _manifest(content: bytes, uri: str) -> tuple[str, str, list[str]]:
    """(bucket, prefix, names below it) of a manifest: [{"prefix": "s3://bucket/path/"}, "name", …]."""
    try:
        (first, *names) = json.loads(content)
        bucket, prefix = split_uri(first["prefix"])
    except (ValueError, TypeError, KeyError):
        names, bucket, prefix = [], "", ""
    if not bucket or not all(isinstance(name, str) for name in names):
        raise AwsError(
            "ValidationException",
            f'The manifest {uri} is not a JSON array of {{"prefix": "s3://…"}} and the names of objects below it.',
        )
    return bucket, prefix, names


def refuse_half_a_name(kernel: Kernel, source: dict[str, Any]) -> None:
    """FastFile mode wants a whole object or folder. Raises AwsError."""
    bucket, prefix = split_uri(source["S3Uri"])
    if source["S3DataType"] != "S3Prefix" or not prefix or prefix.endswith("/"):
        return
    found = [entry.key for entry in kernel.ports.objects.list(bucket, prefix)]
    if prefix not in found and not all(key.startswith(f"{prefix}/") for key in found):
        raise invalid(
            "Failed to download data. For FastFile mode, partial S3 prefix is not supported. S3 prefix has to end with "
            "a full file or folder. Add a trailing '/' to the S3 prefix if it ends with a folder name that is also a "
            "prefix for other folders."
        )


class Interrupted(Exception):
    """The job was told to stop while its data came."""


class Room:
    """What is left of a host's ML storage volume, and of the disk that it really is; `stopping` ends what fills it."""

    def __init__(
        self, folder: Path, volume_bytes: float = float("inf"), stopping: threading.Event | None = None
    ) -> None:
        self.folder = folder
        self.left = volume_bytes
        self.stopping = stopping

    def take(self, size: int) -> None:
        """Raises OSError ENOSPC in SageMaker's words where the volume, or this machine's disk, has no such room."""
        self.go_on()
        self.left -= size
        disk = shutil.disk_usage(self.folder)
        if self.left < 0 or size > disk.free - min(KEPT_FREE_BYTES, disk.total // 20):
            raise OSError(errno.ENOSPC, FULL)

    def go_on(self) -> None:
        """Raises Interrupted."""
        if self.stopping is not None and self.stopping.is_set():
            raise Interrupted


def download(kernel: Kernel, channel: dict[str, Any], folder: Path, room: Room, host: int, hosts: int) -> None:
    """Puts a host's share of the channel into `folder`: copies, so that nothing a job does reaches S3's own files.

    Raises AwsError, OSError or Interrupted.
    """
    folder.mkdir(parents=True, exist_ok=True)
    is_sharded = channel["DataSource"]["S3DataSource"].get("S3DataDistributionType") == "ShardedByS3Key"
    for position, source in enumerate(sources(kernel, channel)):
        if is_sharded and position % hosts != host:
            continue
        target = folder / inside(source.relative)
        target.parent.mkdir(parents=True, exist_ok=True)
        path = kernel.ports.objects.local_path(source.bucket, source.key)
        if channel.get("CompressionType") == "Gzip":
            unpack(path, target.with_name(target.name.removesuffix(".gz")), room)
        else:
            room.take(path.stat().st_size)
            copy(path, target, room)


def share(first: Path, folder: Path, room: Room) -> None:
    """Gives another host of the same job the channel that the first one has: links where the file system can."""
    for path in _files(first):
        target = folder / path.relative_to(first)
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(path, target)
        except OSError:
            room.take(path.stat().st_size)
            shutil.copyfile(path, target)


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file())


def copy(source: Path, target: Path, room: Room) -> None:
    """Of its own bytes; file systems that can (Btrfs, XFS) share them until one side is written.

    Raises OSError or Interrupted.
    """
    with source.open("rb") as read, target.open("wb") as written:
        if hasattr(os, "copy_file_range"):
            try:
                while os.copy_file_range(read.fileno(), written.fileno(), STEP_BYTES):
                    room.go_on()
                return
            except OSError as error:
                if error.errno not in CANNOT_COPY_RANGES:
                    raise
        while chunk := read.read(CHUNK_BYTES):
            room.go_on()
            written.write(chunk)


def unpack(source: Path, target: Path, room: Room) -> None:
    """A gzip file, no further than there is room. Raises OSError."""
    try:
        with gzip.open(source) as packed, target.open("wb") as plain:
            while chunk := packed.read(CHUNK_BYTES):
                room.take(len(chunk))
                plain.write(chunk)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise OSError(f"{target.name} cannot be decompressed: {error}") from None


def inside(relative: str) -> str:
    """The path without what would lead out of the folder."""
    parts = [part for part in PurePosixPath(relative).parts if part not in ("..", "/", ".")]
    return str(PurePosixPath(*parts)) if parts else "data"


def configuration(channel: dict[str, Any], input_mode: str) -> dict[str, Any]:
    """What the algorithm reads in inputdataconfig.json. `input_mode` is that of channels without one of their own.

    A file that is streamed on demand (FastFile) looks like any other to the algorithm.
    """
    mode = channel.get("InputMode", input_mode)
    told = {
        "ContentType": channel.get("ContentType"),
        "TrainingInputMode": "Pipe" if mode == "Pipe" else "File",
        "S3DistributionType": channel["DataSource"]["S3DataSource"].get("S3DataDistributionType", "FullyReplicated"),
        "RecordWrapperType": channel.get("RecordWrapperType", "None"),
    }
    return {name: value for name, value in told.items() if value}
