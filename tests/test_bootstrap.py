"""The set-up says in one sentence what is missing, and does nothing the second time."""

import fcntl
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import bootstrap

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize("version", [(2, 7), (3, 8), (3, 10), (3, 14)])
def test_an_unsupported_python_is_named_with_the_way_out(version):
    with pytest.raises(bootstrap.SetupError) as error:
        bootstrap.check_python(version)
    assert f"{version[0]}.{version[1]}" in str(error.value)
    assert "make labs PYTHON=" in str(error.value)


@pytest.mark.parametrize("version", [(3, 11), (3, 12), (3, 13)])
def test_the_supported_pythons_pass(version):
    bootstrap.check_python(version)


def test_a_full_disk_is_told_before_anything_is_written():
    with pytest.raises(bootstrap.SetupError, match=r"has 12 MB left"):
        bootstrap.check_disk(free_mb=12)


def test_a_second_run_prints_nothing_and_installs_nothing():
    if not bootstrap.is_ready():
        pytest.skip("this environment was not made by bootstrap.py")
    before = Path(bootstrap.STAMP).stat().st_mtime_ns, Path(bootstrap.LOG).stat().st_mtime_ns
    base = getattr(sys, "_base_executable", sys.executable)
    run = subprocess.run([base, str(ROOT / "bootstrap.py")], capture_output=True, text=True)
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")
    assert before == (Path(bootstrap.STAMP).stat().st_mtime_ns, Path(bootstrap.LOG).stat().st_mtime_ns)


def test_the_lock_pins_every_package_with_hashes_and_names_no_host():
    text = (ROOT / "requirements.txt").read_text()
    pinned = [line for line in text.splitlines() if line and not line.startswith((" ", "#"))]
    assert pinned and all("==" in line for line in pinned)
    assert text.count("--hash=sha256:") >= len(pinned)
    assert "://" not in text
    assert "index-url" not in text and "find-links" not in text


@pytest.mark.parametrize("version", ["3.10.14", "3.14.0"])
def test_an_unsupported_python_ends_with_one_sentence_and_status_1(version):
    numbers = tuple(map(int, version.split(".")))
    pretend = (
        f"import runpy, sys; sys.version_info = {(*numbers, 'final', 0)}; runpy.run_path('bootstrap.py', run_name='"
    )
    pretend += "__main__')"
    run = subprocess.run([sys.executable, "-c", pretend], cwd=ROOT, capture_output=True, text=True)
    assert (run.returncode, run.stdout) == (1, "")
    assert len(run.stderr.splitlines()) == 1
    assert f"this is {numbers[0]}.{numbers[1]}" in run.stderr and "make labs PYTHON=" in run.stderr


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """The set-up of an empty folder, where nothing is installed; what would have been, is noted."""
    done = []
    monkeypatch.setattr(bootstrap, "ROOT", str(tmp_path))
    monkeypatch.setattr(bootstrap, "set_up", lambda: done.append("set up"))
    monkeypatch.setattr(bootstrap, "is_ready", lambda: bool(done))
    return tmp_path, done


def test_two_set_ups_at_once_install_once(elsewhere, capsys):
    folder, done = elsewhere
    with open(folder / ".venv.lock", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        second = threading.Thread(target=bootstrap.main)
        second.start()
        second.join(0.5)
        assert second.is_alive()
        done.append("by the first")
    second.join(10)
    assert done == ["by the first"]
    assert "Another set-up is running here" in capsys.readouterr().out


def test_a_folder_that_cannot_be_written_is_told_in_one_sentence(elsewhere, monkeypatch):
    folder, done = elsewhere
    (folder / "file").write_text("")
    monkeypatch.setattr(bootstrap, "ROOT", str(folder / "file"))
    with pytest.raises(bootstrap.SetupError, match="could not be written"):
        bootstrap.main()
    assert done == []
