"""Killed under load: what was acknowledged is there, whole. `python -m benchmarks.chaos` does it a hundred times."""

import os

from benchmarks.chaos.run import run

KILLS = int(os.environ.get("WORKSHOP_TEST_KILLS", "2"))


def test_killed_under_mixed_load_it_forgets_nothing_that_was_acknowledged(tmp_path):
    result = run(tmp_path / "workshop", KILLS, seed=11)
    assert result.problems == []
    assert result.kills == KILLS
    assert result.writes > 0
    assert all(result.sent.values()), result.sent
