"""Large uploads: on disk while they arrive, in every form of signature; torn or tampered with, they leave nothing."""

import base64
import hashlib
import http.client
import json
import os
import socket
import zlib
from urllib.parse import urlsplit

import psutil
import pytest
import requests
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from helpers.offline import signature, uploads

SIZE = 3_000_000


@pytest.fixture(scope="module")
def body():
    return os.urandom(SIZE)


@pytest.fixture(scope="module")
def bucket(offline):
    offline.client("s3").create_bucket(Bucket="uploads")
    return "uploads"


def is_nothing_left(offline):
    return list((offline.directory / uploads.DIRECTORY).glob("*")) == []


def signed(offline, url, payload_hash, headers):
    """Headers of a PUT that promises `payload_hash`."""

    class Signer(S3SigV4Auth):
        def payload(self, request):
            return payload_hash

        def _modify_request_before_signing(self, request):
            SigV4Auth._modify_request_before_signing(self, request)
            del request.headers["X-Amz-Content-SHA256"]
            request.headers["X-Amz-Content-SHA256"] = payload_hash

    keys = Credentials(offline.environment["AWS_ACCESS_KEY_ID"], offline.environment["AWS_SECRET_ACCESS_KEY"])
    request = AWSRequest("PUT", url, headers, b"")
    Signer(keys, "s3", "us-east-1").add_auth(request)
    return dict(request.headers.items())


def stored(offline, bucket, key):
    return offline.client("s3").get_object(Bucket=bucket, Key=key)


@pytest.mark.parametrize(
    "options",
    [{}, {"payload_signing_enabled": False}, {"addressing_style": "path"}],
    ids=["signed", "unsigned", "path"],
)
def test_what_boto3_puts_is_what_it_gets(offline, bucket, body, options):
    client = offline.client("s3", config=Config(s3=options))
    answer = client.put_object(
        Bucket=bucket, Key="ü/boto", Body=body, Metadata={"fc": "ASPEN"}, ContentType="text/csv", Tagging="a=b"
    )
    assert answer["ETag"] == f'"{hashlib.md5(body).hexdigest()}"'
    back = stored(offline, bucket, "ü/boto")
    assert back["Body"].read() == body
    assert (back["ContentLength"], back["ContentType"], back["Metadata"]) == (SIZE, "text/csv", {"fc": "ASPEN"})
    assert client.get_object_tagging(Bucket=bucket, Key="ü/boto")["TagSet"] == [{"Key": "a", "Value": "b"}]
    assert is_nothing_left(offline)


def digest_of(algorithm, data):
    """As the algorithms are defined, bit by bit where no library has them."""
    if algorithm in ("SHA1", "SHA256", "SHA512", "MD5"):
        return hashlib.new(algorithm, data).digest()
    if algorithm == "CRC32":
        return zlib.crc32(data).to_bytes(4, "big")
    bits, polynomial = {"CRC32C": (32, 0x82F63B78), "CRC64NVME": (64, 0x9A6C9329AC4BC9B5)}[algorithm]
    value = (1 << bits) - 1
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = (value >> 1) ^ (polynomial if value & 1 else 0)
    return (value ^ ((1 << bits) - 1)).to_bytes(bits // 8, "big")


ALGORITHMS = ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256", "SHA512", "MD5"]


@pytest.mark.parametrize("size", [9, 70_001, uploads.STREAMED_FROM_BYTES + 77])
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_checksum_is_kept_if_it_is_right_and_nothing_is_if_it_is_wrong(offline, bucket, body, algorithm, size):
    """Each size goes another way: in memory, in memory through numpy, in a file."""
    client, sent = offline.client("s3"), body[:size]
    right = digest_of(algorithm, sent)
    member = f"Checksum{algorithm}"
    said = base64.b64encode(right).decode()
    answer = client.put_object(Bucket=bucket, Key="sum", Body=sent, **{member: said})
    assert answer[member] == said
    assert client.head_object(Bucket=bucket, Key="sum", ChecksumMode="ENABLED")[member] == said
    with pytest.raises(ClientError, match="BadDigest"):
        wrong = base64.b64encode(bytes([right[0] ^ 1]) + right[1:]).decode()
        client.put_object(Bucket=bucket, Key="sum-of-another", Body=sent, **{member: wrong})
    with pytest.raises(ClientError, match="NoSuchKey"):
        stored(offline, bucket, "sum-of-another")
    upload = client.create_multipart_upload(Bucket=bucket, Key="parts-with-sums")["UploadId"]
    place = {"Bucket": bucket, "Key": "parts-with-sums", "UploadId": upload, "PartNumber": 1}
    assert client.upload_part(**place, Body=sent, **{member: said})[member] == said
    with pytest.raises(ClientError, match="BadDigest"):
        client.upload_part(**place | {"PartNumber": 2}, Body=sent, **{member: wrong})
    assert len(client.list_parts(Bucket=bucket, Key="parts-with-sums", UploadId=upload)["Parts"]) == 1
    assert is_nothing_left(offline)


@pytest.mark.parametrize("algorithm", ["CRC32", "SHA1", "SHA256"])  # what botocore computes without awscrt
def test_a_checksum_that_is_asked_for_is_computed(offline, bucket, body, algorithm):
    answer = offline.client("s3").put_object(Bucket=bucket, Key="asked", Body=body, ChecksumAlgorithm=algorithm)
    assert answer[f"Checksum{algorithm}"] == base64.b64encode(digest_of(algorithm, body)).decode()


def test_a_wrong_content_md5_is_refused(offline, bucket, body):
    with pytest.raises(ClientError, match="BadDigest"):
        offline.client("s3").put_object(
            Bucket=bucket, Key="md5", Body=body, ContentMD5=base64.b64encode(bytes(16)).decode()
        )


def test_a_presigned_put_and_one_that_is_not_as_signed(offline, bucket, body):
    client = offline.client("s3", config=Config(signature_version="s3v4"))
    url = client.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": "presigned"}, ExpiresIn=60)
    assert requests.put(url, data=body, timeout=30).status_code == 200
    assert stored(offline, bucket, "presigned")["Body"].read() == body
    assert requests.put(url.replace("presigned", "another"), data=body, timeout=30).status_code == 403


def test_a_large_body_that_is_not_the_signed_one_is_refused(offline, bucket, body):
    url = f"{offline.endpoint_url}/{bucket}/tampered"
    headers = signed(offline, url, hashlib.sha256(body).hexdigest(), {})
    answer = requests.put(url, data=body[:-1] + bytes([body[-1] ^ 1]), headers=headers, timeout=30)
    assert (answer.status_code, "XAmzContentSHA256Mismatch" in answer.text) == (400, True)
    assert requests.head(url, timeout=30).status_code == 403
    with pytest.raises(ClientError, match="NoSuchKey"):
        stored(offline, bucket, "tampered")
    assert is_nothing_left(offline)


def chunks_of(offline, headers, parts, trailer=b""):
    """The body of an upload in signed chunks."""
    secret = offline.environment["AWS_SECRET_ACCESS_KEY"]
    timestamp = headers["X-Amz-Date"]
    scope = f"{timestamp[:8]}/us-east-1/s3/aws4_request"
    key = signature.signing_key(secret, timestamp[:8], "us-east-1", "s3")
    previous, chunks = headers["Authorization"].rpartition("Signature=")[2], []
    for part in [*parts, b""]:
        hashes = [signature.EMPTY_SHA256, hashlib.sha256(part).hexdigest()]
        text = "\n".join(["AWS4-HMAC-SHA256-PAYLOAD", timestamp, scope, previous, *hashes])
        previous = signature._sign(key, text).hex()
        end = b"\r\n" if part or not trailer else trailer
        chunks.append(b"%x;chunk-signature=%s\r\n%s%s" % (len(part), previous.encode(), part, end))
    return b"".join(chunks)


@pytest.mark.parametrize("changed", ["nothing", "a byte", "the order", "the end"])
def test_signed_chunks_are_verified_as_they_arrive(offline, bucket, body, changed):
    url, kind = (
        f"{offline.endpoint_url}/{bucket}/chunks-{changed.replace(' ', '-')}",
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
    )
    headers = signed(offline, url, kind, {"x-amz-decoded-content-length": str(SIZE), "content-encoding": "aws-chunked"})
    parts = [body[start : start + 700_000] for start in range(0, SIZE, 700_000)]
    sent = chunks_of(offline, headers, parts)
    if changed == "a byte":
        sent = sent[:2_000_000] + bytes([sent[2_000_000] ^ 1]) + sent[2_000_001:]
    elif changed == "the order":
        one = len(chunks_of(offline, headers, parts[:1])) - len(chunks_of(offline, headers, []))
        sent = sent[one : 2 * one] + sent[:one] + sent[2 * one :]
    elif changed == "the end":
        sent = sent[:-200_000]
    answer = requests.put(url, data=sent, headers=headers, timeout=30)
    key = url.rpartition("/")[2]
    if changed == "nothing":
        assert answer.status_code == 200, answer.text
        back = stored(offline, bucket, key)
        assert (back["Body"].read(), back.get("ContentEncoding")) == (body, None)
    else:
        assert answer.status_code == 403, answer.text
        with pytest.raises(ClientError, match="NoSuchKey"):
            stored(offline, bucket, key)
    assert is_nothing_left(offline)


@pytest.mark.parametrize("size", [1_000, uploads.STREAMED_FROM_BYTES + 77])
@pytest.mark.parametrize("trailer", ["right", "wrong", "missing"])
@pytest.mark.parametrize("algorithm", ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"])
def test_a_trailing_checksum_of_unsigned_chunks_is_compared(offline, bucket, body, algorithm, trailer, size):
    key, sent = f"trailer-{algorithm}-{trailer}-{size}", body[:size]
    url, name = f"{offline.endpoint_url}/{bucket}/{key}", f"x-amz-checksum-{algorithm.lower()}"
    announced = {
        "x-amz-trailer": name,
        "x-amz-decoded-content-length": str(size),
        "content-encoding": "aws-chunked",
    }
    headers = signed(offline, url, "STREAMING-UNSIGNED-PAYLOAD-TRAILER", announced)
    digest = digest_of(algorithm, sent)
    said = base64.b64encode(digest if trailer == "right" else bytes(len(digest)))
    end = b"" if trailer == "missing" else b"%s:%s\r\n" % (name.encode(), said)
    chunks = [sent[at : at + 65_536] for at in range(0, size, 65_536)]
    whole = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n" + end + b"\r\n"
    answer = requests.put(url, data=whole, headers=headers, timeout=30)
    if trailer == "right":
        assert answer.status_code == 200, answer.text
        assert stored(offline, bucket, key)["Body"].read() == sent
    else:
        code = {"wrong": "BadDigest", "missing": "MalformedTrailerError"}[trailer]
        assert (answer.status_code, f"<Code>{code}</Code>" in answer.text) == (400, True), answer.text
        with pytest.raises(ClientError, match="NoSuchKey"):
            stored(offline, bucket, key)
    assert is_nothing_left(offline)


def test_a_length_that_was_not_sent_is_refused(offline, bucket, body):
    url = f"{offline.endpoint_url}/{bucket}/short"
    headers = signed(
        offline,
        url,
        "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        {"x-amz-decoded-content-length": str(SIZE + 1), "content-encoding": "aws-chunked"},
    )
    answer = requests.put(url, data=b"%x\r\n%s\r\n0\r\n\r\n" % (SIZE, body), headers=headers, timeout=30)
    assert (answer.status_code, "IncompleteBody" in answer.text) == (400, True)


@pytest.mark.parametrize("size", [50_000, SIZE])
def test_a_torn_upload_leaves_nothing_and_what_was_there_stays(offline, bucket, body, eventually, size):
    client = offline.client("s3", config=Config(signature_version="s3v4"))
    client.put_object(Bucket=bucket, Key="torn", Body=b"before")
    url = client.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": "torn"}, ExpiresIn=60)
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port), timeout=30) as connection:
        head = f"PUT {parts.path}?{parts.query} HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Length: {size}\r\n\r\n"
        connection.sendall(head.encode() + body[: size - 10_000])
    eventually(lambda: is_nothing_left(offline), 90)
    assert stored(offline, bucket, "torn")["Body"].read() == b"before"


def answer_to_the_headers(offline, method, path, headers):
    """The answer to a request whose body never comes."""
    connection = http.client.HTTPConnection(urlsplit(offline.endpoint_url).netloc, timeout=30)
    connection.putrequest(method, path)
    for name, value in headers.items():
        connection.putheader(name, value)
    connection.endheaders()
    answer = connection.getresponse()
    return answer.status, answer.read()


def test_a_refused_upload_is_answered_before_its_body_is_sent(offline, bucket):
    assert answer_to_the_headers(offline, "PUT", f"/{bucket}/unsigned", {"Content-Length": "900000000"})[0] == 403


@pytest.mark.parametrize("wrong", ["nothing signed", "a key that is none", "an old date", "no form"])
@pytest.mark.parametrize("service", ["lambda", "sns", "s3"])
def test_what_the_head_alone_refuses_is_refused_before_the_body_is_sent(offline, bucket, service, wrong):
    """A package of 70 MB, a form, the document of DeleteObjects."""
    path = {"lambda": "/2015-03-31/functions", "sns": "/", "s3": f"/{bucket}?delete="}[service]
    keys = Credentials(offline.environment["AWS_ACCESS_KEY_ID"], offline.environment["AWS_SECRET_ACCESS_KEY"])
    if wrong == "a key that is none":
        keys.access_key = "AKIANONE"
    request = AWSRequest("POST", f"{offline.endpoint_url}{path}", {"Content-Length": "70000000"}, b"")
    signer = (S3SigV4Auth if service == "s3" else SigV4Auth)(keys, service, "us-east-1")
    signer.add_auth(request)
    head = dict(request.headers.items())
    said = head["Authorization"]
    if wrong == "nothing signed":
        del head["Authorization"]
    elif wrong == "an old date":
        head["X-Amz-Date"] = "20200101T000000Z"
    elif wrong == "no form":
        head["Authorization"] = said.replace("Signature=", "Signatur=")
    status, text = answer_to_the_headers(offline, "POST", path, head)
    assert status == 403, text


def test_more_than_s3_takes_is_refused_before_it_is_sent(offline, bucket):
    headers = signed(offline, f"{offline.endpoint_url}/{bucket}/huge", signature.UNSIGNED_PAYLOAD, {})
    status, text = answer_to_the_headers(
        offline, "PUT", f"/{bucket}/huge", headers | {"Content-Length": str(uploads.LIMIT_BYTES + 1)}
    )
    assert (status, b"<Code>EntityTooLarge</Code>" in text) == (400, True)


def test_any_other_call_has_a_bound(offline):
    keys = Credentials(offline.environment["AWS_ACCESS_KEY_ID"], offline.environment["AWS_SECRET_ACCESS_KEY"])
    too_much = {"Content-Length": str(uploads.OTHER_LIMIT_BYTES + 1)}
    request = AWSRequest("POST", f"{offline.endpoint_url}/", too_much, b"")
    SigV4Auth(keys, "sns", "us-east-1").add_auth(request)
    assert answer_to_the_headers(offline, "POST", "/", dict(request.headers.items()))[0] == 413
    assert answer_to_the_headers(offline, "POST", "/", too_much)[0] == 403  # who it is comes first


def test_large_parts_make_an_object(offline, bucket, body):
    client = offline.client("s3")
    upload = client.create_multipart_upload(Bucket=bucket, Key="parts")["UploadId"]
    place = {"Bucket": bucket, "Key": "parts", "UploadId": upload}
    pieces = [body * 2, body[:10]]
    parts = [
        {"PartNumber": number, "ETag": client.upload_part(**place, PartNumber=number, Body=piece)["ETag"]}
        for number, piece in enumerate(pieces, 1)
    ]
    client.complete_multipart_upload(**place, MultipartUpload={"Parts": parts})
    assert stored(offline, bucket, "parts")["Body"].read() == b"".join(pieces)


def test_the_servers_memory_stays_flat(offline, bucket):
    size = 256 * 1024**2
    client = offline.client("s3", config=Config(signature_version="s3v4"))
    url = client.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": "zeros"}, ExpiresIn=300)
    server = psutil.Process(json.loads((offline.directory / "offline.json").read_text())["pid"])
    before = server.memory_info().rss
    most = [before]

    def zeros():
        for _ in range(size // 1024**2):
            most[0] = max(most[0], server.memory_info().rss)
            yield bytes(1024**2)

    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=120)
    connection.request("PUT", f"{parts.path}?{parts.query}", zeros(), {"Content-Length": str(size)})
    assert connection.getresponse().status == 200
    assert most[0] - before < 64 * 1024**2
    assert client.head_object(Bucket=bucket, Key="zeros")["ContentLength"] == size
    client.delete_object(Bucket=bucket, Key="zeros")
