"""Random identifiers of requests and messages: many are needed, so they are made without a UUID object each."""

from __future__ import annotations

import os

_VARIANT = dict(zip("0123456789abcdef", "89ab" * 4, strict=True))


def random_uuid() -> str:
    """A UUID of version 4 (RFC 9562, section 5.4): 122 random bits, as `str(uuid.uuid4())` in a third of its time."""
    return _written(os.urandom(16).hex())


def random_uuids(number: int) -> list[str]:
    """So many of them, from one call of the system."""
    digits = os.urandom(16 * number).hex()
    return [_written(digits[start : start + 32]) for start in range(0, 32 * number, 32)]


def _written(digits: str) -> str:
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{_VARIANT[digits[16]]}{digits[17:20]}-{digits[20:]}"
