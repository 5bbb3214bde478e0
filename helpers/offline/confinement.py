"""Confinement of a process: limits; and by Linux's Landlock it sees the system, its Python and its own files alone.

Uploaded code runs as the user who runs the server. Where the kernel has Landlock, this keeps it away from the rest of
that user's files (the workspace's keys among them) and from other processes; where it has not, only the limits hold.
Needs the standard library alone: it is loaded by path too. https://docs.kernel.org/userspace-api/landlock.html
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import stat
import struct
import sys
from collections.abc import Iterable, Mapping

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446  # the same on all architectures
VERSION_FLAG = 1
PATH_BENEATH = 1
PR_SET_NO_NEW_PRIVS = 38

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1, 2, 4, 8
FILE = EXECUTE | WRITE_FILE | READ_FILE  # what a rule for a single file may allow
READ = EXECUTE | READ_FILE | READ_DIR
FIRST_VERSION = (1 << 13) - 1  # all rights of version 1
REFER, TRUNCATE = 1 << 13, 1 << 14  # since versions 2 and 3
SCOPE_ABSTRACT_SOCKETS, SCOPE_SIGNALS = 1, 2  # since version 6

SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/etc", "/opt", "/nix", "/sys", "/run/systemd/resolve")
PROCESS = ("/proc/self", "/proc/sys", "/proc/cpuinfo", "/proc/meminfo", "/proc/stat")  # of all of /proc


def confine(readable: Iterable[str], writable: Iterable[str]) -> bool:
    """Confines this process and its children for good. False where the system has no Landlock, or does not let us."""
    if sys.platform != "linux":
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall.restype = ctypes.c_long
    version = libc.syscall(CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(VERSION_FLAG))
    if version < 1:
        return False
    rights = FIRST_VERSION | (REFER if version >= 2 else 0) | (TRUNCATE if version >= 3 else 0)
    attributes = struct.pack("=Q", rights)
    if version >= 6:
        attributes += struct.pack("=QQ", 0, SCOPE_ABSTRACT_SOCKETS | SCOPE_SIGNALS)
    size = ctypes.c_size_t(len(attributes))
    ruleset = libc.syscall(CREATE_RULESET, attributes, size, ctypes.c_uint32(0))
    if ruleset < 0:
        return False
    try:
        for path in (*SYSTEM, *PROCESS, sys.base_prefix, *readable):
            _allow(libc, ruleset, path, READ)
        for path in writable:
            _allow(libc, ruleset, path, rights)
        libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        return libc.syscall(RESTRICT_SELF, ctypes.c_int(ruleset), ctypes.c_uint32(0)) == 0
    finally:
        os.close(ruleset)


def limit(limits: Mapping[str, int]) -> None:
    """Sets what the system can: name of a resource (RLIMIT_AS, …) -> its limit, never above the one there is."""
    try:
        import resource
    except ImportError:  # not a POSIX system
        return
    for name, most in limits.items():
        kind = getattr(resource, name, None)
        if kind is None:
            continue
        _, hard = resource.getrlimit(kind)
        allowed = most if hard == resource.RLIM_INFINITY else min(most, hard)
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(kind, (allowed, allowed))


def processes(more: int) -> dict[str, int]:
    """A limit of so many processes and threads more than there are on this system now: it counts all of the user's.

    Root has no such limit.
    """
    try:
        with open("/proc/loadavg") as file:
            return {"RLIMIT_NPROC": int(file.read().split()[3].partition("/")[2]) + more}
    except OSError:
        return {}


def _allow(libc: ctypes.CDLL, ruleset: int, path: str, rights: int) -> None:
    """What is not there needs no rule; a rule that fails leaves its place closed."""
    with contextlib.suppress(OSError):
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
        try:
            if not stat.S_ISDIR(os.fstat(place).st_mode):
                rights &= FILE
            rule = struct.pack("=Qi", rights, place)
            libc.syscall(ADD_RULE, ctypes.c_int(ruleset), PATH_BENEATH, rule, ctypes.c_uint32(0))
        finally:
            os.close(place)
