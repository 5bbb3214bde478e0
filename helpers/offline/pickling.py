"""A service's state as bytes and back: moto's backends, pickled by value, each reference between services by name."""

from __future__ import annotations

import copyreg
import io
import pickle
import tempfile
import threading
import weakref
from concurrent.futures import Executor, Future
from typing import Any

import cloudpickle

# What belongs to a running process alone: an attribute that holds one of these is None after a restart.
_OF_THE_PROCESS = (threading.Thread, Future, Executor)
_LOCKS = {type(threading.Lock()): threading.Lock, type(threading.RLock()): threading.RLock}
_ATTEMPTS = 20


class _Pickler(cloudpickle.Pickler):
    def reducer_override(self, value: Any) -> Any:
        kind = type(value)
        if kind in _LOCKS:
            return _LOCKS[kind], ()
        if isinstance(value, _OF_THE_PROCESS):
            return _nothing, ()
        if isinstance(value, tempfile.SpooledTemporaryFile):
            return _nothing, ()
        if isinstance(value, weakref.WeakValueDictionary):  # an index: what it names is held elsewhere in the state
            return kind, (), None, None, iter(list(value.items()))
        if isinstance(value, weakref.WeakKeyDictionary | weakref.WeakSet):
            return kind, ()
        if kind.__name__ == "_VersionedKeyStore":  # a dict whose own items() shows the last version only
            return _versioned, (kind, list(dict.items(value)))
        if kind.__name__ == "LogStream" and kind.__module__ == "moto.logs.models":
            return copyreg.__newobj__, (kind,), _log_stream_state(value), None, None, _set_log_stream_state
        if isinstance(value, _base_backend()):
            return _find_backend, _name_of(value)
        return super().reducer_override(value)


def dump(value: object) -> bytes:
    """The state may change while it is read; then it is read again."""
    for attempt in range(_ATTEMPTS):
        buffer = io.BytesIO()
        try:
            _Pickler(buffer, protocol=pickle.HIGHEST_PROTOCOL).dump(value)
        except RuntimeError:  # dictionary changed size during iteration
            if attempt == _ATTEMPTS - 1:
                raise
        else:
            return buffer.getvalue()
    raise AssertionError


def load(data: bytes) -> Any:
    """Only for what `dump` wrote in this workspace: unpickling runs what the bytes say."""
    return pickle.loads(data)


def backends_of(package: str) -> dict[tuple[str, str], dict[str, Any]]:
    """(account, region) -> what moto's backend of this package holds there."""
    from moto.backends import get_backend

    return {
        (account, region): dict(backend.__dict__)
        for account, of_account in list(get_backend(package).items())
        for region, backend in list(of_account.items())
    }


def restore_backends(package: str, held: dict[tuple[str, str], dict[str, Any]]) -> None:
    """Gives moto's backends of this package back what `backends_of` took."""
    for (account, region), attributes in held.items():
        _find_backend(package, account, region).__dict__.update(attributes)


def _find_backend(package: str, account: str, region: str) -> Any:
    from moto.backends import get_backend

    return get_backend(package)[account][region]


def _name_of(backend: Any) -> tuple[str, str, str]:
    from moto.backends import get_backend

    package = next(part for kind in type(backend).__mro__ for part in _package(kind))
    for region, held in get_backend(package)[backend.account_id].items():
        if held is backend:
            return package, backend.account_id, region
    return package, backend.account_id, backend.region_name


def _package(kind: type) -> list[str]:
    parts = kind.__module__.split(".")
    return [parts[1]] if parts[0] == "moto" and parts[1] != "core" else []


def _base_backend() -> type:
    from moto.core.base_backend import BaseBackend

    return BaseBackend


def _log_stream_state(stream: Any) -> tuple[dict[str, Any], list[tuple[Any, ...]]]:
    """A stream's events as plain tuples: tens of thousands of objects would each cost a call."""
    attributes = {name: value for name, value in stream.__dict__.items() if name != "events"}
    rows = [(event.ingestion_time, event.timestamp, event.message, event.event_id) for event in list(stream.events)]
    return attributes, rows


def _set_log_stream_state(stream: Any, state: tuple[dict[str, Any], list[tuple[Any, ...]]]) -> None:
    from moto.logs.models import LogEvent

    attributes, rows = state
    stream.__dict__.update(attributes)
    stream.events = []
    for ingestion_time, timestamp, message, event_id in rows:
        event = LogEvent(ingestion_time, {"timestamp": timestamp, "message": message})
        event.event_id = event_id
        LogEvent._event_id = max(LogEvent._event_id, event_id + 1)
        stream.events.append(event)


def _versioned(kind: type, items: list[tuple[str, list[Any]]]) -> Any:
    store = kind()
    for name, versions in items:
        dict.__setitem__(store, name, versions)
    return store


def _nothing() -> None:
    return None
