"""A server that answers every request with the same bytes: what a client could reach at best.

It runs on what the offline AWS runs on, with the same settings: uvicorn, its event loop and its HTTP parser.
"""

import os
import sys

import uvicorn

BODY = os.environ["CONSTANT_BODY"].encode()
HEADERS = [(b"content-type", b"text/xml"), (b"content-length", str(len(BODY)).encode())]


async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    await send({"type": "http.response.body", "body": BODY})


if __name__ == "__main__":
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=int(sys.argv[1]),
        http="httptools",
        lifespan="off",
        access_log=False,
        log_level="error",
        server_header=False,
        proxy_headers=False,
    )
