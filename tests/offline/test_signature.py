"""Signatures: what botocore signs is accepted, anything else is refused with AWS's code and words."""

import datetime
import io
from unittest.mock import patch

import boto3
import pytest
import requests
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.offline import signature

SECRET = "a secret/with+signs"
PATHS = st.lists(st.text("abcXYZ019-_.~ ü/+%&=", min_size=1, max_size=8), max_size=4)
PARTS = st.text("abc019-_.~ ü/+&=", min_size=1, max_size=6)


@settings(max_examples=150, deadline=None)
@given(
    service=st.sampled_from(["s3", "lambda", "sns"]),
    parts=PATHS,
    query=st.dictionaries(PARTS, PARTS, max_size=3),
    body=st.binary(max_size=50),
    extra=st.text("abc  d", max_size=10),
)
def test_whatever_botocore_signs_is_accepted_and_one_changed_byte_is_not(service, parts, query, body, extra):
    from urllib.parse import quote

    path = "/" + quote("/".join(parts), safe="/~")
    text = "&".join(f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}" for name, value in query.items())
    url = f"http://127.0.0.1:4710{path}" + ("?" + text if text else "")
    request = AWSRequest("PUT", url, {"x-amz-meta-note": f"x{extra}y"}, body)
    signer = S3SigV4Auth if service == "s3" else SigV4Auth
    signer(Credentials("AKIATEST", SECRET), service, "eu-west-1").add_auth(request)
    headers = {name.lower(): value for name, value in request.headers.items()} | {"host": "127.0.0.1:4710"}
    signed = signature.parse(headers, text)

    def verify(secret, method, path, query, headers, body):
        signature.Verification(signed, secret, method, path, query, headers).of(body)

    verify(SECRET, "PUT", path, text, headers, body)
    for changed in (
        ("POST", path, headers, body),
        ("PUT", path + "x", headers, body),
        ("PUT", path, headers, body + b"x"),
        ("PUT", path, headers | {"x-amz-meta-note": "another"}, body),
        ("PUT", path, headers | {"host": "127.0.0.1:4711"}, body),
    ):
        method, other_path, other_headers, other_body = changed
        with pytest.raises(signature.BadSignature):
            verify(SECRET, method, other_path, text, other_headers, other_body)
    with pytest.raises(signature.BadSignature):
        verify(SECRET + "x", "PUT", path, text, headers, body)
    with pytest.raises(signature.BadSignature):
        verify(SECRET, "PUT", path, f"{text}&another=1" if text else "another=1", headers, body)


CALLS = [
    ("s3", "list_buckets", {}),
    ("sts", "get_caller_identity", {}),
    ("sqs", "list_queues", {}),
    ("resourcegroupstaggingapi", "get_resources", {}),
]


def refusal(offline, access_key, secret, token, service, operation):
    session = boto3.Session(access_key, secret, token, region_name="us-east-1")
    config = Config(retries={"total_max_attempts": 1})
    with pytest.raises(ClientError) as caught:
        getattr(session.client(service, endpoint_url=offline.endpoint_url, config=config), operation)()
    answer = caught.value.response
    return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"], answer["Error"]["Message"]


@pytest.mark.parametrize(
    ("service", "operation", "code", "words"),
    [
        ("s3", "list_buckets", "InvalidAccessKeyId", "does not exist in our records"),
        (
            "sts",
            "get_caller_identity",
            "InvalidClientTokenId",
            "The security token included in the request is invalid.",
        ),
        ("resourcegroupstaggingapi", "get_resources", "UnrecognizedClientException", "security token included"),
    ],
)
def test_an_unknown_key_is_refused(offline, service, operation, code, words):
    status, said, message = refusal(offline, "AKIA" + "A" * 16, "x" * 40, None, service, operation)
    assert (status, said) == (403, code)
    assert words in message


@pytest.mark.parametrize(
    ("service", "operation", "code"),
    [
        ("s3", "list_buckets", "SignatureDoesNotMatch"),
        ("sts", "get_caller_identity", "SignatureDoesNotMatch"),
        ("resourcegroupstaggingapi", "get_resources", "InvalidSignatureException"),
    ],
)
def test_a_wrong_secret_is_refused(offline, service, operation, code):
    key = offline.environment["AWS_ACCESS_KEY_ID"]
    status, said, message = refusal(offline, key, "x" * 40, None, service, operation)
    assert (status, said) == (403, code)
    assert message.startswith("The request signature we calculated does not match the signature you provided.")


def test_the_owners_key_with_a_foreign_token_is_refused(offline):
    environment = offline.environment
    answer = refusal(
        offline,
        environment["AWS_ACCESS_KEY_ID"],
        environment["AWS_SECRET_ACCESS_KEY"],
        "made up",
        "sts",
        "get_caller_identity",
    )
    assert answer[:2] == (403, "InvalidClientTokenId")


@pytest.mark.parametrize(
    ("headers", "body", "code"),
    [
        (
            {"content-type": "application/x-www-form-urlencoded"},
            "Action=GetCallerIdentity",
            "MissingAuthenticationToken",
        ),
        ({"x-amz-target": "SageMaker.ListModels"}, "{}", "MissingAuthenticationTokenException"),
        ({}, "", "AccessDenied"),
    ],
)
def test_no_signature_at_all_is_refused(offline, headers, body, code):
    answer = requests.post(offline.endpoint_url + "/", data=body, headers=headers, timeout=30)
    assert answer.status_code == 403
    assert code in answer.text


def signed_at(offline, moment, service="sts", body="Action=GetCallerIdentity&Version=2011-06-15"):
    environment = offline.environment
    request = AWSRequest(
        "POST", offline.endpoint_url + "/", {"content-type": "application/x-www-form-urlencoded"}, body
    )
    keys = Credentials(environment["AWS_ACCESS_KEY_ID"], environment["AWS_SECRET_ACCESS_KEY"])
    with patch("botocore.auth.get_current_datetime", return_value=moment):
        SigV4Auth(keys, service, "us-east-1").add_auth(request)
    return requests.post(request.url, data=body, headers=dict(request.headers.items()), timeout=30)


def test_a_request_replayed_after_15_minutes_is_refused(offline):
    now = datetime.datetime.now(datetime.UTC)
    assert signed_at(offline, now).status_code == 200
    assert signed_at(offline, now - datetime.timedelta(minutes=14)).status_code == 200
    late = signed_at(offline, now - datetime.timedelta(minutes=16))
    assert late.status_code == 403
    assert "Signature expired: " in late.text
    assert "is now earlier than" in late.text
    early = signed_at(offline, now + datetime.timedelta(minutes=16))
    assert early.status_code == 403
    assert "Signature not yet current: " in early.text


@pytest.fixture(scope="module")
def bucket(offline):
    offline.client("s3").create_bucket(Bucket="signed-bucket")
    return "signed-bucket"


@pytest.mark.parametrize("version", ["s3", "s3v4"])
def test_presigned_urls_work_until_they_expire_and_only_as_signed(offline, bucket, version, eventually):
    client = offline.client("s3", config=Config(signature_version=version))
    place = {"Bucket": bucket, "Key": f"ü/{version} 1+2.txt"}
    put = client.generate_presigned_url("put_object", Params=place)
    assert requests.put(put, data=b"some bytes", timeout=30).status_code == 200
    get = client.generate_presigned_url(
        "get_object", Params=place | {"ResponseContentType": "text/x-test"}, ExpiresIn=60
    )
    answer = requests.get(get, timeout=30)
    assert (answer.content, answer.headers["content-type"]) == (b"some bytes", "text/x-test")
    assert requests.get(get.replace("x-test", "x-best"), timeout=30).status_code == 403
    assert requests.delete(get, timeout=30).status_code == 403
    brief = client.generate_presigned_url("get_object", Params=place, ExpiresIn=1)

    def refused():
        answer = requests.get(brief, timeout=30)
        return answer.text if answer.status_code == 403 else None

    assert "<Message>Request has expired</Message>" in eventually(refused)


def test_unsigned_payloads_are_accepted_where_s3_does(offline, bucket):
    client = offline.client("s3", config=Config(s3={"payload_signing_enabled": False}))
    client.put_object(Bucket=bucket, Key="unsigned", Body=io.BytesIO(b"stream"))
    assert client.get_object(Bucket=bucket, Key="unsigned")["Body"].read() == b"stream"


def test_a_body_that_is_not_the_signed_one_is_refused(offline, bucket):
    environment = offline.environment
    request = AWSRequest("PUT", f"{offline.endpoint_url}/{bucket}/body", {}, b"signed")
    keys = Credentials(environment["AWS_ACCESS_KEY_ID"], environment["AWS_SECRET_ACCESS_KEY"])
    S3SigV4Auth(keys, "s3", "us-east-1").add_auth(request)
    answer = requests.put(request.url, data=b"forged", headers=dict(request.headers.items()), timeout=30)
    assert answer.status_code == 400
    assert "XAmzContentSHA256Mismatch" in answer.text


def chunked(signer_key, scope, timestamp, seed, chunks):
    """The body of a STREAMING-AWS4-HMAC-SHA256-PAYLOAD upload, as the documentation's example builds it."""
    import hashlib
    import hmac

    previous, body = seed, b""
    for chunk in [*chunks, b""]:
        text = "\n".join(
            [
                "AWS4-HMAC-SHA256-PAYLOAD",
                timestamp,
                scope,
                previous,
                hashlib.sha256(b"").hexdigest(),
                hashlib.sha256(chunk).hexdigest(),
            ]
        )
        previous = hmac.new(signer_key, text.encode(), "sha256").hexdigest()
        body += b"%x;chunk-signature=%s\r\n%s\r\n" % (len(chunk), previous.encode(), chunk)
    return body


@pytest.mark.parametrize("is_forged", [False, True])
def test_signed_chunks_are_verified_one_by_one(offline, bucket, is_forged):
    environment = offline.environment
    headers = {
        "x-amz-content-sha256": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
        "x-amz-decoded-content-length": "10",
        "content-encoding": "aws-chunked",
    }
    request = AWSRequest("PUT", f"{offline.endpoint_url}/{bucket}/chunks", headers, b"")
    secret = environment["AWS_SECRET_ACCESS_KEY"]
    request.context["payload_signing_enabled"] = True

    class Streaming(S3SigV4Auth):
        def payload(self, request):
            return "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"

        def _modify_request_before_signing(self, request):
            SigV4Auth._modify_request_before_signing(self, request)
            request.headers.replace_header("X-Amz-Content-SHA256", self.payload(request))

    Streaming(Credentials(environment["AWS_ACCESS_KEY_ID"], secret), "s3", "us-east-1").add_auth(request)
    sent = dict(request.headers.items())
    timestamp = sent["X-Amz-Date"]
    scope = f"{timestamp[:8]}/us-east-1/s3/aws4_request"
    seed = sent["Authorization"].rpartition("Signature=")[2]
    key = signature.signing_key(secret, timestamp[:8], "us-east-1", "s3")
    body = chunked(key, scope, timestamp, seed, [b"01234", b"56789"])
    if is_forged:
        body = body.replace(b"56789", b"56780")
    answer = requests.put(request.url, data=body, headers=sent, timeout=30)
    if is_forged:
        assert (answer.status_code, "SignatureDoesNotMatch" in answer.text) == (403, True)
    else:
        assert answer.status_code == 200, answer.text
        held = offline.client("s3").get_object(Bucket=bucket, Key="chunks")
        assert held["Body"].read() == b"0123456789"
        assert held.get("ContentEncoding", "") == ""


@pytest.mark.parametrize(
    "query",
    [
        "X-Amz-Credential=AKIA/20260101/us-east-1/s3/aws4_request&X-Amz-Expires=60&X-Amz-Signature=",
        "AWSAccessKeyId=&Signature=&Expires=1",
    ],
)
def test_a_presigned_url_with_an_empty_signature_is_refused(offline, query):
    answer = requests.get(f"{offline.endpoint_url}/a-bucket/a-key?{query}")
    assert (answer.status_code, "AuthorizationHeaderMalformed" in answer.text) == (403, True)


def test_the_parts_of_an_authorization_header_may_come_in_any_order_and_only_once():
    credential, names, signed = (
        "Credential=AKIA/20260101/eu-west-1/sns/aws4_request",
        "SignedHeaders=host;x",
        "Signature=ab",
    )
    headers = {"x-amz-date": "20260101T000000Z"}

    def parse(*parts):
        return signature.parse(headers | {"authorization": f"{signature.ALGORITHM} {', '.join(parts)}"}, "")

    usual = parse(credential, names, signed)
    assert (usual.access_key_id, usual.region, usual.service) == ("AKIA", "eu-west-1", "sns")
    assert (usual.signed_headers, usual.signature) == (("host", "x"), "ab")
    assert parse(signed, names, credential) == parse(names, signed, credential) == usual
    for parts in (
        (credential, names),
        (credential, names, "Signature="),
        (signed, credential, names, signed),
        (credential, signed, names, "Signature=cd"),
        (credential, credential, names, signed),
        (names, signed),
        ("Credential=AKIA/sns", names, signed),
    ):
        with pytest.raises(signature.BadSignature, match="incomplete"):
            parse(*parts)
