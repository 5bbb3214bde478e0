from tests.arena.fixtures import arena, participants  # noqa: F401 (found by their names)
