"""The write buffer: any content is sent completely, however little the kernel accepts at a time."""

import errno
import os
import socket
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from reactor.http11.message import FileSlice, LiveStream, Response
from reactor.server.write_buffer import FlushResult, WriteBuffer
from tests.support.in_process import Harness
from tests.support.requests import CANARY, answering, in_pieces, request, shrink_buffers

BODY = b"".join(b"%09d\xff" % number for number in range(51_200))

Make = Callable[[Path], Response]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "file").write_bytes(BODY)
    return tmp_path / "file"


def whole(path: Path) -> Response:
    return Response(200, BODY)


def listed(path: Path) -> Response:
    return Response(200, [*in_pieces(BODY, 9999), b""])


def generated(path: Path) -> Response:
    return Response(200, (piece for piece in in_pieces(BODY, 100_000)))


def of_file(path: Path) -> Response:
    return Response(200, FileSlice(open(path, "rb"), 0, len(BODY)))


def live(path: Path) -> Response:
    stream = LiveStream(limit=10**6)
    stream.send(BODY[:1000])
    stream.send(BODY[1000:])
    stream.close()
    return Response(200, stream)


EVERY_KIND = pytest.mark.parametrize("make", [whole, listed, generated, of_file, live])
STREAMS = (listed, generated, live)


@EVERY_KIND
@pytest.mark.parametrize("version", ["HTTP/1.1", "HTTP/1.0"])
@pytest.mark.parametrize("small", [False, True], ids=["buffers as they are", "small buffers"])
def test_bodies_of_every_kind_arrive_complete(make: Make, version: str, small: bool, path: Path) -> None:
    with Harness(answering(lambda: make(path))) as server:
        client = server.connect()
        if small:
            shrink_buffers(client)
        client.send(request("/0", "Connection: keep-alive", version=version))
        answer = client.assert_responds()
        assert answer.content == BODY
        chunked = make in STREAMS and version == "HTTP/1.1"
        assert ("transfer-encoding" in answer.headers) == chunked
        assert ("content-length" in answer.headers) == (make not in STREAMS)
        assert client.closed == (make in STREAMS and version == "HTTP/1.0")
        if client.closed:
            assert answer.headers["connection"] == "close"
        else:
            assert client.get("/canary").content == b"the canary sings"


@EVERY_KIND
@pytest.mark.parametrize("version", ["HTTP/1.1", "HTTP/1.0"])
def test_head_is_answered_like_get_without_the_body(make: Make, version: str, path: Path) -> None:
    with Harness(answering(lambda: make(path))) as server:
        gets, heads = server.connect(), server.connect()
        gets.send(request("/0", version=version))
        heads.send(request("/0", method="HEAD", version=version))
        [got] = gets.responses()
        [headed] = heads.responses("HEAD")
        assert heads.received == b""
        assert headed.headers == got.headers
        assert heads.closed == (version == "HTTP/1.0")


@EVERY_KIND
def test_requests_after_a_body_of_any_kind_are_answered(make: Make, path: Path) -> None:
    with Harness(answering(lambda: make(path))) as server:
        client = server.connect()
        shrink_buffers(client)
        client.send(request("/0") + CANARY + request("/0") + CANARY)
        answers = [answer.content for answer in client.responses()]
        assert answers == [BODY, b"the canary sings"] * 2


@EVERY_KIND
@pytest.mark.parametrize("status", [204, 304])
def test_a_bodiless_status_has_no_body(make: Make, status: int, path: Path) -> None:
    def empty() -> Response:
        response = make(path)
        response.status = status
        return response

    with Harness(answering(empty)) as server:
        client = server.connect()
        client.send(request("/0") + CANARY)
        first, second = client.responses()
        assert first.status == status
        assert "transfer-encoding" not in first.headers
        assert status == 304 or "content-length" not in first.headers
        assert second.content == b"the canary sings"


@pytest.mark.parametrize("make", [listed, generated])
def test_a_stream_is_compressed_while_it_is_sent(make: Make, path: Path) -> None:
    def compressible() -> Response:
        response = make(path)
        response.compress_min_size = 0
        return response

    with Harness(answering(compressible)) as server:
        answer = server.connect().get("/0", "Accept-Encoding: gzip")
        assert answer.headers["content-encoding"] == "gzip"
        assert zlib.decompress(answer.content, 31) == BODY


class BodyError(Exception):
    """Raised while content is produced."""


@pytest.mark.parametrize("before", [0, 1, 3])
def test_a_failing_body_is_logged_and_left_incomplete(before: int, caplog: pytest.LogCaptureFixture) -> None:
    def pieces() -> Iterator[bytes]:
        yield from [b"piece"] * before
        raise BodyError("a secret")

    with Harness(answering(lambda: Response(200, pieces()))) as server:
        client, other = server.connect(), server.connect()
        client.send(request("/0") + CANARY)
        data = client.read()
        assert client.closed
        assert data.count(b"piece") == before
        assert not data.endswith(b"0\r\n\r\n")
        assert b"secret" not in data
        assert b"sings" not in data
        assert any(record.exc_info and record.exc_info[0] is BodyError for record in caplog.records)
        other.get("/canary")


def test_a_generator_is_closed_when_its_client_disconnects() -> None:
    ended = []

    def pieces() -> Iterator[bytes]:
        try:
            while True:
                yield b"a" * 10_000
        finally:
            ended.append(True)

    with Harness(answering(lambda: Response(200, pieces()))) as server:
        client = server.connect()
        client.send(request("/0"))
        assert ended == []
        client.close()
        assert ended == [True]
        assert not server.context.connections


class Rows:
    """Content that must be closed, such as a database cursor."""

    def __init__(self) -> None:
        self.times_closed = 0

    def __iter__(self) -> Iterator[bytes]:
        return iter([b"one", b"two"])

    def close(self) -> None:
        self.times_closed += 1


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_an_iterator_with_close_is_closed_once_it_is_sent(method: str) -> None:
    rows = Rows()
    with Harness(answering(lambda: Response(200, rows))) as server:
        client = server.connect()
        client.send(request("/0", method=method) + CANARY)
        assert len(client.responses(method)) == 2
        assert rows.times_closed == 1


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_file_is_closed_once_it_is_sent(method: str, path: Path) -> None:
    with (
        open(path, "rb") as file,
        Harness(answering(lambda: Response(200, FileSlice(file, 5, 10)))) as server,
    ):
        client = server.connect()
        client.send(request("/0", method=method))
        [answer] = client.responses(method)
        assert answer.content == (BODY[5:15] if method == "GET" else b"")
        assert file.closed


def test_a_file_is_closed_when_its_client_disconnects(path: Path) -> None:
    with (
        open(path, "rb") as file,
        Harness(answering(lambda: Response(200, FileSlice(file, 0, 400_000)))) as server,
    ):
        client = server.connect()
        client.send(request("/0"))
        assert not file.closed
        client.close()
        assert file.closed


@pytest.mark.parametrize("left", [0, 1, 1000])
def test_a_shrinking_file_closes_the_connection(left: int, path: Path) -> None:
    def shrunken() -> Response:
        response = of_file(path)
        os.truncate(path, left)
        return response

    with Harness(answering(shrunken)) as server:
        client, other = server.connect(), server.connect()
        client.send(request("/0") + CANARY)
        head, _, content = client.read().partition(b"\r\n\r\n")
        assert b"Content-Length: %d" % len(BODY) in head
        assert content == BODY[:left]
        assert client.closed
        other.get("/canary")


def test_a_growing_file_is_sent_at_its_first_length(path: Path) -> None:
    def growing_file() -> Response:
        response = of_file(path)
        with open(path, "ab") as file:
            file.write(b"more")
        return response

    with Harness(answering(growing_file)) as server:
        client = server.connect()
        client.send(request("/0") + CANARY)
        assert [answer.content for answer in client.responses()] == [BODY, b"the canary sings"]


# The write buffer alone.


def test_a_flush_returns_its_result_and_keeps_unsent_bytes() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        write_buffer = WriteBuffer()
        assert write_buffer.flush(ours, 10) is FlushResult.DONE
        write_buffer.write(b"a" * 25)
        write_buffer.write(b"b" * 5)
        assert write_buffer.size == 30
        assert write_buffer.flush(ours, 10) is FlushResult.PAUSED
        assert (write_buffer.size, write_buffer.sent, theirs.recv(99)) == (20, 10, b"a" * 10)
        assert write_buffer.flush(ours, 1000) is FlushResult.DONE
        assert (write_buffer.size, write_buffer.sent, theirs.recv(99)) == (0, 30, b"a" * 15 + b"b" * 5)
        write_buffer.write(b"c" * 100)
        theirs.close()
        assert write_buffer.flush(ours, 1000) is FlushResult.FAILED
        write_buffer.clear()
        assert write_buffer.size == 0


@pytest.mark.parametrize(
    ("number", "result"),
    [
        (errno.EAGAIN, FlushResult.PAUSED),
        (errno.EPIPE, FlushResult.FAILED),
        (errno.ECONNRESET, FlushResult.FAILED),
        (errno.ETIMEDOUT, FlushResult.FAILED),
        (errno.EHOSTUNREACH, FlushResult.FAILED),
        (errno.EIO, FlushResult.BODY_FAILED),
        (errno.ESTALE, FlushResult.BODY_FAILED),
        (errno.EINVAL, FlushResult.BODY_FAILED),
    ],
)
def test_sendfile_errors_become_flush_results(number: int, result: FlushResult, path: Path) -> None:
    def sendfile(*_: int) -> int:
        raise OSError(number, "planted")

    ours, theirs = socket.socketpair()
    with ours, theirs, open(path, "rb") as file:
        write_buffer = WriteBuffer(sendfile)
        write_buffer.add(FileSlice(file, 0, 10))
        assert write_buffer.flush(ours, 100) is result
        assert (write_buffer.failure is not None) == (result is FlushResult.BODY_FAILED)
        write_buffer.clear()
        assert write_buffer.failure is None
        assert file.closed


def test_an_empty_buffer_is_flushed_without_a_system_call() -> None:
    with socket.socket() as unconnected:  # on which send() fails
        assert WriteBuffer().flush_bytes(unconnected, 1000) is FlushResult.DONE
