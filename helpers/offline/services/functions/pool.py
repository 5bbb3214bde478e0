"""The environments of all functions: warm ones are used again, missing ones are started, idle ones end."""

from __future__ import annotations

import logging
import os
import shutil
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

from helpers.offline.kernel import AwsError
from helpers.offline.services.functions import package
from helpers.offline.services.functions.environment import Environment, Settings
from helpers.offline.services.functions.processes import Launcher

log = logging.getLogger("offline.lambda")

ENVIRONMENTS_PER_VERSION = 10
IDLE_S = 600.0
LIFE_S = 2400.0  # shorter than the role session's hour by more than the longest invocation


class Throttled(AwsError):
    """The reserved concurrency is in use."""

    def __init__(self) -> None:
        reason = {"Reason": "ReservedFunctionConcurrentInvocationLimitExceeded", "Type": "User"}
        super().__init__("TooManyRequestsException", "Rate Exceeded.", 429, **reason)


class _Group:
    """The environments of one version of one function."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.idle: list[Environment] = []
        self.busy: set[Environment] = set()
        self.starting = 0
        self.ahead = 0
        self.waiting: deque[Future[Environment | None]] = deque()


class Pool:
    """Thread-safe. `prepare` gives an environment its code and variables: (task root, variables)."""

    def __init__(self, directory: Path, prepare: Callable[[Settings], tuple[Path, dict[str, str]]]) -> None:
        self.directory = directory
        self.launcher = Launcher()
        self._prepare = prepare
        self._groups: dict[tuple[str, str], _Group] = {}  # (function ARN, version)
        self._lock = threading.Lock()

    def take(
        self, settings: Settings, reserved: int | None, *, patient: bool = False
    ) -> Environment | Future[Environment | None] | None:
        """An idle environment; or a future where all are busy and one will be handed over; or None: start one.

        Who is patient gets a future wherever one is busy at all, before another is started. Whoever got None must call
        `start`, whoever got an environment `give_back` or `discard`. A future may come to None too. Raises Throttled
        where `reserved` executions are running.
        """
        with self._lock:
            group = self._group(settings)
            if reserved is not None and self._running(settings.function_arn) >= reserved:
                raise Throttled
            while group.idle:
                environment = group.idle.pop()
                if time.monotonic() - environment.born > LIFE_S:
                    self._end_later(environment)
                    continue
                group.busy.add(environment)
                return environment
            limit = 1 if patient else ENVIRONMENTS_PER_VERSION
            if len(group.waiting) < group.ahead:
                limit = 0
            if len(group.busy) + group.starting < limit:
                group.starting += 1
                return None
            future: Future[Environment | None] = Future()
            group.waiting.append(future)
            return future

    def start(self, settings: Settings) -> Environment:
        """Starts the environment that `take` asked for. Blocks for some milliseconds."""
        try:
            environment = self._start(settings)
        except BaseException:
            with self._lock:
                if (group := self._current(settings)) is not None:
                    group.starting -= 1
            raise
        with self._lock:
            if (group := self._current(settings)) is not None:
                group.starting -= 1
                group.busy.add(environment)
        return environment

    def start_ahead(self, settings: Settings) -> None:
        """Starts one environment before it is asked for, unless there is one. Blocks for some milliseconds."""
        with self._lock:
            group = self._group(settings)
            if group.idle or group.busy or group.starting or group.ahead:
                return
            group.ahead += 1
        try:
            environment = self._start(settings)
        except BaseException:
            with self._lock:
                group.ahead -= 1
                self._hand_over(group, None)
            raise
        with self._lock:
            group.ahead -= 1
        self.give_back(environment)

    def _start(self, settings: Settings) -> Environment:
        environment = Environment(settings, self.directory / "environments")
        try:
            task_root, variables = self._prepare(settings)
            preloaded = not package.bundles_its_own_sdk(task_root)
            environment.start(self.launcher, task_root, variables, preloaded=preloaded)
        except BaseException:
            environment.end()
            raise
        return environment

    def give_back(self, environment: Environment) -> None:
        environment.last_used = time.monotonic()
        with self._lock:
            group = self._current(environment.settings)
            if group is None:
                self._end_later(environment)
                return
            group.busy.discard(environment)
            if not self._hand_over(group, environment):
                group.idle.append(environment)

    def discard(self, environment: Environment, grace_s: float = 0.0) -> int:
        """Ends an environment that is of no use any more. Returns its exit code. Blocks up to `grace_s`."""
        code = environment.end(grace_s)
        with self._lock:
            if (group := self._current(environment.settings)) is not None:
                group.busy.discard(environment)
                self._hand_over(group, None)
        return code

    def retire(self, function_arn: str) -> None:
        """Ends the environments of a function that was deleted: the idle ones now, the busy ones when they are done."""
        with self._lock:
            for key in [key for key in self._groups if key[0] == function_arn]:
                for environment in self._groups.pop(key).idle:
                    self._end_later(environment)

    def reap(self) -> None:
        """Ends what was idle for long."""
        now = time.monotonic()
        with self._lock:
            for group in self._groups.values():
                for environment in [each for each in group.idle if now - each.last_used > IDLE_S]:
                    group.idle.remove(environment)
                    self._end_later(environment)

    def counts(self) -> dict[str, int]:
        with self._lock:
            groups = list(self._groups.values())
            return {"idle": sum(len(each.idle) for each in groups), "busy": sum(len(each.busy) for each in groups)}

    def stop(self) -> None:
        with self._lock:
            everything = [each for group in self._groups.values() for each in (*group.idle, *group.busy)]
            self._groups.clear()
        for environment in everything:
            environment.end()
        self.launcher.stop()

    def remove_leftovers(self) -> None:
        """Removes the directories of environments of an earlier server."""
        shutil.rmtree(self.directory / "environments", ignore_errors=True)
        os.makedirs(self.directory / "environments", exist_ok=True)

    def _current(self, settings: Settings) -> _Group | None:
        """The group of these settings, if they are still those of the function."""
        group = self._groups.get((settings.function_arn, settings.version))
        return group if group is not None and group.settings == settings else None

    def _group(self, settings: Settings) -> _Group:
        """The group of these settings, which replaces the one of earlier code or configuration."""
        group = self._current(settings)
        if group is None:
            key = (settings.function_arn, settings.version)
            earlier = self._groups.get(key)
            group = self._groups[key] = _Group(settings)
            if earlier is not None:
                for environment in earlier.idle:
                    self._end_later(environment)
                while self._hand_over(earlier, None):
                    continue
        return group

    def _hand_over(self, group: _Group, environment: Environment | None) -> bool:
        """Gives the environment, or the order to start one, to who waits longest. False where nobody waits."""
        while group.waiting:
            waiter = group.waiting.popleft()
            if waiter.set_running_or_notify_cancel():
                if environment is None:
                    group.starting += 1
                else:
                    group.busy.add(environment)
                waiter.set_result(environment)
                return True
        return False

    def _running(self, function_arn: str) -> int:
        return sum(len(group.busy) + group.starting for key, group in self._groups.items() if key[0] == function_arn)

    def _end_later(self, environment: Environment) -> None:
        threading.Thread(target=environment.end, daemon=True).start()
