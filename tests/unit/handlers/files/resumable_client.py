"""Requests that start, resume and query resumable uploads, for the tests of several modules."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from reactor import handlers
from reactor.handlers.files.paths import TEMPORARY_PREFIX
from reactor.handlers.files.store import Store
from tests.support.in_process import Answer, Client, Harness
from tests.unit.handlers.files.shared import Shared, request

MAX = 1_000_000
PARTIAL = "Content-Type: application/partial-upload"
VERSION = "Upload-Draft-Interop-Version: 8"


@contextmanager
def resumable(shared: Shared, limit: int = MAX, max_body: int = 1 << 30) -> Iterator[Harness]:
    """Start a server with resumable uploads."""
    with (
        closing(Store(shared.path)) as store,
        Harness(handlers.build(store, resumable=limit), max_body=max_body) as harness,
    ):
        yield harness


def head(method: str, path: str, *lines: str) -> bytes:
    """Write a request head."""
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: test", *lines, "", ""]).encode()


def send(client: Client, method: str, path: str, content: bytes, *lines: str) -> Answer:
    """Send a request with a length; return its only response."""
    return request(client, method, path, f"Content-Length: {len(content)}", *lines, content=content)


def begin(server: Harness, content: bytes = b"", *lines: str, method: str = "PUT") -> str:
    """Upload a first part; return the path of the upload."""
    answer = send(server.connect(), method, "/files/new", content, "Upload-Complete: ?0", *lines)
    assert answer.status == 201
    assert answer.headers["upload-complete"] == "?0"
    assert answer.headers["upload-offset"] == str(len(content))
    return answer.headers["location"]


def patch_lines(offset: int, complete: bool, *lines: str) -> list[str]:
    """Return the lines of a request that resumes an upload."""
    return [PARTIAL, f"Upload-Offset: {offset}", f"Upload-Complete: ?{complete:d}", *lines]


def resume(server: Harness, where: str, offset: int, content: bytes, complete: bool, *lines: str) -> Answer:
    """Upload another part."""
    return send(server.connect(), "PATCH", where, content, *patch_lines(offset, complete, *lines))


def offset(server: Harness, where: str) -> int:
    """Return the offset of an upload."""
    answer = request(server.connect(), "HEAD", where)
    assert (answer.status, answer.headers["cache-control"]) == (204, "no-store")
    assert answer.headers["upload-complete"] == "?0"
    return int(answer.headers["upload-offset"])


def is_gone(server: Harness, where: str) -> bool:
    """Return whether an upload no longer exists."""
    return request(server.connect(), "HEAD", where).status == 404


def leftovers(shared: Shared) -> int:
    """Return the number of temporary files, without a lock that protects others."""
    return len(temporary_files(shared))


def temporary_files(shared: Shared) -> list[Path]:
    """Return the temporary files, without a lock that protects others."""
    found = sorted(shared.path.rglob(f"{TEMPORARY_PREFIX}*"))
    return [path for path in found if not any(other.name.startswith(f"{path.name}.") for other in found)]
