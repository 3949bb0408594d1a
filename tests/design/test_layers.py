"""Modules import only from layers below; planted faults show that the checker works."""

import configparser
import re
from pathlib import Path

import pytest

from reactor import handlers
from tests.design.layers import LAYERS, NAMED_FOR_TYPES, faults, faults_in, imports_of, is_in, module_of
from tests.design.sources import ROOT, read_sources

SOURCES = read_sources("reactor", "handlers")
PATHS = {module_of(path): path for path in SOURCES}


def test_imports_only_go_down() -> None:
    assert len(SOURCES) > 25
    assert faults(SOURCES) == []


@pytest.mark.parametrize("place", [place for places in LAYERS for place in places])
def test_every_path_of_a_layer_exists(place: str) -> None:
    assert any(is_in(path, (place,)) for path in SOURCES)


def test_the_handlers_package_is_the_top_level_folder() -> None:
    assert Path(handlers.__file__).resolve() == ROOT / "handlers" / "__init__.py"
    assert handlers.__name__ == "reactor.handlers"


def test_every_package_is_installed() -> None:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    folders = {path.rpartition("/")[0] for path in SOURCES}
    packages = {re.sub("^handlers", "reactor/handlers", folder).replace("/", ".") for folder in folders}
    assert setup["options"]["packages"].split() == sorted(packages)


def test_handlers_are_imported_under_one_name() -> None:
    for path, source in read_sources("reactor", "handlers", "tests", "benchmarks").items():
        names = {each.name.partition(".")[0] for each in imports_of(path, source, frozenset(PATHS))}
        assert "handlers" not in names, path


def test_a_new_file_in_a_folder_needs_no_row() -> None:
    assert faults_in("reactor/server/new.py", "from reactor.loop import Reactor", PATHS) == []
    assert faults_in("handlers/files/new.py", "from reactor.handlers.files.store import Store", PATHS) == []


def test_each_exemption_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    exempt = set(NAMED_FOR_TYPES)
    for each in exempt:
        monkeypatch.setattr("tests.design.layers.NAMED_FOR_TYPES", exempt - {each})
        assert [fault for fault in faults(SOURCES) if "import cycle" in fault]


@pytest.mark.parametrize(
    ("path", "line", "fault"),
    [
        ("reactor/loop.py", "import reactor.server.connection", "which is in a higher layer"),
        (
            "reactor/loop.py",
            "from reactor.server import connection",
            "reactor.server.connection, which is in a higher layer",
        ),
        (
            "reactor/loop.py",
            "from .server import connection",
            "reactor.server.connection, which is in a higher layer",
        ),
        (
            "reactor/loop.py",
            "from .http11 import grammar",
            "reactor.http11.grammar, which is in a higher layer",
        ),
        ("reactor/wakeup.py", "from reactor.http11.message import Request", "which is in a higher layer"),
        ("reactor/deadlines.py", "from http import HTTPStatus", "http in a module without HTTP"),
        ("reactor/wakeup.py", "import http.client", "http.client in a module without HTTP"),
        ("reactor/routing.py", "from reactor.loop import Reactor", ""),
        ("reactor/routing.py", "from reactor.server.connection import State", "which is in a higher layer"),
        ("reactor/http11/parser.py", "from reactor.routing import Router", "in a module without I/O"),
        ("reactor/http11/parser.py", "from ..routing import Router", "in a module without I/O"),
        ("reactor/http11/parser.py", "from reactor.loop import Reactor", "in a module without I/O"),
        (
            "reactor/server/acceptor.py",
            "from reactor.observe.events import Event",
            "which is in a higher layer",
        ),
        ("reactor/http11/__init__.py", "from .. import routing", "in a module without I/O"),
        ("reactor/http11/parser.py", "import reactor", "imports reactor in a module without I/O"),
        ("reactor/server/connection.py", "from reactor.cli.main import main", "which is in a higher layer"),
        ("reactor/server/connection.py", "from reactor.handlers import root", "handlers.root, a handler"),
        ("reactor/settings.py", "import os", "imports os in a module without I/O"),
        ("reactor/settings.py", "from os import environ", "imports os in a module without I/O"),
        ("reactor/http11/grammar.py", "import os.path", "imports os.path in a module without I/O"),
        ("reactor/http11/grammar.py", "from time import time", "imports time in a module without I/O"),
        ("reactor/http11/framing.py", "import socket as s", "imports socket in a module without I/O"),
        ("reactor/http11/coding.py", "from pathlib import Path", "imports pathlib in a module without I/O"),
        ("reactor/http11/new.py", "import selectors, io", "imports io in a module without I/O"),
        ("handlers/root.py", "from reactor.loop import Reactor", "in a handler"),
        ("handlers/root.py", "from reactor import Router", "imports reactor in a handler"),
        ("handlers/root.py", "from reactor.settings import Settings", "in a handler"),
        ("handlers/root.py", "from reactor.routing import Router", ""),
        ("handlers/root.py", "import os", ""),
        ("handlers/root.py", "from . import echo", ""),
        ("handlers/root.py", "import httptools", "not in the standard library"),
        (
            "reactor/server/server.py",
            "from isal import igzip",
            "imports isal, which is not in the standard library",
        ),
        ("reactor/server/server.py", "import tests.support.in_process", "not in the standard library"),
        (
            "reactor/server/server.py",
            "import reactor.nowhere",
            "reactor.nowhere, which does not exist",
        ),
        ("reactor/cli/main.py", "from reactor.handlers import build", ""),
        ("reactor/cli/main.py", "from handlers import build", "not in the standard library"),
        ("reactor/server/server.py", "from reactor.handlers import build", "reactor.handlers, a handler"),
        ("reactor/new.py", "", "reactor/new.py has no layer"),
        ("reactor/new/new.py", "", "reactor/new/new.py has no layer"),
        ("reactor/http11/deeper/new.py", "import time", "imports time in a module without I/O"),
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
    found = faults_in(path, planted, PATHS)
    assert len(found) == bool(fault) + (fault.endswith("io in a module without I/O"))
    assert all(each.startswith(path) for each in found)
    assert fault in "\n".join(found)


@pytest.mark.parametrize(
    "line", ["__import__('reactor.observe.events')", "importlib.import_module('reactor.observe.events')"]
)
def test_a_planted_import_by_its_name_is_found(line: str) -> None:
    found = faults_in("reactor/server/write_buffer.py", line, PATHS)
    assert "imports reactor.observe.events, which is in a higher layer" in found[0]


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("reactor/deadlines.py", "from reactor.loop import Reactor"),
        ("reactor/server/context.py", "from reactor.server.connection import Connection"),
        ("reactor/server/context.py", "def later():\n    from reactor.server.connection import Connection"),
        (
            "reactor/server/write_buffer.py",
            "if TYPE_CHECKING:\n    from reactor.server.connection import Connection",
        ),
    ],
)
def test_a_planted_import_cycle_is_found(path: str, line: str) -> None:
    (fault,) = faults({**SOURCES, path: f"{SOURCES[path]}\n{line}\n"})
    assert fault.startswith("import cycle: ")
    assert path.removesuffix(".py").replace("/", ".") in fault
