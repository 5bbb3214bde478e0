"""RecordIO-protobuf of requests and answers: one record for each row, whose label, if it has one, is not looked at.

Source: the developer guide, "Common data formats - inference", and the response formats of Linear Learner and k-NN;
aws/sagemaker-xgboost-container, recordio_protobuf.py and serve_utils.py.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Any

from helpers.offline.services.sagemaker.algorithms import recordio

CONTENT_TYPE = "application/x-recordio-protobuf"


def rows_of(body: bytes) -> Any:
    """The features: an array of shape (rows, columns), or a scipy CSR matrix where the records are sparse.

    Raises ValueError.
    """
    return recordio.features(recordio.records_of(body))


def answer(predictions: Sequence[Mapping[str, Any]]) -> bytes:
    """One record for each prediction; its label holds each member (a number, or several) as 32-bit numbers."""
    return b"".join(_framed(b"".join(_label(*member) for member in prediction.items())) for prediction in predictions)


def _framed(record: bytes) -> bytes:
    return struct.pack("<II", recordio.MAGIC, len(record)) + record + b"\0" * (-len(record) % 4)


def _label(name: str, value: Any) -> bytes:
    """An entry of the map `label`: its key, and a Value with a float32 tensor."""
    numbers = value if isinstance(value, list) else [value]
    tensor = _field(1, struct.pack(f"<{len(numbers)}f", *numbers))
    return _field(2, _field(1, name.encode()) + _field(2, _field(2, tensor)))


def _field(number: int, content: bytes) -> bytes:
    """A field of a message, with its length before it."""
    length, size = len(content), b""
    while length > 0x7F:
        size += bytes([length & 0x7F | 0x80])
        length >>= 7
    return bytes([number << 3 | 2]) + size + bytes([length]) + content
