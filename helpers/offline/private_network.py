"""A network of a job's own: a Linux namespace with a loopback interface and nothing else, for several processes.

What listens in it, at whatever address, can be reached from inside alone, and nothing outside can be reached from it.
https://man7.org/linux/man-pages/man7/network_namespaces.7.html
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import socket
import struct
import time
from pathlib import Path

CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
SIOCSIFFLAGS, IFF_UP = 0x8914, 1
CAPABILITY_VERSION_3 = 0x20080522
NOBODY = 0  # in the place of a process id: there is no network to join
PATIENCE_S = 60.0


def share(file: Path, *, is_first: bool) -> bool:
    """Called by every process that is to be in the network, before it has threads; `file` is where they find it.

    False, for all of them, where the system does not allow this; they then are where they were. Raises RuntimeError
    where the first one does not come.
    """
    if is_first:
        keeper = _keeper()
        if keeper and not join(keeper):
            keeper = NOBODY
        unfinished = file.with_suffix(".unfinished")
        unfinished.write_text(str(keeper))
        unfinished.replace(file)
        return keeper != NOBODY
    deadline = time.monotonic() + PATIENCE_S
    while not file.exists():
        if time.monotonic() > deadline:
            raise RuntimeError("The first host of this job did not start.")
        time.sleep(0.01)
    keeper = int(file.read_text())
    if keeper and not join(keeper):
        raise RuntimeError("This host could not join the network of its job.")
    return keeper != NOBODY


def join(process: int) -> bool:
    """Into the network of that process. False where the system does not allow it."""
    libc = _libc()
    try:
        user, network = (os.open(f"/proc/{process}/ns/{kind}", os.O_RDONLY | os.O_CLOEXEC) for kind in ("user", "net"))
    except OSError:
        return False
    try:
        is_foreign = os.fstat(user).st_ino != os.stat("/proc/self/ns/user").st_ino
        if is_foreign and libc.setns(user, CLONE_NEWUSER):
            return False
        if libc.setns(network, CLONE_NEWNET):
            return False
        if is_foreign:
            _drop_capabilities(libc)
        return True
    finally:
        os.close(user)
        os.close(network)


def _keeper() -> int:
    """A child that holds a new network until this process ends; its number, or NOBODY."""
    if not hasattr(os, "fork") or not Path("/proc/self/ns/net").exists():
        return NOBODY
    is_made, made = os.pipe()
    held, holding = os.pipe()  # the write end stays open in this process until it ends
    child = os.fork()
    if child == 0:
        try:
            for descriptor in (0, 1, 2, is_made, holding):
                with contextlib.suppress(OSError):
                    os.close(descriptor)
            os.write(made, b"1" if _make() else b"0")
            os.close(made)
            os.read(held, 1)
        finally:
            os._exit(0)
    os.close(made)
    os.close(held)
    try:
        if os.read(is_made, 1) == b"1":
            return child
    finally:
        os.close(is_made)
    os.close(holding)
    os.waitpid(child, 0)
    return NOBODY


def _make() -> bool:
    """This process into a new network, whose loopback interface is up. Root needs no namespace of users for it."""
    libc, user, group = _libc(), os.getuid(), os.getgid()
    try:
        if libc.unshare(CLONE_NEWNET):
            if libc.unshare(CLONE_NEWUSER | CLONE_NEWNET):
                return False
            Path("/proc/self/setgroups").write_text("deny")
            Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
            Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
            fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", IFF_UP))
    except OSError:
        return False
    return True


def _drop_capabilities(libc: ctypes.CDLL) -> None:
    """Of the namespace of users that was joined: in it this process would have all of them."""
    header = ctypes.create_string_buffer(struct.pack("=Ii", CAPABILITY_VERSION_3, 0))
    libc.capset(header, ctypes.create_string_buffer(24))


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
