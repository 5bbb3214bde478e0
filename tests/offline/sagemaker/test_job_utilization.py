"""What a host's disk holds, while the job writes and deletes there."""

import os
from pathlib import Path

import pytest

from helpers.offline.services.sagemaker import job_utilization


def test_files_count_and_what_links_lead_to_does_not(tmp_path):
    outside, host = tmp_path / "outside", tmp_path / "algo-1"
    (host / "model").mkdir(parents=True)
    outside.write_bytes(b"x" * 1_000_000)
    (host / "model" / "xgboost-model").write_bytes(b"x" * 1000)
    (host / "model" / "link").symlink_to(outside)
    assert 1000 <= job_utilization.used_bytes(host) < 2000


@pytest.mark.parametrize("gone", ["a", "b"])
def test_a_file_that_goes_meanwhile_counts_nothing(tmp_path, monkeypatch, gone):
    for name in "ab":
        (tmp_path / name).write_bytes(b"x" * 10)
    walk = os.walk

    def goes(directory):
        for found in walk(directory):
            Path(directory, gone).unlink()
            yield found

    monkeypatch.setattr(job_utilization.os, "walk", goes)
    assert job_utilization.used_bytes(tmp_path) == 10
