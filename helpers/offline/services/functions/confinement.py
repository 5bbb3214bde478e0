"""Confinement of a process by Linux's Landlock: it sees the system, its Python, its code and its own files, no others.

Uploaded code runs as the user who runs the server. Where the kernel has Landlock, this keeps it away from the rest of
that user's files (the workspace's keys among them) and from other processes. https://docs.kernel.org/userspace-api/landlock.html
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import stat
import struct
import sys
from collections.abc import Iterable

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
