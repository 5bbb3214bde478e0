"""The tokens of one's own entries, kept by several notebooks at once."""

import stat
from concurrent.futures import ThreadPoolExecutor

from helpers.arena.keys import Keys


def enter(path, notebook: int) -> None:
    for number in range(20):
        Keys(path).put("http://127.0.0.1:4711", f"{notebook}-{number}", {"id": number, "token": "t"})


def test_notebooks_that_enter_at_once_keep_all_their_tokens(tmp_path):
    path = tmp_path / "entries.json"
    with ThreadPoolExecutor(3) as notebooks:
        list(notebooks.map(enter, [path] * 3, range(3)))
    kept = Keys(path)
    missing = [
        f"{one}-{n}" for one in range(3) for n in range(20) if kept.get("http://127.0.0.1:4711", f"{one}-{n}") is None
    ]
    assert missing == []
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
