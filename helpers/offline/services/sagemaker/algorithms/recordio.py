"""RecordIO-protobuf, the format of Amazon's own algorithms: records of dense or sparse numbers with one label.

Source: the developer guide, "Common data formats for training" (the framing and the message Record).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MAGIC = 0xCED7230A
_FEATURES, _LABEL = 1, 2  # maps of the message Record, from a name to a Value
_KINDS = {2: ("f", 4), 3: ("d", 8), 7: ("i", 4)}  # field of Value: float32, float64, int32 tensor


@dataclass(frozen=True, slots=True)
class Tensor:
    """`keys` is None where the tensor is dense; then `shape` may be 0."""

    values: Sequence[float]
    keys: Sequence[int] | None
    shape: int


def read(files: Sequence[Path]) -> tuple[Any, Any]:
    """(features, labels) of all records: an array of shape (rows, columns), or a scipy CSR matrix where the first
    record is sparse; labels as float32 of shape (rows,). Raises ValueError.
    """
    import numpy

    found = [record for path in files for record in records(path)]
    labels = [_tensor(record, _LABEL).values for record in found]
    if not all(labels):
        raise ValueError("a record has no label")
    return features(found), numpy.array([label[0] for label in labels], dtype="float32")


def features(found: Iterable[bytes]) -> Any:
    """Of records without their frames, as `read` returns it. Raises ValueError."""
    import numpy

    rows = [_tensor(record, _FEATURES) for record in found]
    if not rows:
        raise ValueError("there is no record")
    if rows[0].keys is not None:
        return _sparse(rows)
    if len({len(row.values) for row in rows}) != 1:
        raise ValueError("records of different lengths")
    return numpy.array([row.values for row in rows], dtype="float32")


def read_file(path: Path) -> Any:
    """A dense table, label first; what a sparse record does not name is 0. Raises ValueError."""
    import numpy

    found, labels = read([path])
    dense = found if isinstance(found, numpy.ndarray) else found.toarray()
    return numpy.column_stack([labels, dense]).astype("float32", copy=False)


def records(path: Path) -> Iterator[bytes]:
    return records_of(path.read_bytes())


def records_of(data: bytes) -> Iterator[bytes]:
    """Without their frames. Raises ValueError."""
    position = 0
    while position < len(data):
        if position + 8 > len(data):
            raise ValueError("a record is cut off")
        magic, length = struct.unpack_from("<II", data, position)
        if magic != MAGIC or position + 8 + length > len(data):
            raise ValueError("the data does not consist of RecordIO records")
        yield data[position + 8 : position + 8 + length]
        position += 8 + (length + 3) // 4 * 4


def _sparse(rows: list[Tensor]) -> Any:
    import numpy
    from scipy.sparse import csr_matrix

    if any(row.keys is None or len(row.keys) != len(row.values) for row in rows):
        raise ValueError("a sparse record needs as many keys as values")
    ends = numpy.cumsum([0, *(len(row.values) for row in rows)])
    keys = numpy.concatenate([numpy.asarray(row.keys, dtype="int64") for row in rows])
    values = numpy.concatenate([numpy.asarray(row.values, dtype="float32") for row in rows])
    columns = max(max(row.shape for row in rows), int(keys.max(initial=-1)) + 1)
    return csr_matrix((values, keys, ends), shape=(len(rows), columns))


def _tensor(record: bytes, wanted: int) -> Tensor:
    """The numbers of the record's features or label: map entries, of Value messages, of tensors."""
    for field, entry in _fields(record):
        if field != wanted:
            continue
        for part, value in _fields(entry):
            if part != 2:
                continue
            for kind, tensor in _fields(value):
                if kind in _KINDS:
                    return _numbers(tensor, *_KINDS[kind])
    return Tensor([], None, 0)


def _numbers(tensor: bytes, code: str, size: int) -> Tensor:
    values: list[float] = []
    keys: list[int] = []
    shape: list[int] = []
    for field, content in _fields(tensor):
        match field:
            case 1 if code == "i":
                values += _varints(content)
            case 1:
                if len(content) % size:
                    raise ValueError("a tensor is cut off")
                values += struct.unpack(f"<{len(content) // size}{code}", content)
            case 2:
                keys += _varints(content)
            case 3:
                shape += _varints(content)
    is_sparse = bool(keys) or bool(shape and shape[-1] != len(values))
    return Tensor(values, keys if is_sparse else None, shape[-1] if shape else 0)


def _fields(message: bytes) -> Iterator[tuple[int, bytes]]:
    """(number, content) of each field; a plain number comes in its own encoding."""
    position = 0
    while position < len(message):
        key, position = _varint(message, position)
        start = position
        match key & 7:
            case 0:
                _, position = _varint(message, position)
            case 1:
                position += 8
            case 2:
                length, start = _varint(message, position)
                position = start + length
            case 5:
                position += 4
            case _:
                raise ValueError("a record is not a protobuf message")
        if position > len(message):
            raise ValueError("a record is cut off")
        yield key >> 3, message[start:position]


def _varint(data: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if position >= len(data):
            raise ValueError("a record is cut off")
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7


def _varints(data: bytes) -> list[int]:
    """int32 values are sent as 64-bit two's complement."""
    values, position = [], 0
    while position < len(data):
        value, position = _varint(data, position)
        values.append(value - (1 << 64) if value >= 1 << 63 else value)
    return values
