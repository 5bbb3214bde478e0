"""A disk that fills, a run that is killed: no half-written file stays, and what was there before does."""

import os
import stat
import subprocess

import pytest

from helpers.runner.whole_files import remove_pieces, write_whole


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 1 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)], capture_output=True)
    if mounted.returncode:
        pytest.skip("this system does not let the tests mount a small disk")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_what_does_not_fit_leaves_the_file_as_it_was_and_names_it(small_disk):
    path = small_disk / "report.html"
    write_whole(path, "before")
    with pytest.raises(OSError) as caught:
        write_whole(path, "x" * 2_000_000)
    assert (caught.value.strerror, caught.value.filename) == ("No space left on device", str(path))
    assert path.read_text() == "before"
    assert os.listdir(small_disk) == ["report.html"]


def test_a_write_that_is_interrupted_leaves_nothing_half_made(tmp_path, monkeypatch):
    def interrupted(descriptor):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_whole(tmp_path / "lab.ipynb", "half")
    assert list(tmp_path.iterdir()) == []


def test_a_file_may_be_read_by_those_who_may_read_any_other_new_file(tmp_path):
    (tmp_path / "usual").write_text("")
    write_whole(tmp_path / "new", "ü")
    assert (tmp_path / "new").stat().st_mode == (tmp_path / "usual").stat().st_mode
    (tmp_path / "new").chmod(0o640)
    write_whole(tmp_path / "new", "again")
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o640


def test_what_a_killed_run_had_begun_to_write_is_removed_and_nothing_else(tmp_path):
    for name in (".lab.ipynb-x1", ".lab.html-x2", "lab.ipynb", "lab.html", ".workspace.lock"):
        (tmp_path / name).write_text("")
    remove_pieces(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".workspace.lock", "lab.html", "lab.ipynb"]
