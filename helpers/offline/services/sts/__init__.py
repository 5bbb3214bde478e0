"""STS: who am I, and sessions of roles."""

from __future__ import annotations

from helpers.offline.kernel import Kernel, Support

OPERATIONS: dict[str, Support] = {
    "GetCallerIdentity": Support("real"),
    "AssumeRole": Support("real"),
    "GetSessionToken": Support("simplified"),
    "GetAccessKeyInfo": Support("simplified"),
}


def install(kernel: Kernel) -> None:
    """Nothing to hook in yet: moto answers."""
