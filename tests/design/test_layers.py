"""Imports only go down: the floors of the design, and planted faults that show that the checker sees."""

import pytest

from tests.design.layers import FLOORS, NAMED_FOR_TYPES, faults, floor_of
from tests.design.sources import read_sources

SOURCES = read_sources("reactor", "handlers")


def test_imports_only_go_down() -> None:
    assert len(SOURCES) > 25
    assert faults(SOURCES) == []


@pytest.mark.parametrize("pattern", FLOORS)
def test_every_file_that_has_a_floor_is_there(pattern: str) -> None:
    floor = FLOORS[pattern]
    assert any(floor_of(path) == floor and path.startswith(pattern.partition("*")[0]) for path in SOURCES)


def test_who_is_excused_needs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    excused = set(NAMED_FOR_TYPES)
    for each in excused:
        monkeypatch.setattr("tests.design.layers.NAMED_FOR_TYPES", excused - {each})
        assert [fault for fault in faults(SOURCES) if "circle" in fault]


@pytest.mark.parametrize(
    ("path", "line", "fault"),
    [
        ("reactor/loop.py", "import reactor.connection", "reactor.connection, and is to know no HTTP"),
        ("reactor/loop.py", "from reactor import connection", "reactor.connection, and is to know no HTTP"),
        ("reactor/loop.py", "from . import connection", "reactor.connection, and is to know no HTTP"),
        ("reactor/loop.py", "from .http11 import grammar", "reactor.http11.grammar, and is to know no HTTP"),
        ("reactor/wakeup.py", "from reactor.http11.message import Request", "and is to know no HTTP"),
        ("reactor/deadlines.py", "from http import HTTPStatus", "http, and is to know no HTTP"),
        ("reactor/observer.py", "import http.client", "http.client, and is to know no HTTP"),
        ("reactor/routing.py", "from reactor.loop import Reactor", ""),
        ("reactor/routing.py", "from reactor.connection import State", "which stands higher"),
        ("reactor/http11/parser.py", "from reactor.routing import Router", "which stands higher"),
        ("reactor/http11/parser.py", "from ..routing import Router", "which stands higher"),
        ("reactor/http11/__init__.py", "from .. import routing", "which stands higher"),
        ("reactor/http11/parser.py", "import reactor", "imports reactor, which stands higher"),
        ("reactor/connection.py", "from reactor.server import Server", "which stands higher"),
        ("reactor/connection.py", "from handlers import root", "imports handlers.root, a handler"),
        ("reactor/settings.py", "import os", "imports os, and is to be pure"),
        ("reactor/settings.py", "from os import environ", "imports os, and is to be pure"),
        ("reactor/http11/grammar.py", "import os.path", "imports os.path, and is to be pure"),
        ("reactor/http11/grammar.py", "from time import time", "imports time, and is to be pure"),
        ("reactor/http11/framing.py", "import socket as s", "imports socket, and is to be pure"),
        ("reactor/http11/coding.py", "from pathlib import Path", "imports pathlib, and is to be pure"),
        ("reactor/http11/new.py", "import selectors, io", "imports io, and is to be pure"),
        ("handlers/root.py", "from reactor.loop import Reactor", "and is a handler"),
        ("handlers/root.py", "from reactor import Router", "imports reactor, and is a handler"),
        ("handlers/root.py", "from reactor.settings import Settings", "and is a handler"),
        ("handlers/root.py", "from reactor.routing import Router", ""),
        ("handlers/root.py", "import os", ""),
        ("handlers/root.py", "from . import echo", ""),
        ("handlers/root.py", "import httptools", "not of the standard library"),
        ("reactor/server.py", "from isal import igzip", "imports isal, which is not of the standard library"),
        ("reactor/server.py", "import tests.harness", "not of the standard library"),
        ("reactor/server.py", "import reactor.nowhere", "imports reactor.nowhere, which is not there"),
        ("reactor/server.py", "from handlers import build", ""),
        ("reactor/new.py", "", "reactor/new.py has no floor"),
        ("reactor/http11/deeper/new.py", "", "reactor/http11/deeper/new.py has no floor"),
    ],
)
@pytest.mark.parametrize(
    "around",
    [
        "{line}",
        "def inner():\n    {line}",
        "if TYPE_CHECKING:\n    {line}",
        "try:\n    {line}\nfinally:\n    pass",
    ],
    ids=["at the top", "in a function", "for types", "in a try"],
)
def test_a_planted_import_is_found(path: str, line: str, fault: str, around: str) -> None:
    planted = around.format(line=line or "pass")
    found = faults({**SOURCES, path: f"{SOURCES.get(path, '')}\n{planted}\n"})
    found = [each for each in found if "circle" not in each]
    assert len(found) == bool(fault) + (fault.endswith("io, and is to be pure"))
    assert all(each.startswith(path) for each in found)
    assert fault in "\n".join(found)


@pytest.mark.parametrize(
    "line", ["__import__('reactor.server')", "importlib.import_module('reactor.server')"]
)
def test_a_planted_import_by_its_name_is_found(line: str) -> None:
    found = faults({**SOURCES, "reactor/outbox.py": SOURCES["reactor/outbox.py"] + f"\n{line}\n"})
    assert "imports reactor.server, which stands higher" in found[0]


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("reactor/deadlines.py", "from reactor.loop import Reactor"),
        ("reactor/service.py", "from reactor.connection import Connection"),
        ("reactor/service.py", "def later():\n    from reactor.connection import Connection"),
        ("reactor/outbox.py", "if TYPE_CHECKING:\n    from reactor.connection import Connection"),
    ],
)
def test_a_planted_circle_is_found(path: str, line: str) -> None:
    (fault,) = faults({**SOURCES, path: f"{SOURCES[path]}\n{line}\n"})
    assert fault.startswith("a circle: ")
    assert path.removesuffix(".py").replace("/", ".") in fault
