"""The participant's alias: a generated two-word name, so that no real name stands in a resource or on a screen."""

import re
import secrets
from pathlib import Path

LONGEST_ALIAS = 20  # so that every resource name stays within AWS's 64 characters
TWO_WORDS = r"[a-z][a-z0-9]*-[a-z0-9]+"  # exactly two, so that no participant's names begin with another's
COLOURS = """amber azure beige black blue brass bronze cherry copper coral cream cyan gold green grey hazel indigo ivory
jade khaki lemon lilac lime maroon mint navy ochre olive onyx orange pearl pink plum purple red rose ruby sand scarlet
silver teal violet white yellow"""
ANIMALS = """badger beaver bison crane deer dolphin eagle falcon ferret finch fox gecko goose hare hawk heron horse ibis
jay koala lark lemur lion llama lynx marten mole moose newt orca otter owl panda puffin raven robin seal shrew swan
tiger toad trout whale wolf wren zebra"""


def check_alias(alias: str) -> str:
    """Return `alias` if it can stand in resource names, else raise ValueError with the rule."""
    if len(alias) > LONGEST_ALIAS or not re.fullmatch(TWO_WORDS, alias):
        raise ValueError(
            f"A participant's alias is two words of lower-case letters and digits with one hyphen between them, "
            f"at most {LONGEST_ALIAS} characters, for instance amber-falcon; got {alias!r}."
        )
    return alias


def find_alias(folder: Path, given: str | None = None) -> str:
    """The alias given, else the one kept in `folder`, else a new one that is kept there from now on."""
    if given:
        return check_alias(given)
    kept = folder / "participant"
    if kept.exists():
        return check_alias(kept.read_text().strip())
    number = secrets.randbelow(90) + 10  # a class of 60 in one account: two equal names in 1 of 100 classes
    alias = f"{secrets.choice(COLOURS.split())}-{secrets.choice(ANIMALS.split())}{number}"
    folder.mkdir(parents=True, exist_ok=True)
    kept.write_text(alias + "\n")
    return alias
