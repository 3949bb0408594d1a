"""A browser for all tests, one without JavaScript, and a server for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.driving import Browser, start
from tests.support.process import ServerProcess


@pytest.fixture(scope="session")
def downloads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("downloads")


@pytest.fixture(scope="session")
def browser(downloads: Path) -> Iterator[Browser]:
    driver = start(downloads)
    yield Browser(driver)
    driver.quit()


@pytest.fixture(scope="session")
def plain_browser(downloads: Path) -> Iterator[Browser]:
    driver = start(downloads, scripts=False)
    yield Browser(driver)
    driver.quit()


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    path = tmp_path / "shared"
    (path / "below").mkdir(parents=True)
    return path


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    path = tmp_path / "outside"
    path.mkdir()
    return path


@pytest.fixture
def server(directory: Path) -> Iterator[ServerProcess]:
    with ServerProcess("--directory", str(directory)) as process:
        yield process
