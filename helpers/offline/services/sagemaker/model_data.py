"""Where the files of a model are: an archive, one object, or all objects below a prefix."""

from __future__ import annotations

from typing import Any

from helpers.offline.kernel import AwsError, Kernel
from helpers.offline.services.sagemaker.channels import split_uri
from helpers.offline.services.sagemaker.serving.container import LARGEST_MODEL_BYTES, LoadError, unpack


def uri_of(container: dict[str, Any]) -> str | None:
    """Of a container's ModelDataUrl or ModelDataSource."""
    return container.get("ModelDataUrl") or _source(container).get("S3Uri")


def is_there(kernel: Kernel, container: dict[str, Any]) -> bool:
    place = split_uri(uri_of(container) or "")
    try:
        if _is_prefix(container):
            return bool(kernel.ports.objects.list(*place))
        kernel.ports.objects.local_path(*place)
    except AwsError:
        return False
    return True


def files(kernel: Kernel, container: dict[str, Any]) -> dict[str, bytes]:
    """By their names in the container's model directory. Raises LoadError."""
    uri = uri_of(container) or ""
    bucket, key = split_uri(uri)
    objects = kernel.ports.objects
    try:
        if _source(container).get("CompressionType", "Gzip") == "Gzip":
            return unpack(objects.get(bucket, key))
        if not _is_prefix(container):
            return {key.rpartition("/")[2]: objects.get(bucket, key)}
        found = [one for one in objects.list(bucket, key) if not one.key.endswith("/")]
        if sum(one.size for one in found) > LARGEST_MODEL_BYTES:
            raise LoadError("The model is larger than 2 GB.")
        return {one.key[len(key) :].lstrip("/"): objects.get(bucket, one.key) for one in found}
    except AwsError as error:
        raise LoadError(f"{uri} cannot be read: {error.code}: {error.message}") from None


def _is_prefix(container: dict[str, Any]) -> bool:
    return _source(container).get("S3DataType") == "S3Prefix"


def _source(container: dict[str, Any]) -> dict[str, Any]:
    return container.get("ModelDataSource", {}).get("S3DataSource", {})
