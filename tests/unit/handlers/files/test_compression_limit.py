"""Files that are compressed at the same time: a limited number; the others are sent uncompressed."""

import errno
import gzip
import os
import time
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from reactor.handlers.files.metadata import Representation
from reactor.handlers.files.store import MAX_COMPRESSIONS, Store
from tests.support.in_process import Client, Harness
from tests.unit.handlers.files.shared import Shared, request

CONTENT = os.urandom(6_000_000)  # compressed, too, it is more than a socket buffer holds
GZIP = "Accept-Encoding: gzip"


@pytest.fixture
def server(shared: Shared) -> Iterator[Harness]:
    (shared.path / "large.txt").write_bytes(CONTENT)
    later = time.time() + 60  # so that small files are kept in memory
    with closing(Store(shared.path, wall_clock=lambda: later)) as store, Harness(store=store) as harness:
        for _ in range(MAX_COMPRESSIONS - 1):
            assert store.compressions.acquire(blocking=False)
        yield harness


def begin(server: Harness, method: str = "GET") -> Client:
    client = server.connect()
    client.send(f"{method} /files/large.txt HTTP/1.1\r\nHost: x\r\n{GZIP}\r\n\r\n".encode())
    return client


def coding_of(server: Harness) -> str | None:
    """Return the coding of a download, of which nothing else is read."""
    client = begin(server, "HEAD")
    [answer] = client.responses("HEAD")
    client.close()
    return answer.headers.get("content-encoding")


def test_beyond_the_limit_a_file_is_sent_uncompressed(server: Harness) -> None:
    first = begin(server)
    plain = server.connect().get("/files/large.txt")
    [second] = begin(server).responses()
    assert second.content == CONTENT
    assert "content-encoding" not in second.headers
    assert second.headers["content-length"] == str(len(CONTENT))
    assert second.headers["etag"] == plain.headers["etag"]
    assert second.headers["vary"] == "Accept-Encoding"
    [answer] = first.responses()
    assert gzip.decompress(answer.content) == CONTENT


def finish(server: Harness, client: Client) -> None:
    client.responses()


def disconnect(server: Harness, client: Client) -> None:
    client.close()


def stop(server: Harness, client: Client) -> None:
    next(iter(server.context.connections.values())).abort()


@pytest.mark.parametrize("end", [finish, disconnect, stop])
def test_the_end_of_a_download_makes_room(server: Harness, end: Callable[[Harness, Client], None]) -> None:
    client = begin(server)
    assert coding_of(server) is None
    end(server, client)
    assert [coding_of(server) for _ in range(3)] == ["gzip"] * 3


def fail_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the next close of a file fail, as on a network file system."""
    close = Representation.close

    def failing_close(self: Representation) -> None:
        monkeypatch.setattr(Representation, "close", close)
        close(self)
        raise OSError(errno.EIO, "planted")

    monkeypatch.setattr(Representation, "close", failing_close)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_an_error_when_a_file_is_closed_makes_room(
    server: Harness, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, method: str
) -> None:
    fail_once(monkeypatch)
    client = begin(server, method)
    client.close()
    assert "planted" in caplog.text
    assert "ValueError" not in caplog.text, "released twice"
    assert coding_of(server) == "gzip"


def test_responses_without_a_compressed_body_take_no_room(server: Harness) -> None:
    tag = request(server.connect(), "HEAD", "/files/large.txt", GZIP).headers["etag"]
    for line, status in ((f"If-None-Match: {tag}", 304), ('If-Match: "x"', 412), ("Range: bytes=0-9", 206)):
        for _ in range(2):
            assert request(server.connect(), "GET", "/files/large.txt", GZIP, line).status == status
    assert coding_of(server) == "gzip"


def test_small_files_in_memory_are_compressed_without_limit(server: Harness, shared: Shared) -> None:
    (shared.path / "small.txt").write_bytes(b"text " * 1000)
    client = begin(server)
    for _ in range(3):
        assert server.connect().get("/files/small.txt", GZIP).headers.get("content-encoding") == "gzip"
    client.close()
