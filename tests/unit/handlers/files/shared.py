"""A shared directory for tests, files outside it that must not be accessible, and request helpers."""

import os
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TypeVar

import pytest

from reactor.handlers.files.store import Store
from reactor.http11.errors import HTTPError
from tests.support.in_process import Answer, Client

SECRET = b"outside"
Result = TypeVar("Result")
Test = TypeVar("Test", bound=Callable[..., None])


def named(test: Test) -> Test:
    """Run a test only with plain uploads that have a temporary name (the fixture ``unnamed``)."""
    only = pytest.mark.parametrize("unnamed", [False], indirect=True, ids=["temporary name"])
    marked: Test = pytest.mark.usefixtures("unnamed")(only(test))
    return marked


class Shared:
    """The shared directory ``path``, and a sibling ``outside`` that is not shared."""

    def __init__(self, base: Path) -> None:
        self.path = base / "shared"
        self.outside = base / "outside"
        for directory in (self.path, self.outside, self.outside / "below", self.path / "below"):
            directory.mkdir()
        (self.path / "file").write_bytes(b"inside")
        (self.path / "below" / "file").write_bytes(b"inside below")
        (self.outside / "file").write_bytes(SECRET)
        (self.outside / "below" / "file").write_bytes(SECRET)
        self.original_files = self.files()

    def files(self) -> dict[str, bytes]:
        """Return the content of every file by name, including temporary files."""
        return {
            str(path.relative_to(self.path)): path.read_bytes()
            for path in sorted(self.path.rglob("*"))
            if path.is_file()
        }

    def assert_untouched(self) -> None:
        """Assert that all files, shared and outside, are unchanged."""
        assert self.files() == self.original_files
        outside = sorted(path for path in self.outside.rglob("*") if path.is_file())
        assert outside == [self.outside / "below" / "file", self.outside / "file"]
        assert {path.read_bytes() for path in outside} == {SECRET}


def open_descriptors() -> int:
    """Return the number of open file descriptors of this process."""
    return len(os.listdir("/proc/self/fd"))


@contextmanager
def no_descriptor_leaks() -> Iterator[None]:
    """Assert that no file descriptor is left open."""
    before = open_descriptors()
    yield
    assert open_descriptors() == before


def read(store: Store, name: str) -> bytes:
    """Return the content of a file in the store."""
    with closing(store.find(name)) as found:
        return b"".join(found.chunks(range(found.metadata.size)))


def upload(store: Store, name: str, *pieces: bytes) -> None:
    """Store a file in several writes."""
    sink = store.create(name, sum(map(len, pieces)))
    try:
        for piece in pieces:
            sink.write(piece)
        sink.finish().commit()
    finally:
        sink.close()


def refused_status(function: Callable[[], object]) -> int:
    """Call a function that must raise HTTPError; return its status, and check for descriptor leaks."""
    with no_descriptor_leaks(), pytest.raises(HTTPError) as caught:
        function()
    assert caught.value.reason
    return caught.value.status


def as_unprivileged_user(function: Callable[[], Result]) -> Result:
    """Call a function as a user other than root, since root bypasses file permissions."""
    if os.geteuid() != 0:
        return function()
    try:
        os.seteuid(65534)
    except OSError as error:
        pytest.skip(f"running as root, and cannot switch to another user: {error.strerror}")
    try:
        return function()
    finally:
        os.seteuid(0)


def request(client: Client, method: str, path: str, *lines: str, content: bytes = b"") -> Answer:
    """Send a request; return the response, and assert that there is only one."""
    fields = "".join(f"{line}\r\n" for line in ("Host: test", *lines))
    client.send(f"{method} {path} HTTP/1.1\r\n{fields}\r\n".encode() + content)
    (answer,) = client.responses(method)
    return answer


def post(client: Client, path: str, content: bytes) -> Answer:
    """Upload a file with POST; return the response."""
    return request(client, "POST", path, f"Content-Length: {len(content)}", content=content)
