"""RecordIO-protobuf, the format of Amazon's own algorithms: dense float records with one label."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

MAGIC = 0xCED7230A
_KINDS = {2: ("f", 4), 3: ("d", 8), 7: ("i", 4)}  # field of Value: float32, float64, int32 tensor


def read_file(path: Path) -> Any:
    """A table, label first. Raises ValueError."""
    import numpy

    rows = [[*_values(record, 2)[:1], *_values(record, 1)] for record in records(path.read_bytes())]
    if len({len(row) for row in rows}) != 1:
        raise ValueError("records of different lengths")
    return numpy.array(rows, dtype="float32")


def records(data: bytes) -> Iterator[bytes]:
    position = 0
    while position < len(data):
        if position + 8 > len(data):
            raise ValueError("a record is cut off")
        magic, length = struct.unpack_from("<II", data, position)
        if magic != MAGIC or position + 8 + length > len(data):
            raise ValueError("the file does not consist of RecordIO records")
        yield data[position + 8 : position + 8 + length]
        position += 8 + (length + 3) // 4 * 4


def _values(record: bytes, wanted: int) -> list[float]:
    """The numbers of the record's features (1) or label (2): map entries of Value messages of tensors."""
    for field, entry in _fields(record):
        if field != wanted:
            continue
        for part, value in _fields(entry):
            if part != 2:
                continue
            for kind, tensor in _fields(value):
                if kind in _KINDS:
                    return _numbers(tensor, *_KINDS[kind])
    return []


def _numbers(tensor: bytes, code: str, size: int) -> list[float]:
    numbers: list[float] = []
    for field, values in _fields(tensor):
        if field == 2:
            raise ValueError("sparse tensors are not supported offline")
        if field == 1:
            if code == "i":
                numbers += _varints(values)
            else:
                numbers += struct.unpack(f"<{len(values) // size}{code}", values)
    return numbers


def _fields(message: bytes) -> Iterator[tuple[int, bytes]]:
    position = 0
    while position < len(message):
        key, position = _varint(message, position)
        match key & 7:
            case 0:
                value, position = _varint(message, position)
                yield key >> 3, _encoded(value)
            case 1:
                yield key >> 3, message[position : position + 8]
                position += 8
            case 2:
                length, position = _varint(message, position)
                yield key >> 3, message[position : position + length]
                position += length
            case 5:
                yield key >> 3, message[position : position + 4]
                position += 4
            case _:
                raise ValueError("a record is not a protobuf message")


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
    values, position = [], 0
    while position < len(data):
        value, position = _varint(data, position)
        values.append(value)
    return values


def _encoded(value: int) -> bytes:
    return bytes([value & 0x7F]) if value < 0x80 else b"\x00"
