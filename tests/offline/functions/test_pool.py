"""The pool of environments, with real processes and without a server."""

import asyncio
import base64
import hashlib
import signal
from dataclasses import replace

import psutil
import pytest

from helpers.offline.services.functions import package, pool
from helpers.offline.services.functions.environment import Settings
from helpers.offline.services.functions.pool import Pool, Throttled

SOURCE = "def handler(event, context):\n    return event\n"


@pytest.fixture
def settings(make_zip):
    digest = hashlib.sha256(make_zip({"app.py": SOURCE})).hexdigest()
    return Settings(
        function_arn="arn:aws:lambda:us-east-1:123456789012:function:f",
        function_name="f",
        version="$LATEST",
        region="us-east-1",
        code_digest=digest,
        handler="app.handler",
        runtime="python3.12",
        memory_mb=128,
        timeout_s=3,
        role="arn:aws:iam::123456789012:role/r",
        log_group="/aws/lambda/f",
        ephemeral_storage_mb=512,
        variables=(),
    )


@pytest.fixture
def environments(tmp_path, make_zip):
    archive = make_zip({"app.py": SOURCE})
    variables = {
        "AWS_LAMBDA_FUNCTION_NAME": "f",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
        "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/f",
    }
    made = Pool(
        tmp_path, lambda wanted: (package.unpack(archive, wanted.code_digest, tmp_path / "code"), dict(variables))
    )
    yield made
    made.stop()


def take(environments, settings, **options):
    """An environment, started if need be."""
    taken = environments.take(settings, None, **options)
    return taken if taken is not None else environments.start(settings)


def ask(environment, payload: bytes = b"1") -> bytes:
    async def exchange():
        assert await environment.wait_ready()
        header = {"id": "1", "arn": environment.settings.function_arn, "deadline_ms": 0}
        return (await environment.exchange(header, payload))[1]

    return asyncio.run(exchange())


def test_what_was_given_back_is_taken_again(environments, settings):
    first = take(environments, settings)
    assert ask(first, b'{"a": 1}') == b'{"a": 1}'
    environments.give_back(first)
    assert take(environments, settings) is first


def test_other_settings_get_another_environment_and_the_old_one_ends(environments, settings, eventually, gone):
    first = take(environments, settings)
    pid = first.process.pid
    environments.give_back(first)
    second = take(environments, replace(settings, timeout_s=4))
    assert second is not first
    eventually(lambda: gone(pid))
    busy = second.process.pid
    take(environments, replace(settings, timeout_s=5))
    assert not gone(busy)
    environments.give_back(second)
    eventually(lambda: gone(busy))


def test_idle_environments_end_after_a_while(environments, settings, eventually, gone, monkeypatch):
    environment = take(environments, settings)
    pid = environment.process.pid
    environments.give_back(environment)
    environments.reap()
    assert environments.counts() == {"idle": 1, "busy": 0}
    monkeypatch.setattr(pool, "IDLE_S", 0.0)
    environments.reap()
    assert environments.counts() == {"idle": 0, "busy": 0}
    eventually(lambda: gone(pid))
    eventually(lambda: not environment.directory.exists())


def test_an_environment_whose_credentials_grow_old_is_not_taken(environments, settings, monkeypatch):
    first = take(environments, settings)
    environments.give_back(first)
    monkeypatch.setattr(pool, "LIFE_S", 0.0)
    assert environments.take(settings, None) is None


def test_one_that_waits_is_handed_the_next_that_is_free(environments, settings):
    first = take(environments, settings)
    future = environments.take(settings, None, patient=True)
    assert not future.done()
    environments.give_back(first)
    assert future.result(0) is first


def test_one_that_waits_is_told_to_start_when_another_ends(environments, settings):
    first = take(environments, settings)
    future = environments.take(settings, None, patient=True)
    environments.discard(first)
    assert future.result(0) is None
    assert environments.start(settings).process is not None


def test_one_that_stopped_waiting_is_handed_nothing(environments, settings):
    first = take(environments, settings)
    future = environments.take(settings, None, patient=True)
    assert future.cancel()
    environments.give_back(first)
    assert take(environments, settings) is first


def test_reserved_executions(environments, settings):
    first = take(environments, settings)
    with pytest.raises(Throttled):
        environments.take(settings, 1)
    with pytest.raises(Throttled):
        environments.take(replace(settings, version="7"), 1)
    environments.give_back(first)
    assert environments.take(settings, 1) is first


def test_a_failed_start_leaves_no_trace(environments, settings):
    def fail(_):
        raise RuntimeError("no code")

    right, environments._prepare = environments._prepare, fail
    assert environments.take(settings, 1) is None
    with pytest.raises(RuntimeError, match="no code"):
        environments.start(settings)
    with pytest.raises(RuntimeError, match="no code"):
        environments.start_ahead(settings)
    environments._prepare = right
    assert environments.take(settings, 1) is None


@pytest.mark.skipif(Pool.__init__.__globals__["Launcher"]().zygote is None, reason="no zygote on this system")
def test_a_zygote_that_dies_is_replaced(environments, settings):
    first = take(environments, settings)
    zygote = psutil.Process(first.process.pid).parent()
    assert "zygote.py" in " ".join(zygote.cmdline())
    zygote.send_signal(signal.SIGKILL)
    zygote.wait(5)
    assert ask(first) == b"1"
    environments.discard(first)
    second = take(environments, settings)
    assert ask(second, b"2") == b"2"
    assert psutil.Process(second.process.pid).parent().pid != zygote.pid


def test_without_a_zygote_each_environment_is_a_fresh_python(environments, settings):
    environments.launcher.zygote = None
    environment = take(environments, settings)
    assert ask(environment, b"[1]") == b"[1]"
    assert "bootstrap.py" in " ".join(psutil.Process(environment.process.pid).cmdline())
    assert environments.discard(environment, 20.0) == 0


def test_an_unpacked_package_is_whole_or_not_there(tmp_path, make_zip):
    archive = make_zip({"app.py": SOURCE, "deep/er/data.json": "{}"})
    target = package.unpack(archive, "digest", tmp_path)
    assert (target / "deep" / "er" / "data.json").read_text() == "{}"
    assert package.unpack(b"not even a zip", "digest", tmp_path) == target
    damaged = base64.b64decode(base64.b64encode(archive))[:-30]
    with pytest.raises(Exception, match="Could not unzip uploaded file"):
        package.unpack(damaged, "other", tmp_path)
    assert [each.name for each in tmp_path.iterdir()] == ["digest"]
    package.remove(target)
    assert not list(tmp_path.iterdir())
