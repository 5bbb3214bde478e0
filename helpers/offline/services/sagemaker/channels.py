"""The channels of a training job: which S3 objects they are, and how they come into the job's directory."""

from __future__ import annotations

import gzip
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from helpers.offline.kernel import AwsError, Kernel
from helpers.offline.services.sagemaker import roles
from helpers.offline.services.sagemaker.store import invalid


@dataclass(frozen=True, slots=True)
class Source:
    """`relative` is where the object goes below the channel's folder."""

    bucket: str
    key: str
    relative: str
    size: int


def split_uri(uri: str) -> tuple[str, str]:
    """s3://bucket/key -> (bucket, key)."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
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


def download(kernel: Kernel, channel: dict[str, Any], folder: Path, host: int, hosts: int) -> None:
    """Puts a host's share of the channel into `folder`: a link where the file system can, else a copy.

    Raises AwsError or OSError.
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
            with gzip.open(path) as packed, target.with_name(target.name.removesuffix(".gz")).open("wb") as plain:
                shutil.copyfileobj(packed, plain)
            continue
        try:
            os.link(path, target)
        except OSError:
            shutil.copyfile(path, target)


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
