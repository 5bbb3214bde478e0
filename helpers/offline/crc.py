"""CRC-32, CRC-32C and CRC-64/NVME of bodies that arrive in pieces; the last two through numpy, at some 100 MB a second.

A CRC is linear over GF(2): a block is cut into lanes that are worked on side by side, and their remainders are joined
as log2(lanes) times two neighbours, the left one moved on by the length of the right one.

Polynomials and check values: https://reveng.sourceforge.io/crc-catalogue/all.htm (CRC-32/ISCSI, CRC-64/NVME).
"""

from __future__ import annotations

import functools
import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy

LANE_BYTES = 256
SMALL_BYTES = 4096
BLOCK_BYTES = 1024 * 1024  # what is worked on at once; a power of two of lanes


class Crc32:
    """The one that zlib has, as hashlib's objects are."""

    def __init__(self) -> None:
        self._value = 0

    def update(self, data: bytes) -> None:
        self._value = zlib.crc32(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(4, "big")


class _Reflected:
    """A CRC that begins with ones, ends inverted, and takes each byte's lowest bit first. `update` keeps a block."""

    bits: int
    polynomial: int  # reflected

    def __init__(self) -> None:
        self._state = (1 << self.bits) - 1
        self._waiting = bytearray()

    def update(self, data: bytes) -> None:
        self._waiting += data
        while len(self._waiting) >= BLOCK_BYTES:
            self._take(bytes(self._waiting[:BLOCK_BYTES]))
            del self._waiting[:BLOCK_BYTES]

    def digest(self) -> bytes:
        self._take(bytes(self._waiting))
        self._waiting.clear()
        return (self._state ^ ((1 << self.bits) - 1)).to_bytes(self.bits // 8, "big")

    def _take(self, block: bytes) -> None:
        moved = _moved(self.polynomial, self.bits, self._state, len(block))
        self._state = moved ^ _remainder(self.polynomial, self.bits, block)


class Crc32c(_Reflected):
    bits, polynomial = 32, 0x82F63B78


class Crc64Nvme(_Reflected):
    bits, polynomial = 64, 0x9A6C9329AC4BC9B5


def _remainder(polynomial: int, bits: int, block: bytes) -> int:
    """Of the block, begun with zero. Zeros before it change nothing, so that it may be filled up to whole lanes."""
    if len(block) <= SMALL_BYTES:
        return _remainder_of_few(polynomial, bits, block)
    import numpy

    lanes = 1
    while lanes * LANE_BYTES < len(block):
        lanes *= 2
    filled = numpy.zeros(lanes * LANE_BYTES, numpy.uint8)
    filled[-len(block) :] = numpy.frombuffer(block, numpy.uint8)
    columns = numpy.ascontiguousarray(filled.view("<u2").reshape(lanes, -1).T)
    table = _word_table(polynomial, bits)
    held = numpy.zeros(lanes, table.dtype)
    found, word = numpy.empty_like(held), numpy.empty(lanes, numpy.uint16)
    sixteen = table.dtype.type(16)
    for column in columns:
        numpy.bitwise_xor(held.astype(numpy.uint16), column, out=word)
        numpy.take(table, word, out=found, mode="clip")
        numpy.right_shift(held, sixteen, out=held)
        numpy.bitwise_xor(held, found, out=held)
    length = LANE_BYTES
    while len(held) > 1:
        held = _moved_by(polynomial, bits, length, held[0::2]) ^ held[1::2]
        length *= 2
    return int(held[0])


def _remainder_of_few(polynomial: int, bits: int, block: bytes) -> int:
    table, held = _table(polynomial), 0
    for byte in block:
        held = table[(held ^ byte) & 255] ^ (held >> 8)
    return held


@functools.cache
def _table(polynomial: int) -> list[int]:
    """What each byte leaves."""
    values = []
    for value in range(256):
        for _ in range(8):
            value = (value >> 1) ^ (polynomial if value & 1 else 0)
        values.append(value)
    return values


@functools.cache
def _word_table(polynomial: int, bits: int) -> numpy.ndarray:
    """Of shape (65536,): what each two bytes leave."""
    import numpy

    of_byte = numpy.array(_table(polynomial), numpy.dtype(f"uint{bits}"))
    words = numpy.arange(65536, dtype=numpy.uint32)
    first = of_byte[words & 255]
    low = (first & first.dtype.type(255)).astype(numpy.uint32)
    return of_byte[low ^ (words >> 8)] ^ (first >> first.dtype.type(8))


def _moved_by(polynomial: int, bits: int, length: int, held: numpy.ndarray) -> numpy.ndarray:
    """Remainders as they are after `length` bytes of zeros."""
    tables = _moving_tables(polynomial, bits, length)
    kind = held.dtype.type
    moved = tables[0][held & kind(255)]
    for position in range(1, bits // 8):
        moved = moved ^ tables[position][(held >> kind(8 * position)) & kind(255)]
    return moved


@functools.lru_cache(64)
def _moving_tables(polynomial: int, bits: int, length: int) -> numpy.ndarray:
    """Of shape (bits / 8, 256), by byte of the remainder and its value."""
    import numpy

    factor = _power(polynomial, bits, 8 * length)
    of_bit = [_product(polynomial, bits, 1 << bit, factor) for bit in range(bits)]
    tables = numpy.zeros((bits // 8, 256), numpy.dtype(f"uint{bits}"))
    for position in range(bits // 8):
        for bit in range(8):
            value = tables.dtype.type(of_bit[8 * position + bit])
            tables[position, 1 << bit : 2 << bit] = tables[position, : 1 << bit] ^ value
    return tables


def _moved(polynomial: int, bits: int, state: int, length: int) -> int:
    return _product(polynomial, bits, state, _power(polynomial, bits, 8 * length))


@functools.lru_cache(1024)
def _power(polynomial: int, bits: int, exponent: int) -> int:
    """x ** exponent modulo the polynomial; the highest bit stands for x ** 0."""
    if exponent == 0:
        return 1 << (bits - 1)
    half = _power(polynomial, bits, exponent // 2)
    square = _product(polynomial, bits, half, half)
    return _product(polynomial, bits, square, 1 << (bits - 2)) if exponent % 2 else square


def _product(polynomial: int, bits: int, one: int, other: int) -> int:
    """Modulo the polynomial."""
    product = 0
    for bit in range(bits - 1, -1, -1):
        if one >> bit & 1:
            product ^= other
        other = (other >> 1) ^ (polynomial if other & 1 else 0)
    return product
