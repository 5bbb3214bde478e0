"""The zygote's end in the server, where the machine is too busy for it."""

import subprocess
import sys

import pytest

from helpers.offline.services.functions import processes
from helpers.offline.services.functions.processes import Zygote

LATE = """
import socket, sys, time
control = socket.socket(fileno=int(sys.argv[1]))
time.sleep(1)
control.send(b"ready")
control.recv(10)
"""


def test_a_greeting_that_comes_late_is_not_taken_for_an_answer(monkeypatch):
    started = []

    def late(program, channel, output):
        command = [sys.executable, "-c", LATE, str(channel.fileno())]
        started.append(subprocess.Popen(command, pass_fds=[channel.fileno()], stdout=output))
        return started[-1]

    monkeypatch.setattr(processes, "_python", late)
    monkeypatch.setattr(processes, "ZYGOTE_START_S", 0.1)
    zygote = Zygote()
    with pytest.raises(TimeoutError):
        zygote.warm_up()
    assert started[0].poll() is not None  # it has ended, and with it what it would have said
    with pytest.raises(OSError, match="not running"):
        zygote.order({"do": "end", "pid": 0, "grace_s": 0})
    with pytest.raises(TimeoutError):
        zygote.warm_up()  # begins anew
    assert len(started) == 2
    zygote.stop()
