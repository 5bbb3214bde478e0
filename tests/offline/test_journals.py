"""A journal asks for a snapshot once in the life of each of its files, however its records lie."""

import pytest

from helpers.offline import journals
from helpers.offline.journals import Journal


@pytest.fixture
def asked(monkeypatch):
    monkeypatch.setattr(journals, "GROWN_BYTES", 1000)
    return []


@pytest.mark.parametrize("size", (40, 63, 75, 103))  # of three, a record ends just before the limit
def test_a_file_that_grows_asks_for_a_snapshot_once(tmp_path, asked, size):
    journal = Journal(tmp_path, "things", lambda: asked.append(journal.number))
    for _ in range(100):
        journal.append(b"x" * size)
    assert asked == [0]
    journal.begin_next()()
    for _ in range(100):
        journal.append(b"x" * size)
    assert asked == [0, 1]


def test_a_file_that_a_killed_process_left_large_asks_at_its_next_record(tmp_path, asked):
    former = Journal(tmp_path, "things", lambda: asked.append("former"))
    for _ in range(100):
        former.append(b"x" * 30)
    Journal(tmp_path, "things", lambda: asked.append("next")).append(b"x")
    assert asked == ["former", "next"]
