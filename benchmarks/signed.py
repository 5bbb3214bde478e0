"""An HTTP client that signs: each request gets a Signature Version 4 of its own, made by botocore's signer."""

from http.client import HTTPConnection
from urllib.parse import urlsplit

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials


def post(connection: HTTPConnection, path: str, body: bytes, headers: dict[str, str]) -> bytes:
    """The answer's body. Raises RuntimeError where the answer is no success."""
    connection.request("POST", path, body, headers)
    answer = connection.getresponse()
    content = answer.read()
    if answer.status != 200:
        raise RuntimeError(f"{path} answered {answer.status}: {content[:200]!r}")
    return content


class SignedClient:
    """Keeps its connection; not for several threads. `keys`: the access key id and its secret."""

    def __init__(self, url: str, keys: tuple[str, str], service: str, region: str) -> None:
        self.url = url
        self.connection = HTTPConnection(urlsplit(url).netloc)
        self.signer = SigV4Auth(Credentials(*keys), service, region)

    def post(self, path: str, body: bytes, content_type: str) -> bytes:
        request = AWSRequest("POST", self.url + path, data=body, headers={"Content-Type": content_type})
        self.signer.add_auth(request)
        return post(self.connection, path, body, dict(request.headers.items()))
