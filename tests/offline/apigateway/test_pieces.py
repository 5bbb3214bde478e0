"""The gateway's pieces alone: routes, answers of functions, buckets, periods."""

import json
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.offline.journals import Journal
from helpers.offline.kernel import PublicRequest
from helpers.offline.services.apigateway.answers import Refusal, from_function
from helpers.offline.services.apigateway.deployment import Deployed
from helpers.offline.services.apigateway.event import Exchange
from helpers.offline.services.apigateway.limits import Bucket, Limits, period_of
from helpers.offline.services.apigateway.templates import is_plain


def deployed(*templates: str) -> Deployed:
    routes = [
        {
            "resource_id": template,
            "template": template,
            "segments": tuple(part for part in template.split("/") if part),
            "methods": {"GET": {"is": template}},
        }
        for template in templates
    ]
    return Deployed({"routes": routes, "models": {}, "validators": {}, "gateway_responses": {}})


ROUTES = deployed("/", "/{proxy+}", "/pets", "/pets/{pet}", "/pets/{pet}/{rest+}", "/pets/best", "/pets/{pet}/toys")


@pytest.mark.parametrize(
    "path,template,parameters",
    [
        ("", "/", {}),
        ("/", "/", {}),
        ("/pets", "/pets", {}),
        ("/pets/", "/pets", {}),
        ("/pets/cat", "/pets/{pet}", {"pet": "cat"}),
        ("/pets/a%2Fb", "/pets/{pet}", {"pet": "a/b"}),
        ("/pets/best", "/pets/best", {}),
        ("/pets/cat/toys", "/pets/{pet}/toys", {"pet": "cat"}),
        ("/pets/cat/x/y", "/pets/{pet}/{rest+}", {"pet": "cat", "rest": "x/y"}),
        ("/other/deep", "/{proxy+}", {"proxy": "other/deep"}),
    ],
)
def test_the_most_specific_resource_is_found(path, template, parameters):
    route, method, found = ROUTES.find(path, "GET")
    assert (route.template, method["is"], found) == (template, template, parameters)


def test_another_method_or_path_is_not_found():
    assert ROUTES.find("/pets", "POST") is None
    assert deployed("/pets").find("/dogs", "GET") is None
    assert deployed("/pets").find("/pets/cat", "GET") is None
    assert deployed("/{proxy+}").find("/", "GET") is None


def exchange() -> Exchange:
    request = PublicRequest("GET", "/", "", "127.0.0.1", {}, b"")
    return Exchange(request, SimpleNamespace(binaryMediaTypes=[]), "us-east-1", "live", "/")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
proxy_answers = st.fixed_dictionaries(
    {},
    optional={
        "statusCode": st.integers(100, 599) | json_values,
        "headers": st.dictionaries(st.text(), json_values) | json_values,
        "multiValueHeaders": st.dictionaries(st.text(), st.lists(st.text())) | json_values,
        "body": st.text() | json_values,
        "isBase64Encoded": st.booleans() | json_values,
    },
)


@given(proxy_answers | json_values)
def test_any_answer_of_a_function_becomes_http_or_502(document):
    try:
        answer = from_function(json.dumps(document).encode(), exchange())
    except Refusal as refusal:
        assert refusal.status == 502
        return
    assert 100 <= answer.status <= 599
    for name, value in answer.headers.items():
        assert not set("\r\n") & set(name + value)
        f"{name}{value}".encode("latin-1")


def test_a_bucket_gives_its_burst_and_then_its_rate(monkeypatch):
    now = 100.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    bucket = Bucket(rate=2, burst=3)
    assert [bucket.take() for _ in range(4)] == [True, True, True, False]
    now += 1.0
    assert [bucket.take() for _ in range(3)] == [True, True, False]


def test_a_quota_begins_anew_with_its_period(tmp_path):
    limits = Limits(Journal(tmp_path, "usage", lambda: None))
    assert [limits.within_quota("p", "k", {"limit": 1, "period": "DAY"}) for _ in range(2)] == [True, False]
    assert limits.within_quota("p", "other", {"limit": 1, "period": "DAY"})
    limits.used = {("p", "k", "2020-01-01"): 1}
    assert limits.within_quota("p", "k", {"limit": 1, "period": "DAY"})


def test_periods():
    wednesday = datetime(2026, 11, 25, tzinfo=UTC)
    assert period_of("DAY", wednesday) == "2026-11-25"
    assert period_of("WEEK", wednesday) == "2026-11-22"
    assert period_of("MONTH", wednesday) == "2026-11"


@pytest.mark.parametrize(
    "template,plain",
    [
        ('{"statusCode": 200}', True),
        ("$context.requestId $stageVariables.x $input.params('q')", True),
        ("#set($a = 1)", False),
        ("$input.json('$')", False),
        ("$util.escapeJavaScript('x')", False),
        ("5 $ and a # sign", True),
    ],
)
def test_what_a_template_may_hold_offline(template, plain):
    assert is_plain(template) is plain
