"""What was put into an outbox is there until it is done, whatever ends the process and however full the disk is."""

import os

import pytest

from helpers.offline import outbox, records
from helpers.offline.outbox import Outbox


@pytest.fixture
def path(tmp_path):
    return tmp_path / "things.outbox"


def test_what_is_not_done_is_given_back_in_order_however_often_a_start_is_killed(path):
    things = Outbox(path)
    for number in range(3):
        things.put(str(number), {"number": number})
    things.done("1")
    with open(path, "ab") as torn:  # killed in the middle of a record
        torn.write(b"\0\0\0\x50torn")
    for _ in range(2):
        assert Outbox(path).left() == [{"number": 0}, {"number": 2}]
    later = Outbox(path)
    later.left()
    later.put("1", "again")
    later.done("0", "2")
    assert Outbox(path).left() == ["again"]


def test_a_record_after_a_torn_one_is_not_lost_with_it(path):
    with open(path, "wb") as torn:
        torn.write(b"\0\0\0\x50torn")
    things = Outbox(path)
    things.put("1", "whole")
    assert Outbox(path).left() == ["whole"]


def test_what_is_put_again_takes_the_place_of_the_former(path):
    things = Outbox(path)
    for number in range(3):
        things.put("1", number)
    assert Outbox(path).left() == [2]


def test_a_full_disk_refuses_one_and_spoils_no_other(path, monkeypatch):
    things = Outbox(path)
    things.put("0", "before")
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, record: write(descriptor, record[:10]))
    with pytest.raises(OSError, match="No space left"):
        things.put("1", "refused")
    monkeypatch.undo()
    things.put("2", "after")
    assert Outbox(path).left() == ["before", "after"]


def test_one_that_is_never_empty_does_not_grow_for_ever(path, monkeypatch):
    monkeypatch.setattr(outbox, "REWRITE_BYTES", 2000)
    things = Outbox(path)
    things.put("kept", "kept")
    for number in range(200):
        things.put(str(number), "x" * 20)
        things.done(str(number))
    assert path.stat().st_size < 2200
    assert Outbox(path).left() == ["kept"]


def test_much_that_is_open_is_not_written_anew_for_each_that_is_done(path, monkeypatch):
    monkeypatch.setattr(outbox, "REWRITE_BYTES", 2000)
    things, rewritten = Outbox(path), []
    replace = os.replace
    monkeypatch.setattr(os, "replace", lambda *paths: (rewritten.append(paths), replace(*paths)))
    for number in range(200):
        things.put(str(number), "x" * 50)
    for number in range(100):
        things.done(str(number))
    assert len(rewritten) <= 2
    assert len(Outbox(path).left()) == 100


def test_what_is_written_anew_survives_a_power_failure_before_it_takes_the_place(path, monkeypatch):
    monkeypatch.setattr(outbox, "REWRITE_BYTES", 200)
    things, happened = Outbox(path), []
    flush, replace = records.flush_to_disk, os.replace
    monkeypatch.setattr(records, "flush_to_disk", lambda number: (happened.append("sync"), flush(number)))
    monkeypatch.setattr(os, "replace", lambda *paths: (happened.append("replace"), replace(*paths)))
    things.put("kept", "x" * 300)
    things.put("done", "y")
    things.done("done")
    assert happened == ["sync", "replace"]


def test_one_without_anything_open_is_empty_and_for_the_owner_alone(path):
    things = Outbox(path)
    things.put("1", "x")
    things.done("1")
    assert path.stat().st_size == 0
    assert path.stat().st_mode & 0o777 == 0o600
