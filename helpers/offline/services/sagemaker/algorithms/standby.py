"""A Python process with xgboost already imported, of which training processes are forked in milliseconds.

`python -P -m … FD` takes one order at a time from its control socket. It trains nothing itself and starts no thread, so
that a fork is safe. Its environment is that of a training process; a fork gets its job's, and is confined as a process
that starts anew is. It ends with the server, or when nobody has needed it for a while. Linux only.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import select
import socket
import sys
import tempfile
from typing import Any

from helpers.offline.services.sagemaker.algorithms import xgboost_job
from helpers.offline.services.sagemaker.algorithms.__main__ import main

ORDER_SIZE = 1 << 16
IDLE_S = 300.0


def serve(control: socket.socket) -> None:
    """Takes orders and tells each fork's exit code to the pipe that came with its order."""
    forks: dict[int, tuple[int, int]] = {}  # the fork's file descriptor -> (its process id, the pipe's end)
    while True:
        ready, _, _ = select.select([control, *forks], [], [], None if forks else IDLE_S)
        if not ready:
            return
        for descriptor in ready:
            if descriptor in forks:
                pid, pipe = forks.pop(descriptor)
                code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
                with contextlib.suppress(OSError):  # nobody wants to know any more
                    os.write(pipe, str(code).encode())
                os.close(pipe)
                os.close(descriptor)
        if control in ready:
            order, descriptors, _, _ = socket.recv_fds(control, ORDER_SIZE, 3)
            if not order:
                return
            own_input, output, pipe = descriptors
            pid = os.fork()
            if not pid:
                control.close()
                for descriptor, (_, other) in forks.items():
                    os.close(descriptor)
                    os.close(other)
                os.close(pipe)
                train(json.loads(order), own_input, output)
            os.close(own_input)
            os.close(output)
            descriptor = os.pidfd_open(pid)
            forks[descriptor] = pid, pipe
            socket.send_fds(control, [str(pid).encode()], [descriptor])


def train(order: dict[str, Any], own_input: int, output: int) -> None:
    """The fork's life: it becomes what `python -m …algorithms` is for the same job, and does not return."""
    status = 1
    try:
        for given, standard in ((own_input, 0), (output, 1), (output, 2)):
            os.dup2(given, standard)
        os.close(own_input)
        os.close(output)
        os.environ.clear()
        os.environ.update(order["environment"])
        tempfile.tempdir = None
        os.chdir(order["directory"])
        _seed_numpy()
        status = main(order["algorithm"], order["directory"])
    except SystemExit as exit_:
        status = exit_.code if isinstance(exit_.code, int) else int(exit_.code is not None)
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _seed_numpy() -> None:
    """Its global generator was seeded by chance as it was imported; forks must not share that chance."""
    import numpy

    numpy.random.seed()


if __name__ == "__main__":
    control_socket = socket.socket(fileno=int(sys.argv[1]))
    os.close(os.pidfd_open(os.getpid()))  # where the system cannot, this ends, and each job gets a fresh Python
    xgboost_job.import_xgboost()
    gc.collect()
    gc.freeze()  # the pages that are there stay shared with the forks
    control_socket.send(b"ready")
    serve(control_socket)
