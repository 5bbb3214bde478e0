"""An alias is two words, is kept, and never lets one participant's names begin with another's."""

import pytest

from helpers.workshop.participant import ANIMALS, COLOURS, LONGEST_ALIAS, check_alias, find_alias


def test_a_generated_alias_is_kept_and_found_again(tmp_path):
    alias = find_alias(tmp_path / "new")
    assert check_alias(alias) == alias
    assert find_alias(tmp_path / "new") == alias


def test_the_alias_that_is_given_wins_and_is_not_kept(tmp_path):
    assert find_alias(tmp_path, "amber-falcon") == "amber-falcon"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "alias", ["amber", "Amber-falcon", "amber-falcon-2", "a" * 12 + "-" + "b" * 12, "amber falcon"]
)
def test_what_cannot_stand_in_a_resource_name_is_refused_with_the_rule(alias):
    with pytest.raises(ValueError, match="two words"):
        check_alias(alias)


def test_every_generated_alias_is_short_enough():
    longest = max(COLOURS.split(), key=len) + "-" + max(ANIMALS.split(), key=len) + "99"
    assert len(longest) <= LONGEST_ALIAS
