"""Fixtures for the tests of file handlers."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from reactor.handlers.files.store import Store
from tests.support.in_process import Client, Harness
from tests.unit.handlers.files.shared import Shared


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
