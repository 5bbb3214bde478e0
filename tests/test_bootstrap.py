"""The set-up says in one sentence what is missing, and does nothing the second time."""

import subprocess
import sys
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
