"""Teardown deletes what is this participant's, by name and by tag, leaves everybody else's, and proves it."""

import pytest

from helpers.resources import buckets, fulfillment_center, live_inference, roles, sample_collection, teardown


@pytest.fixture
def furnished(ws):
    """A participant with the resources of labs 1 and 3."""
    fulfillment_center.build(ws)
    sample_collection.build(ws)
    live_inference.build(ws)
    return ws


def test_after_teardown_a_listing_finds_nothing(furnished, capsys):
    assert len(teardown.left(furnished)) >= 8
    assert not teardown.prove(furnished)
    assert teardown.run(furnished) >= 8
    capsys.readouterr()
    assert teardown.prove(furnished)
    assert "Nothing is left of fulfillment-test-falcon" in capsys.readouterr().out


def test_what_is_deleted_is_printed_by_kind(furnished, capsys):
    teardown.run(furnished)
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "2 functions LiveInferenceLambdaFunction, SampleCollectionLambdaFunction" in lines
    assert "1 REST API LiveInferenceAPI" in lines
    assert "1 delivery stream SampleCollectionFirehose" in lines


def test_a_long_list_of_names_is_cut_unless_all_are_asked_for(enter):
    ws, gone = enter("long-list"), [f"fulfillment-long-list-xgboost-2026010100000{n}" for n in range(9)]
    cut = teardown._listed(ws, gone, False)
    assert cut.startswith("xgboost-20260101000000, ") and cut.endswith(" and 7 more")
    assert teardown._listed(ws, gone, True).count(",") == 8


def test_a_second_teardown_finds_nothing_to_do(furnished):
    teardown.run(furnished)
    assert teardown.run(furnished) == 0


def test_it_goes_on_past_what_somebody_else_deleted_meanwhile(furnished, monkeypatch):
    names = [furnished.name("SampleCollectionLambdaFunction"), furnished.name("LiveInferenceLambdaFunction")]
    listed = teardown.KINDS[[kind.label for kind in teardown.KINDS].index("function")]
    found = listed.owned(furnished, furnished.region, [])
    assert sorted(item.name for item in found) == sorted(names)
    furnished.client("lambda").delete_function(FunctionName=names[0])
    assert not teardown._delete(furnished, furnished.region, listed, next(i for i in found if i.name == names[0]))
    assert teardown._delete(furnished, furnished.region, listed, next(i for i in found if i.name == names[1]))
    teardown.run(furnished)
    assert teardown.left(furnished) == []


def test_another_participants_things_stay(furnished, enter):
    other = enter(f"{furnished.participant}x")
    buckets.ensure(other, "samples")
    roles.ensure(other, "firehose")
    teardown.run(furnished)
    assert len(teardown.left(other)) == 2
    teardown.run(other)


def test_what_carries_the_tags_under_another_name_is_found(ws):
    ws.client("sns").create_topic(Name=f"my-own-topic-of-{ws.participant}", Tags=ws.tags)
    assert [line.split()[0] for line in teardown.left(ws)] == ["topic"]
    teardown.run(ws)
    assert teardown.left(ws) == []


def test_a_second_region_that_was_used_is_looked_at_too(ws):
    ws.client("sns", "eu-west-1").create_topic(Name=ws.name("ElsewhereTopic"), Tags=ws.tags)
    assert [line.rsplit(" ", 1)[-1] for line in teardown.left(ws)] == ["eu-west-1"]
    teardown.run(ws)
    assert teardown.left(ws) == []
