"""The arrows between the rooms of `helpers`: what may import what."""

import ast
import re
from pathlib import Path

import pytest

HELPERS = Path(__file__).resolve().parents[1] / "helpers"

MAY_IMPORT = {
    "workshop": {"resources", "workshop"},
    "resources": {"resources", "workshop", "fulfillment", "lambdas"},
    "lambdas": {"lambdas"},
    "fulfillment": {"fulfillment"},
    "arena": {"arena", "fulfillment"},
    "offline": {"offline"},
    "checks": {"checks", "workshop", "fulfillment"},
    "plots": {"plots", "fulfillment"},
    "runner": {"runner"},
    "preflight": {"workshop", "resources"},
}
ONLY_IN_OFFLINE = {"moto"}


def room_of(path):
    return path.relative_to(HELPERS).parts[0].removesuffix(".py")


def imports(path):
    """Every module that the file imports, as dotted names."""
    package = ".".join(("helpers", *path.relative_to(HELPERS).parent.parts))
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parent = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*parent, base] if base else parent)
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


def test_the_documented_arrows_are_these():
    table = (HELPERS.parent / "docs" / "architecture.md").read_text(encoding="utf-8").partition("what it may import")[2]
    documented = {}
    for line in table.splitlines()[2:]:
        if not line.startswith("|"):
            break
        _, rooms, _, may_import, _ = line.split("|")
        for room in re.findall(r"`(\w+)`", rooms):
            documented[room] = {room, *re.findall(r"`(\w+)`", may_import)}
    assert documented == {room: {room, *others} for room, others in MAY_IMPORT.items()}


FILES = [path for path in sorted(HELPERS.rglob("*.py")) if path != HELPERS / "__init__.py"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(HELPERS)))
def test_a_room_imports_only_what_it_may(path):
    room = room_of(path)
    rooms = {name.split(".")[1] for name in imports(path) if name.startswith("helpers.")}
    assert rooms <= MAY_IMPORT[room], f"{room} may import {sorted(MAY_IMPORT[room])}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(HELPERS)))
def test_moto_is_known_to_the_offline_aws_alone(path):
    if room_of(path) != "offline":
        assert not {name.split(".")[0] for name in imports(path)} & ONLY_IN_OFFLINE


def test_lambda_functions_need_the_standard_library_and_boto3_alone():
    import sys

    allowed = set(sys.stdlib_module_names) | {"boto3", "botocore", "helpers"}
    for path in (HELPERS / "lambdas").rglob("*.py"):
        assert {name.split(".")[0] for name in imports(path)} <= allowed, path.name
