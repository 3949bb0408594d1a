"""Fixtures for the tests of file handlers."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from reactor.handlers.files import unnamed as module
from reactor.handlers.files.store import Store
from tests.support.files import supports_unnamed
from tests.support.in_process import Client, Harness
from tests.unit.handlers.files.shared import Shared

DESCRIPTORS = Path("/proc/self/fd")


@pytest.fixture(autouse=True)
def _no_descriptor_stays_open(tmp_path: Path) -> Iterator[None]:
    """Fail the test if a file or directory below its temporary directory is open at its end."""
    yield
    links = DESCRIPTORS.iterdir() if DESCRIPTORS.is_dir() else ()
    opened = [path for link in links if (path := target(link)).startswith(f"{tmp_path}")]
    assert opened == []


def target(link: Path) -> str:
    """Return the path of an open file; "" if the descriptor was that of the list itself."""
    try:
        return os.readlink(link)
    except OSError:
        return ""


@pytest.fixture(params=[True, False], ids=["unnamed", "temporary name"])
def unnamed(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether plain uploads have no name until they are complete. Tests that use this run with both kinds."""
    if not request.param:
        monkeypatch.setattr(module, "UNNAMED", os.O_WRONLY)  # as on an old kernel: EISDIR
    elif not supports_unnamed(tmp_path):
        pytest.skip("the file system of the test does not support unnamed files")
    return bool(request.param)


@pytest.fixture
def shared(tmp_path: Path) -> Shared:
    return Shared(tmp_path)


@pytest.fixture
def store(shared: Shared) -> Iterator[Store]:
    one = Store(shared.path)
    yield one
    one.close()


@pytest.fixture
def hidden_store(shared: Shared) -> Iterator[Store]:
    one = Store(shared.path, hidden=True)
    yield one
    one.close()


@pytest.fixture
def server(store: Store) -> Iterator[Harness]:
    with Harness(store=store, max_body=1000) as harness:
        yield harness


@pytest.fixture
def client(server: Harness) -> Client:
    return server.connect()
