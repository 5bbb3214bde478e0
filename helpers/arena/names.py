"""Aliases: two made-up words, or what the learner chose within limits."""

import secrets
import unicodedata
from collections.abc import Container

LONGEST = 24
_FIRST = """
    amber azure brisk bronze calm candid cedar clever cobalt copper coral crimson eager early fair fleet gentle
    golden hazel honest indigo ivory jade keen lively lucky lunar mellow mint misty nimble noble olive opal patient
    pearl plum proud quick quiet rapid ruby russet sage scarlet silver smart solar steady sunny swift teal tidy true
    velvet violet vivid warm wise witty
""".split()  # noqa: SIM905
_SECOND = """
    badger beaver bison condor coyote crane curlew dingo dolphin eagle egret falcon ferret finch fox gazelle gecko
    heron hornet ibex ibis jackal jaguar kestrel kiwi koala lemur leopard lion lynx macaw magpie marten merlin mole
    moose newt ocelot orca osprey otter owl panda panther pelican penguin puffin puma quail raven robin seal stoat
    stork swallow swan swift tapir tern tiger toucan viper walrus weasel wolf wombat wren yak zebra
""".split()  # noqa: SIM905
_PUNCTUATION = " -_.'"


class NameRefused(ValueError):
    """The alias does not fit; the text says what does."""


def clean(alias: str) -> str:
    """The alias as the board shows it. Raises NameRefused with the rule that it breaks."""
    text = " ".join(unicodedata.normalize("NFKC", alias).split())
    if not text:
        raise NameRefused("An alias needs at least one letter or digit.")
    if len(text) > LONGEST:
        raise NameRefused(f"An alias has at most {LONGEST} characters; this one has {len(text)}.")
    wrong = sorted({c for c in text if not (unicodedata.category(c)[0] in "LN" or c in _PUNCTUATION)})
    if wrong:
        raise NameRefused("An alias is made of letters, digits, spaces and - _ . '")
    if not any(unicodedata.category(c)[0] in "LN" for c in text):
        raise NameRefused("An alias needs at least one letter or digit.")
    return text


def key(alias: str) -> str:
    """What makes two aliases the same: case and separators do not count."""
    return "".join(c for c in alias.casefold() if c not in _PUNCTUATION)


def generate(taken: Container[str]) -> str:
    """A two-word alias whose key is not in `taken`."""
    for _ in range(1000):
        alias = f"{secrets.choice(_FIRST)}-{secrets.choice(_SECOND)}"
        if key(alias) not in taken:
            return alias
    return f"guest-{secrets.token_hex(4)}"
