"""Calls come to moto, and its answers back, as through moto's own server."""

import io
import subprocess
import sys

import pytest

from helpers.offline.fallthrough import environment
from helpers.offline.kernel import ACCOUNT_ID, Call, Principal
from helpers.offline.moto_urls import Application

AUTHORIZATION = "AWS4-HMAC-SHA256 Credential=AKIA/20260101/us-east-1/{}/aws4_request, SignedHeaders=host, Signature=0"


def call(service, method="POST", path="/", query="", body=b"", **headers):
    headers = {"host": f"{service}.us-east-1.amazonaws.com", "authorization": AUTHORIZATION.format(service)} | headers
    return Call(service, "", "us-east-1", ACCOUNT_ID, Principal("x"), method, path, query, headers, body)


FORM = {"content-type": "application/x-www-form-urlencoded"}
TARGET = {"content-type": "application/x-amz-json-1.1"}
CALLS = {
    "a form": ("iam", call("iam", body=b"Action=ListRoles&Version=2010-05-08", **FORM)),
    "an error of a form": ("iam", call("iam", body=b"Action=GetRole&RoleName=none&Version=2010-05-08", **FORM)),
    "JSON": ("logs", call("logs", body=b"{}", **TARGET | {"x-amz-target": "Logs_20140328.DescribeLogGroups"})),
    "an error in JSON": (
        "logs",
        call("logs", body=b'{"logGroupName": "no"}', **TARGET | {"x-amz-target": "Logs_20140328.DeleteLogGroup"}),
    ),
    "a path": ("awslambda", call("lambda", "GET", "/2015-03-31/functions/")),
    "an error of a path": ("awslambda", call("lambda", "GET", "/2015-03-31/functions/none")),
    "a path that there is not": ("awslambda", call("lambda", "GET", "/nowhere/at/all")),
    "XML": ("s3", call("s3", "GET", "/", host="s3.amazonaws.com")),
    "an error in XML": ("s3", call("s3", "GET", "/no-such-bucket", "location", host="s3.amazonaws.com")),
    "a HEAD": ("s3", call("s3", "HEAD", "/no-such-bucket", host="s3.amazonaws.com")),
    "two slashes": ("s3", call("s3", "GET", "/no-such-bucket//a%2Fb", host="s3.amazonaws.com")),
}


def answered(application, one):
    said = []
    environ = environment(one) | {"wsgi.errors": io.StringIO()}
    body = b"".join(application(environ, lambda status, headers, exc_info=None: said.append((status, headers))))
    [(status, headers)] = said
    changing = ("x-amzn-requestid", "x-amz-request-id", "x-amz-id-2", "date")
    return status, {name.lower(): value for name, value in headers if name.lower() not in changing}, body


@pytest.mark.parametrize("what", CALLS)
def test_moto_answers_as_in_its_own_server(what, monkeypatch):
    monkeypatch.setenv("MOTO_DISABLE_GLOBAL_CORS", "1")
    from moto.moto_server import werkzeug_app

    monkeypatch.setattr(werkzeug_app, "DISABLE_GLOBAL_CORS", True)
    package, one = CALLS[what]
    theirs = werkzeug_app.create_backend_app(package)
    theirs.debug = False
    status, headers, body = answered(theirs, one)
    ours = answered(Application(package, ACCOUNT_ID), one)
    assert ours[:2] == (status, headers)
    assert len(ours[2]) == len(body)  # identifiers differ


def test_no_call_needs_flask():
    program = (
        "import sys; from helpers.offline.moto_urls import Application; Application('s3', '123456789012')\n"
        "assert not {'flask', 'jinja2'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
