"""What no service answers itself falls through to moto, as a WSGI call in a thread."""

from __future__ import annotations

import functools
import io
import threading
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import unquote_to_bytes

from helpers.offline.kernel import ACCOUNT_ID, Answer, AwsError, Call

# Signing name -> moto's package, where the two differ.
MOTO_PACKAGES = {
    "lambda": "awslambda",
    "monitoring": "cloudwatch",
    "application-autoscaling": "applicationautoscaling",
    "tagging": "resourcegroupstaggingapi",
}

_apps: dict[str, Callable[..., Iterable[bytes]]] = {}
_apps_lock = threading.Lock()


def tune_moto() -> None:
    """Caches what moto computes anew for every request, and stops it from keeping every object it ever made."""
    import moto.core.base_backend as base_backend
    import moto.core.common_models as common_models
    import moto.core.responses as responses
    import moto.core.utils as utils

    responses.method_names_from_class = functools.lru_cache(None)(
        lambda class_: frozenset(utils.method_names_from_class(class_))
    )
    # Finding a service's state takes a lock and lists all accounts; what is there is found without.
    of_account = base_backend.BackendDict.__getitem__
    base_backend.BackendDict.__getitem__ = lambda self, account_id: (
        dict.get(self, account_id) or of_account(self, account_id)
    )
    of_region = base_backend.AccountSpecificBackend.__getitem__
    base_backend.AccountSpecificBackend.__getitem__ = lambda self, region: (
        dict.get(self, region) or of_region(self, region)
    )
    # Serves only moto's dashboard, and is a leak for a server that runs all day.
    common_models.BaseModel.__new__ = lambda cls, *arguments, **named: object.__new__(cls)


def regions_in_use(backends: Any, account_id: str) -> dict[str, Any]:
    """Region -> moto's state of a service there, for the regions that have any.

    Asked of moto, a service that nobody has used yet first reads its model, for a list of regions: 40 ms of a start for
    SageMaker, 35 for Firehose.
    """
    return dict(dict.get(backends, account_id) or {})


def moto_package(service: str, operation: str) -> str:
    if service == "sagemaker":
        return {"InvokeEndpoint": "sagemakerruntime", "InvokeEndpointAsync": "sagemakerruntime"}.get(
            operation, "sagemaker"
        )
    return MOTO_PACKAGES.get(service, service)


def ask_moto(call: Call) -> Answer:
    """Blocks. Raises what moto raises where it fails, so that the front can report it."""
    application = _application(moto_package(call.service, call.operation))
    status_and_headers: list[Any] = []

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: object = None) -> None:
        status_and_headers[:] = [status, headers]

    chunks = application(environment(call), start_response)
    body = b"".join(chunks)
    status, headers = status_and_headers
    kept = {name.lower(): value for name, value in headers if name.lower() not in ("connection", "date", "server")}
    if call.method != "HEAD":
        kept.pop("content-length", None)
    code = int(status.split(" ", 1)[0])
    if code >= 400 and body[:15].lower() == b"<!doctype html>":  # a path that moto has no route for
        raise AwsError("NotFoundException", f"There is nothing at {call.path}.", code)
    return Answer(code, kept, body)


def _application(package: str) -> Callable[..., Iterable[bytes]]:
    application = _apps.get(package)
    if application is None:
        with _apps_lock:
            application = _apps.get(package)
            if application is None:
                from helpers.offline.moto_urls import Application

                application = _apps[package] = Application(package, ACCOUNT_ID)
    return application


def environment(call: Call) -> dict[str, Any]:
    target = call.path + ("?" + call.query if call.query else "")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": call.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(call.path).decode("latin-1"),
        "RAW_URI": target,
        "REQUEST_URI": target,
        "QUERY_STRING": call.query,
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(call.body),
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    preserved: dict[str, str] = {}
    for name, value in call.headers.items():
        key = name.upper().replace("-", "_")
        if key not in ("CONTENT_TYPE", "CONTENT_LENGTH"):
            key = "HTTP_" + key
        if "_" in name and name.startswith("x-amz-meta-"):
            preserved[key] = name
        environ[key] = value
    environ["CONTENT_LENGTH"] = str(len(call.body))
    environ["moto.preserved_header_names"] = preserved
    return environ
