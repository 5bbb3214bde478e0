"""The picture of arrivals waits for everything that was sent, counts only what is new, and lets a failure through."""

import os
import signal
import threading
import time

import pytest

from helpers.plots import watch


class Sender:
    """Sends ten samples at once; they arrive as one object after 0.2 s."""

    def __init__(self, fails=False):
        self.counts, self.fails, self.objects = {"sent": 0}, fails, [(time.time(), 99)]
        self.ready_at, self.stopped = float("inf"), threading.Event()

    def run(self, seconds):
        if self.fails:
            raise ConnectionError("no topic")
        self.counts["sent"] += 10
        self.ready_at = time.time() + 0.2
        self.stopped.wait(seconds)
        return self.counts

    def stop(self):
        self.stopped.set()
        return self.counts

    def look(self):
        new = [(self.ready_at, 10)] if time.time() >= self.ready_at else []
        return self.objects + new


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(watch, "REDRAW_S", 0.05)


def test_it_ends_when_all_that_was_sent_has_arrived_and_leaves_out_what_was_there_before(capsys):
    sender = Sender()
    watch.watch_arrivals(sender, sender.look, 0.1)
    assert capsys.readouterr().out == "10 samples in 1 objects have arrived of 10 that were sent.\n"


def test_what_never_arrives_is_told_and_not_waited_for_without_end(capsys, monkeypatch):
    monkeypatch.setattr(watch, "WAIT_AT_THE_END_S", 0.2)
    sender = Sender()
    watch.watch_arrivals(sender, lambda: sender.objects, 0.1)
    assert capsys.readouterr().out == "0 samples in 0 objects have arrived of 10 that were sent.\n"


def test_an_error_of_edge_compute_reaches_the_learner():
    sender = Sender(fails=True)
    with pytest.raises(ConnectionError, match="no topic"):
        watch.watch_arrivals(sender, sender.look, 0.1)


def test_the_stop_button_ends_it_at_once_and_stops_edge_compute():
    sender = Sender()
    began = time.monotonic()
    threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        watch.watch_arrivals(sender, sender.look, 30)
    assert time.monotonic() - began < 10
    assert sender.stopped.is_set()
