"""Who sent this request: the signature checked against the workspace's keys, refusals in AWS's own codes and words."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

from helpers.offline import signature, signature_v2
from helpers.offline.identities import Identities, Identity
from helpers.offline.kernel import AwsError
from helpers.offline.signature import BadSignature, ChunkDecoder, Signed


@dataclass(slots=True)
class Authenticated:
    """`chunks` decodes the body of a chunked upload that has not arrived yet."""

    identity: Identity
    signed: Signed
    body: bytes
    headers: Mapping[str, str]
    chunks: ChunkDecoder | None = None


# What went wrong -> (code, message) for S3, for the query protocol, and for JSON.
_TOKEN_INVALID = "The security token included in the request is invalid."
_TOKEN_EXPIRED = "The security token included in the request is expired"
_MISMATCH = (
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key "
    "and signing method. Consult the service documentation for details."
)
_REFUSALS = {
    "missing": (
        ("AccessDenied", "Access Denied"),
        ("MissingAuthenticationToken", "Request is missing Authentication Token"),
        ("MissingAuthenticationTokenException", "Missing Authentication Token"),
    ),
    "incomplete": (
        ("AuthorizationHeaderMalformed", "The authorization header that you provided is not valid."),
        ("IncompleteSignature", "The request signature does not conform to AWS standards."),
        ("IncompleteSignatureException", "The request signature does not conform to AWS standards."),
    ),
    "unknown": (
        ("InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records."),
        ("InvalidClientTokenId", _TOKEN_INVALID),
        ("UnrecognizedClientException", _TOKEN_INVALID),
    ),
    "token": (
        ("InvalidToken", "The provided token is malformed or otherwise invalid."),
        ("InvalidClientTokenId", _TOKEN_INVALID),
        ("UnrecognizedClientException", _TOKEN_INVALID),
    ),
    "token expired": (
        ("ExpiredToken", "The provided token has expired."),
        ("ExpiredToken", _TOKEN_EXPIRED),
        ("ExpiredTokenException", _TOKEN_EXPIRED),
    ),
    "unsigned": (
        ("AccessDenied", "There were headers present in the request which were not signed"),
        ("SignatureDoesNotMatch", _MISMATCH),
        ("InvalidSignatureException", _MISMATCH),
    ),
    "mismatch": (
        (
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided. "
            "Check your key and signing method.",
        ),
        ("SignatureDoesNotMatch", _MISMATCH),
        ("InvalidSignatureException", _MISMATCH),
    ),
    "skewed": (
        ("RequestTimeTooSkewed", "The difference between the request time and the current time is too large."),
        ("SignatureDoesNotMatch", ""),
        ("InvalidSignatureException", ""),
    ),
    "expired": (("AccessDenied", "Request has expired"),) * 3,
    "trailer": (
        (
            "MalformedTrailerError",
            "The request contained trailing data that was not well-formed or did not conform to our published schema.",
        ),
    )
    * 3,
    "payload": (
        (
            "XAmzContentSHA256Mismatch",
            "The provided 'x-amz-content-sha256' header does not match what was computed.",
        ),
        ("SignatureDoesNotMatch", _MISMATCH),
        ("InvalidSignatureException", _MISMATCH),
    ),
}


class Claim:
    """Who sent a request, as its head tells: read while its body is on its way.

    `signed` is None where that cannot be read.
    """

    def __init__(
        self,
        identities: Identities,
        method: str,
        raw_path: str,
        query: str,
        headers: Mapping[str, str],
        default_region: str,
    ) -> None:
        self.headers = headers
        self.signed: Signed | None = None
        self._bad: BadSignature | None = None
        try:
            old_form = "authorization" not in headers and signature_v2.is_presigned(query)
            signed = signature_v2.parse(query, default_region) if old_form else signature.parse(headers, query)
            self.signed = signed
            self._identity = signer(identities, signed)
            secret = self._identity.credentials.secret_access_key
            self._verification = None
            if old_form:
                signature_v2.verify(signed, secret, method, raw_path, query, headers)
            else:
                self._verification = signature.Verification(signed, secret, method, raw_path, query, headers)
        except BadSignature as bad:
            self._bad = bad

    def check(self, protocol: str) -> None:
        """Before a large body is read. Raises AwsError (403) where its head alone is reason enough."""
        if self._bad is not None:
            raise refusal(self._bad, protocol)

    def verified(self, body: bytes | None, protocol: str) -> Authenticated:
        """Once. Raises AwsError (403) in the words that AWS has for this protocol.

        `body` is None where it has not arrived yet; then what is promised for it is verified here, and it itself later.
        """
        try:
            if self._bad is not None or self.signed is None:
                raise self._bad or BadSignature("missing")
            headers = self.headers
            if self._verification is not None:
                self._verification.of(body)
            chunks = None
            if signature.is_chunked(headers):
                chunks = ChunkDecoder(self.signed, self._identity.credentials.secret_access_key, headers)
            if body is None:
                return Authenticated(self._identity, self.signed, b"", headers, chunks)
            if chunks is not None:
                body = b"".join(chunks.feed(body))
                headers = without_chunking(headers, chunks.finish(), len(body))
            return Authenticated(self._identity, self.signed, body, headers)
        except BadSignature as bad:
            raise refusal(bad, protocol) from None


def signer(identities: Identities, signed: Signed) -> Identity:
    """Whose keys a request claims to be signed with. Raises BadSignature."""
    identity = identities.find(signed.access_key_id)
    if identity is None:
        raise BadSignature("unknown")
    if identity.credentials.session_token != signed.session_token:
        raise BadSignature("token")
    if identity.expires is not None and identity.expires < time.time():
        raise BadSignature("token expired")
    return identity


def refusal(bad: BadSignature, protocol: str) -> AwsError:
    """`bad` in the code and words that the protocol's services have for it."""
    column = {"rest-xml": 0, "query": 1}.get(protocol, 2)
    code, message = _REFUSALS[bad.kind][column]
    if bad.kind == "skewed" and not message:
        message = _skew_message(bad.detail)
    return AwsError(code, message, 400 if bad.kind == "trailer" or code == "XAmzContentSHA256Mismatch" else 403)


def _skew_message(timestamp: str) -> str:
    now = time.time()
    stamp = "%Y%m%dT%H%M%SZ"
    now_text = time.strftime(stamp, time.gmtime(now))
    if signature.epoch_s(timestamp) < now:
        limit = time.strftime(stamp, time.gmtime(now - signature.WINDOW_S))
        return f"Signature expired: {timestamp} is now earlier than {limit} ({now_text} - 15 min.)"
    limit = time.strftime(stamp, time.gmtime(now + signature.WINDOW_S))
    return f"Signature not yet current: {timestamp} is still later than {limit} ({now_text} + 15 min.)"


def without_chunking(headers: Mapping[str, str], trailer: dict[str, str], size_bytes: int) -> dict[str, str]:
    """The headers as they would be for the decoded body; what came in the trailer is among them."""
    plain = {name: value for name, value in headers.items() if name not in ("x-amz-trailer", "transfer-encoding")}
    encodings = [part.strip() for part in plain.pop("content-encoding", "").split(",")]
    kept = [encoding for encoding in encodings if encoding and encoding != "aws-chunked"]
    if kept:
        plain["content-encoding"] = ",".join(kept)
    plain |= {"content-length": str(size_bytes), "x-amz-content-sha256": signature.UNSIGNED_PAYLOAD}
    plain.pop("x-amz-decoded-content-length", None)
    return plain | trailer
