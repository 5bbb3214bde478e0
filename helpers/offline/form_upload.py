"""Uploads to S3 by an HTML form: the form's policy says what may come, and its signature who signed the policy.

https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTConstructPolicy.html
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

from helpers.offline import fallthrough
from helpers.offline.authentication import Authenticated, refusal, signer
from helpers.offline.identities import Identities, Identity
from helpers.offline.kernel import Answer, AwsError, Call
from helpers.offline.signature import BadSignature, Signed

# Fields that no condition needs to name.
FREE = {"file", "policy", "signature", "awsaccesskeyid", "x-amz-signature"}


@dataclass(slots=True)
class Form:
    """`fields` by their names in lower case, `${filename}` filled in."""

    bucket: str
    fields: dict[str, str]
    body: bytes


def is_one(call: Call) -> bool:
    return (
        call.service == "s3"
        and call.method == "POST"
        and call.headers.get("content-type", "").startswith("multipart/form-data")
    )


def authenticate(call: Call, identities: Identities, region: str) -> tuple[Form, Authenticated]:
    """The form and who signed it; `call` is from then on the PutObject that it stands for. Raises AwsError."""
    form = _read(call)
    known = _verify(form.fields, identities, region)
    _check_policy(form)
    call.method, call.query, call.is_form = "PUT", "", True
    call.path = f"/{form.bucket}/{quote(form.fields['key'])}"
    call.headers = _headers(form, call.headers.get("host", ""))
    return form, Authenticated(known, _signed(form.fields, region), form.body, call.headers)


def answer(form: Form, put: Answer, endpoint_url: str) -> Answer:
    """The answer to the form, of the answer to its PutObject."""
    etag = put.headers.get("etag", "")
    location = f"{endpoint_url}/{form.bucket}/{quote(form.fields['key'])}"
    redirect = form.fields.get("success_action_redirect") or form.fields.get("redirect")
    if redirect:
        url = urlsplit(redirect)
        query = [*parse_qsl(url.query), ("bucket", form.bucket), ("key", form.fields["key"]), ("etag", etag)]
        return Answer(303, {"location": urlunsplit(url._replace(query=urlencode(query))), "etag": etag})
    status = form.fields.get("success_action_status", "204")
    if status != "201":
        return Answer(200 if status == "200" else 204, {"etag": etag, "location": location})
    text = (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<PostResponse><Location>{_escaped(location)}</Location><Bucket>'
        f"{form.bucket}</Bucket><Key>{_escaped(form.fields['key'])}</Key><ETag>{_escaped(etag)}</ETag></PostResponse>"
    )
    return Answer(201, {"etag": etag, "location": location, "content-type": "application/xml"}, text.encode())


def _read(call: Call) -> Form:
    from werkzeug.formparser import parse_form_data

    _, values, files = parse_form_data(fallthrough.environment(call), silent=True, max_form_memory_size=None)
    fields = {name.lower(): value for name, value in values.items()}
    file = files.get("file")
    body = file.stream.read() if file is not None else fields.pop("file", None)
    if body is None:
        raise AwsError("InvalidArgument", "POST requires exactly one file upload per request.")
    if not fields.get("key"):
        raise AwsError(
            "InvalidArgument", "Bucket POST must contain a field named 'key'. If it is specified, check its order."
        )
    name = (file.filename or "") if file is not None else ""
    fields["key"] = fields["key"].replace("${filename}", name.replace("\\", "/").rpartition("/")[2])
    return Form(call.path.strip("/"), fields, body.encode() if isinstance(body, str) else body)


def _verify(fields: Mapping[str, str], identities: Identities, region: str) -> Identity:
    """Raises AwsError where the policy was not signed with keys that are known here."""
    try:
        if "policy" not in fields or not {"signature", "x-amz-signature"} & fields.keys():
            raise BadSignature("missing")
        signed = _signed(fields, region)
        identity = signer(identities, signed)
        secret, policy = identity.credentials.secret_access_key.encode(), fields["policy"].encode()
        if "x-amz-signature" in fields:
            key = b"AWS4" + secret
            for part in (signed.date, signed.region, signed.service, "aws4_request"):
                key = hmac.digest(key, part.encode(), "sha256")
            expected = hmac.new(key, policy, hashlib.sha256).hexdigest()
        else:
            expected = base64.b64encode(hmac.digest(secret, policy, "sha1")).decode()
        if not hmac.compare_digest(expected.encode(), signed.signature.encode()):
            raise BadSignature("mismatch")
        return identity
    except BadSignature as bad:
        raise refusal(bad, "rest-xml") from None


def _signed(fields: Mapping[str, str], region: str) -> Signed:
    """Raises BadSignature incomplete."""
    key_id, date, service = fields.get("awsaccesskeyid", ""), "", "s3"
    if "x-amz-signature" in fields:
        scope = fields.get("x-amz-credential", "").split("/")
        if len(scope) != 5:
            raise BadSignature("incomplete", "x-amz-credential")
        key_id, date, region, service, _ = scope
    return Signed(
        key_id,
        date=date,
        region=region,
        service=service,
        signed_headers=(),
        signature=fields.get("x-amz-signature") or fields.get("signature", ""),
        timestamp=fields.get("x-amz-date", ""),
        session_token=fields.get("x-amz-security-token"),
        expires_s=None,
    )


def _check_policy(form: Form) -> None:
    """Raises AwsError where the policy has expired, or the form is not what it allows."""
    try:
        policy = json.loads(base64.b64decode(form.fields["policy"], validate=True))
        expires = datetime.fromisoformat(policy["expiration"].replace("Z", "+00:00")).timestamp()
        conditions = policy["conditions"]
    except (ValueError, KeyError, TypeError, AttributeError, binascii.Error):
        raise AwsError("InvalidPolicyDocument", "Invalid Policy: Invalid JSON.") from None
    if not isinstance(conditions, list):
        raise AwsError("InvalidPolicyDocument", "Invalid Policy: Invalid 'conditions' value: must be a List.")
    if expires < time.time():
        raise denied("Policy expired.")
    values = form.fields | {"bucket": form.bucket}
    named = {"bucket"}
    for condition in conditions:
        for operator, *operands in _parts(condition):
            if operator == "content-length-range":
                _check_size(len(form.body), *operands)
                continue
            name = operands[0].removeprefix("$").lower()
            named.add(name)
            value, wanted = values.get(name, ""), operands[1]
            if not (value.startswith(wanted) if operator == "starts-with" else value == wanted):
                raise denied(f"Policy Condition failed: {json.dumps(condition)}")
    extra = sorted(name for name in form.fields.keys() - FREE - named if not name.startswith("x-ignore-"))
    if extra:
        raise denied(f"Extra input fields: {', '.join(extra)}")


def _parts(condition: object) -> list[list[Any]]:
    """[operator, $name, value] or [content-length-range, least, most], of either way to write it. Raises AwsError."""
    if isinstance(condition, dict):
        return [["eq", f"${name}", str(value)] for name, value in condition.items()]
    match condition:
        case ["content-length-range", int() | str() as least, int() | str() as most] if f"{least}{most}".isdigit():
            return [["content-length-range", int(least), int(most)]]
        case ["eq" | "starts-with" as operator, str() as name, value]:
            return [[operator, name, str(value)]]
    raise AwsError("InvalidPolicyDocument", f"Invalid Policy: Invalid condition: {json.dumps(condition)}")


def _check_size(size: int, least: int, most: int) -> None:
    if size > most:
        raise AwsError(
            "EntityTooLarge",
            "Your proposed upload exceeds the maximum allowed size",
            ProposedSize=size,
            MaxSizeAllowed=most,
        )
    if size < least:
        raise AwsError(
            "EntityTooSmall",
            "Your proposed upload is smaller than the minimum allowed size",
            ProposedSize=size,
            MinSizeAllowed=least,
        )


def denied(reason: str) -> AwsError:
    return AwsError("AccessDenied", f"Invalid according to Policy: {reason}", 403)


def _headers(form: Form, host: str) -> dict[str, str]:
    """Of the fields those that are headers of PutObject."""
    kept = {"content-type", "content-encoding", "content-disposition", "cache-control", "expires"}
    # moto takes a request without a signature for that of a stranger.
    headers = {"host": host, "content-length": str(len(form.body)), "authorization": "form"}
    for name, value in form.fields.items():
        if name in kept or name.startswith(("x-amz-meta-", "x-amz-server-side", "x-amz-storage")):
            headers[name] = value
        elif name == "acl":
            headers["x-amz-acl"] = value
    return headers


def _escaped(text: str) -> str:
    from xml.sax.saxutils import escape

    return escape(text)
