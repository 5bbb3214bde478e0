"""The participant's alias: a generated two-word name, so that no real name stands in a resource or on a screen."""

import re
import secrets
from pathlib import Path

LONGEST_ALIAS = 20  # so that every resource name stays within AWS's 64 characters
COLOURS = ("amber", "azure", "coral", "cyan", "gold", "green", "indigo", "ivory", "jade", "lilac", "mint", "olive")
ANIMALS = (
    "badger",
    "beaver",
    "crane",
    "dolphin",
    "falcon",
    "heron",
    "ibis",
    "lynx",
    "marten",
    "otter",
    "raven",
    "robin",
)


def check_alias(alias: str) -> str:
    """Return `alias` if it can stand in resource names, else raise ValueError with the rule."""
    if len(alias) > LONGEST_ALIAS or not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", alias):
        raise ValueError(
            f"A participant's alias has at most {LONGEST_ALIAS} lower-case letters, digits and single hyphens "
            f"and begins with a letter, for instance amber-falcon; got {alias!r}."
        )
    return alias


def find_alias(folder: Path, given: str | None = None) -> str:
    """The alias given, else the one kept in `folder`, else a new one that is kept there from now on."""
    if given:
        return check_alias(given)
    kept = folder / "participant"
    if kept.exists():
        return check_alias(kept.read_text().strip())
    alias = f"{secrets.choice(COLOURS)}-{secrets.choice(ANIMALS)}"
    folder.mkdir(parents=True, exist_ok=True)
    kept.write_text(alias + "\n")
    return alias
