"""Aliases and rate limits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.arena import names
from helpers.arena.limits import Limiter


@pytest.mark.parametrize("alias", ["amber-falcon", "Ünal 7", "O'Brien", "アリーナ", "a.b_c"])
def test_names_of_people_pass(alias):
    assert names.clean(alias) == alias


@pytest.mark.parametrize(
    "alias",
    [
        "",
        "   ",
        "--",
        "<b>x</b>",
        "a" * 25,
        "a\u202eb",
        "a\u0000b",
        "a\u200bb",
        "=cmd()",
        "x&y",
        "a/b",
        "😀",
        "a\nb\u0007",
    ],
)
def test_markup_controls_and_long_names_are_refused(alias):
    with pytest.raises(names.NameRefused):
        names.clean(alias)


@given(st.text(max_size=60))
def test_a_cleaned_name_is_short_and_harmless(alias):
    try:
        text = names.clean(alias)
    except names.NameRefused:
        return
    assert 0 < len(text) <= names.LONGEST
    assert not set(text) & set('<>&"=;/\\\n\r\t')
    assert names.clean(text) == text


def test_generated_names_are_two_words_and_free():
    taken = {names.key(names.generate(set())) for _ in range(50)}
    alias = names.generate(taken)
    assert names.clean(alias) == alias
    assert names.key(alias) not in taken
    assert alias.count("-") == 1


def test_case_and_separators_do_not_make_another_name():
    assert names.key("Amber Falcon") == names.key("amber-falcon")


def test_a_limiter_allows_a_burst_and_then_a_rate():
    now = [0.0]
    limiter = Limiter(burst=3, per_second=0.5, now=lambda: now[0])
    assert [limiter.allow("a") for _ in range(5)] == [True, True, True, False, False]
    assert limiter.allow("b")
    now[0] = 2.0
    assert [limiter.allow("a") for _ in range(2)] == [True, False]


def test_a_limiter_does_not_grow_without_end():
    limiter = Limiter(burst=1, per_second=0, keys=100)
    for i in range(1000):
        limiter.allow(str(i))
    assert len(limiter._levels) == 100
