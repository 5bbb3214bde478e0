"""Random identifiers."""

import uuid

from helpers.offline.identifiers import random_uuid, random_uuids


def test_a_random_uuid_is_one_of_version_4_and_never_the_same():
    made = [random_uuid() for _ in range(1_000)] + [one for _ in range(100) for one in random_uuids(10)]
    assert len(set(made)) == len(made)
    for text in made:
        parsed = uuid.UUID(text)
        assert (str(parsed), parsed.version, parsed.variant) == (text, 4, uuid.RFC_4122)
    for position in set(range(36)) - {8, 13, 14, 18, 19, 23}:
        assert len({text[position] for text in made}) == 16
    assert {text[19] for text in made} == set("89ab")
