"""Whatever system call fails, a request returns what it has taken: descriptors, temporary files and slots."""

import errno
import fcntl
import gzip
import os
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import pytest

from reactor import handlers
from reactor.handlers.files.open_files import OpenFileLimit
from reactor.handlers.files.paths import TEMPORARY_PREFIX
from reactor.handlers.files.store import Store
from tests.support.in_process import Client, Harness
from tests.support.requests import request as written
from tests.unit.handlers.files.resumable_client import patch_lines
from tests.unit.handlers.files.shared import Shared, open_descriptors

pytestmark = pytest.mark.usefixtures("unnamed")
LATER = 1e10  # seconds since the epoch: small files are old enough for the cache
CALLS = (
    *("dup", "dup2", "fstat", "fstatvfs", "fsync", "link", "open", "pread", "pwrite", "readlink", "rename"),
    *("scandir", "stat", "utime"),
)
TEXT = b"the same words again and again, " * 2_500  # too large for the cache
PART = '--x\r\nContent-Disposition: form-data; name="f"; filename="{}"\r\n\r\nx\r\n'
PARTS = "".join(map(PART.format, ("a", "file", "a"))).encode()
FORM = "Content-Type: multipart/form-data; boundary=x"
WRONG_DIGEST = f"Repr-Digest: sha-256=:{'A' * 43}=:"


def get(path: str, *lines: str) -> bytes:
    return written(f"/files/{path}", *lines)


def put(path: str, *lines: str) -> bytes:
    return written(f"/files/{path}", *lines, method="PUT", content=b"new")


REQUESTS = {
    "a file": get("text.txt"),
    "a file of a directory": get("below/file"),
    "a cached file": get("small.txt") * 2,
    "a compressed file": get("text.txt", "Accept-Encoding: gzip;q=0.9, br"),
    "a precompressed variant": get("small.txt", "Accept-Encoding: gzip"),
    "a range": get("text.txt", "Range: bytes=5-9"),
    "ranges": get("text.txt", "Range: bytes=5-9,20-"),
    "a range that is not satisfiable": get("text.txt", "Range: bytes=99999999-"),
    "a condition that is false": get("text.txt", "If-Match: none", "Accept-Encoding: gzip"),
    "a page": get("", "Accept: text/html"),
    "a listing": get("below/", "Accept: application/json"),
    "a new file": put("below/new"),
    "a replaced file": put("file"),
    "a file with a wrong digest": put("new", WRONG_DIGEST),
    "a conditional upload": put("new", "If-None-Match: *"),
    "a form": written("/files/below/", FORM, method="POST", content=PARTS + b"--x--\r\n"),
    "an incomplete form": written("/files/below/", FORM, method="POST", content=PARTS + b"--x--\r\n")[:-9],
    "a complete resumable upload": put("new", "Upload-Complete: ?1"),
    "an incomplete resumable upload": put("new", "Upload-Complete: ?0"),
    "a part for a directory": put("below/new", "Upload-Complete: ?0"),
    "an incomplete upload to a directory": put("below/new")[:-1],
    "a deleted file": written("/files/file", method="DELETE"),
}


class FailingCalls:
    """Makes one of the system calls of a request fail; counts the slots of forms."""

    def __init__(self, error: int, patch: pytest.MonkeyPatch) -> None:
        self._error = error
        self._left = -1  # calls before the one that fails; -1: none fails
        self.slots = 0
        for module, name in [*((os, name) for name in CALLS), (fcntl, "flock")]:
            patch.setattr(module, name, self._wrap(getattr(module, name)))
        for name, change in (("acquire", 1), ("release", -1)):
            patch.setattr(OpenFileLimit, name, self._count(getattr(OpenFileLimit, name), change))

    @contextmanager
    def fail(self, number: int) -> Iterator[None]:
        """Make the call with this number fail, from 0."""
        self._left = number
        yield
        self.was_reached = self._left < 0
        self._left = -1

    def _wrap(self, call: Callable[..., object]) -> Callable[..., object]:
        def wrapped(*arguments: object, **keywords: object) -> object:
            if self._left >= 0:
                self._left -= 1
                if self._left < 0:
                    raise OSError(self._error, os.strerror(self._error))
            return call(*arguments, **keywords)

        return wrapped

    def _count(self, call: Callable[[OpenFileLimit], None], change: int) -> Callable[[OpenFileLimit], None]:
        def wrapped(limit: OpenFileLimit) -> None:
            call(limit)
            self.slots += change

        return wrapped


def resume(client: Client) -> str:
    """Complete a resumable upload, if the response is that of one; return its path, or ""."""
    for answer in client.responses():
        location = answer.headers.get("location", "")
        if location.startswith("/uploads/"):
            client.send(written(location, *patch_lines(3, True), method="PATCH", content=b"end"))
            return location
    return ""


@pytest.mark.parametrize("error", [errno.EMFILE, errno.EIO], ids=errno.errorcode.__getitem__)
@pytest.mark.parametrize("kind", REQUESTS)
def test_a_request_returns_what_it_has_taken_if_a_system_call_fails(
    kind: str, error: int, shared: Shared, monkeypatch: pytest.MonkeyPatch
) -> None:
    (shared.path / "text.txt").write_bytes(TEXT)
    (shared.path / "small.txt").write_bytes(b"small")
    (shared.path / "small.txt.gz").write_bytes(gzip.compress(b"small"))
    calls = FailingCalls(error, monkeypatch)
    for number in range(1000):
        store = Store(shared.path, fsync=True, precompressed=True, wall_clock=lambda: LATER)
        routes = handlers.build(store, allow_delete=True, resumable=1000)
        with closing(store), Harness(routes) as server:
            descriptors = open_descriptors()
            client = server.connect()
            with calls.fail(number):
                client.send(REQUESTS[kind])
                location = resume(client)
            client.close()
            if location:  # the client may resume the upload again, or cancel it
                client = server.connect()
                client.send(written(location, method="DELETE"))
                client.close()
            assert server.context.connections == {}
            assert open_descriptors() == descriptors, f"call {number}"
            assert calls.slots == 0, f"call {number}"
            assert not [name for name in shared.files() if TEMPORARY_PREFIX in name], f"call {number}"
        if not calls.was_reached:
            break
    assert 0 < number < 999
