"""The way into the offline AWS: start it or find it as a process of its own, and point this process at it."""

import json
import os
import subprocess
import sys
from pathlib import Path

from helpers.workshop.errors import WorkshopError

MARK = "WORKSHOP_OFFLINE_AWS"  # this process (and its children) was pointed at an offline AWS
START_TIMEOUT_S = 180  # longer than the command itself waits for anything, so that its own words are shown
IN_THE_WAY = (  # the learner's own AWS settings must not reach an offline lab, nor the other way round
    "AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN", "AWS_REGION", "AWS_ROLE_ARN",
    "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "AWS_CA_BUNDLE",
)  # fmt: skip


def enter(folder: Path) -> None:
    """Start or find the offline AWS of `folder`, and point every AWS client of this process at it."""
    environment = {**os.environ, "WORKSHOP_DIR": str(folder)}
    _run(environment, folder, "start")
    answer = _run(environment, folder, "env", "--json")
    for name in list(os.environ):
        if name in IN_THE_WAY or name.startswith("AWS_ENDPOINT_URL"):
            del os.environ[name]
    os.environ.update(json.loads(answer))
    os.environ.update(
        {
            MARK: "1",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "NO_PROXY": _with_loopback(os.environ.get("NO_PROXY", "")),
            "no_proxy": _with_loopback(os.environ.get("no_proxy", "")),
        }
    )


def refuse_mixture() -> None:
    """On AWS, refuse to go on in a process that was pointed at an offline AWS before."""
    if MARK in os.environ:
        raise WorkshopError(
            "This kernel is connected to the offline AWS: restart the kernel to work with WORKSHOP_MODE=aws."
        )


def _run(environment: dict[str, str], folder: Path, *arguments: str) -> str:
    command = [sys.executable, "-m", "helpers.offline", *arguments]
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=START_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        raise WorkshopError(
            f"The offline AWS did not start within {START_TIMEOUT_S} s; its log is in {folder}."
        ) from None
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        reason = said[-1] if said else f"exit status {done.returncode}"
        raise WorkshopError(f"The offline AWS could not start: {reason} Its log is in {folder}.")
    return done.stdout


def _with_loopback(hosts: str) -> str:
    return ",".join(filter(None, [hosts, "127.0.0.1", "localhost"])) if "127.0.0.1" not in hosts else hosts
