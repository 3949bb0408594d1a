"""The handler of static files, without a server: what it refuses, and a directory that is replaced."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from reactor.handlers.files.paths import SharedRoot
from reactor.handlers.files.static import PATTERN, StaticFiles
from reactor.http11.errors import HTTPError
from reactor.http11.message import Request
from tests.unit.handlers.files.shared import SECRET, Shared, refused_status
from tests.unit.http11.deliver import get
from tests.unit.http11.test_message import request_of


@pytest.fixture
def static(shared: Shared) -> Iterator[StaticFiles]:
    one = StaticFiles(shared.path)
    yield one
    one.close()


def asking_for(path: str) -> Request:
    request = request_of(get())
    request.params = {"path": path}
    return request


def test_a_file_is_sent_from_memory_or_disk(static: StaticFiles) -> None:
    response = static.get(asking_for("below/file"))
    assert (response.status, dict(response.headers)["X-Content-Type-Options"]) == (200, "nosniff")
    if not isinstance(response.content, bytes):
        response.content.close()  # type: ignore[union-attr]
    assert PATTERN == "/{path...}"


@pytest.mark.parametrize(
    "path", ["", "below", "below/", "none", "../outside/file", "/file", ".", "./file", "below//file"]
)
def test_other_names_are_404(static: StaticFiles, path: str) -> None:
    assert refused_status(partial(static.get, asking_for(path))) == 404


def test_a_symbolic_link_is_not_followed(static: StaticFiles, shared: Shared) -> None:
    (shared.path / "link").symlink_to(shared.outside / "file")
    (shared.path / "directory").symlink_to(shared.outside)
    assert (shared.outside / "file").read_bytes() == SECRET
    for path in ("link", "directory/file"):
        assert refused_status(partial(static.get, asking_for(path))) == 404


def test_a_directory_that_is_missing_is_503(
    static: StaticFiles, shared: Shared, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    root = static._store.root
    assert isinstance(root, SharedRoot)
    shared.path.rename(shared.path.with_name("moved"))
    monkeypatch.setattr(root, "_refresh_at", 0.0)
    root.check_at = 0.0
    with pytest.raises(HTTPError) as caught:
        static.get(asking_for("file"))
    assert (caught.value.status, str(shared.path) in caught.value.reason) == (503, False)
    assert str(shared.path) in caplog.text


@pytest.mark.parametrize("name", ["file", "none"])
def test_only_a_directory_is_accepted(shared: Shared, name: str) -> None:
    with pytest.raises(OSError, match=name):
        StaticFiles(Path(shared.path, name))
