"""The arena's house opponents: trained, deployed, asked, and gone after teardown."""

import pytest
import requests

from helpers.fulfillment import FEATURES, generate
from helpers.resources import house, teardown


def test_four_really_trained_models_answer_differently_and_leave_nothing_behind(ws):
    building = house.start(ws)
    assert building.aliases == tuple(opponent.alias for opponent in house.OPPONENTS)
    urls = building.urls()
    assert list(urls) == [opponent.alias for opponent in house.OPPONENTS]
    rows = generate(40, seed=3)
    answers = {}
    for alias, url in urls.items():
        asked = [
            ",".join("" if v != v else str(v) for v in row) for row in rows[list(FEATURES)].to_numpy(float).tolist()
        ]
        replies = [requests.get(url, params={"features": line}, timeout=20) for line in asked]
        assert {reply.status_code for reply in replies} == {200}, alias  # gaps in the features, too
        answers[alias] = [reply.json()["prediction_ms"] for reply in replies]
        assert requests.get(url, params={"features": "1,2"}, timeout=20).status_code == 400
    assert all(2000 < sum(a) / len(a) < 30_000 for a in answers.values())
    assert len({tuple(a) for a in answers.values()}) == 4
    calls = ws.calls.count("CreateTrainingJob")
    assert house.build(ws) == urls  # a second time makes nothing
    assert ws.calls.count("CreateTrainingJob") == calls == 4
    teardown.run(ws)
    assert teardown.left(ws) == []
    assert house.urls(ws) == {}


def test_what_goes_wrong_in_the_background_is_raised_where_the_house_is_needed(ws, monkeypatch):
    def refused(ws):
        raise RuntimeError("no house today")

    monkeypatch.setattr(house, "build", refused)
    building = house.start(ws)
    with pytest.raises(RuntimeError, match="no house today"):
        building.urls()


def test_what_broke_off_in_the_background_is_made_when_the_reason_has_gone(ws, monkeypatch):
    answers = iter([ConnectionError("the server is away"), {"k-NN": "http://127.0.0.1/knn"}])

    def build(ws):
        if isinstance(answer := next(answers), Exception):
            raise answer
        return answer

    monkeypatch.setattr(house, "build", build)
    building = house.start(ws)
    assert building.urls() == building.urls() == {"k-NN": "http://127.0.0.1/knn"}
