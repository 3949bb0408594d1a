"""The write timeout: a client that reads nothing is reset; one that reads slowly is not."""

import logging
import os
import socket
from collections.abc import Callable, Iterator
from itertools import chain, repeat
from pathlib import Path

import pytest

from reactor.http11.message import FileSlice, LiveStream, Response
from reactor.server.connection import Connection
from reactor.server.write_timeout import unacknowledged
from tests.support.in_process import Client, Harness
from tests.support.process import TIMEOUT
from tests.support.requests import (
    answering,
    connect_tcp,
    in_pieces,
    read_available,
    request,
    shrink_buffers,
    write,
)

MOMENT = 0.01  # seconds
SIZE = 10**7


def breaks(connection: Connection) -> None:
    raise RuntimeError("planted")


def read_until_reset(client: Client) -> bool:
    """Read everything; return whether the connection was reset."""
    client.read()
    return client.was_reset


@pytest.mark.parametrize(
    "response", [lambda: Response(200, b"a" * 10**7), lambda: Response(200, [b"a" * 10**7])]
)
def test_a_client_that_reads_nothing_for_60_seconds_is_reset(
    response: Callable[[], Response], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="reactor")
    with Harness(answering(response)) as server:
        client = connect_tcp(server)
        client.send(request("/0"))
        server.clock.advance(60 - MOMENT)
        assert server.context.connections
        server.clock.advance(2 * MOMENT)
        assert not server.context.connections
        assert "reset" in caplog.text
        assert read_until_reset(client)


@pytest.mark.parametrize(
    ("size", "version", "resets"),
    [(10**7, "HTTP/1.0", True), (10**7, "HTTP/1.1", False), (10, "HTTP/1.1", False)],
)
def test_only_a_failed_response_without_a_visible_end_is_reset(
    size: int, version: str, resets: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Connection, "on_deadline", breaks)
    with Harness(answering(lambda: Response(200, iter([b"a" * size])))) as server:
        client = connect_tcp(server)
        client.send(request("/0", version=version))
        if size == 10:
            client.assert_responds(200)
        server.clock.advance(75)
        assert not server.context.connections
        assert read_until_reset(client) is resets
        assert client.closed


def test_reading_a_little_renews_the_write_timeout() -> None:
    with Harness(answering(lambda: Response(200, b"a" * 10**7))) as server:
        client = connect_tcp(server)
        client.send(request("/0"))
        for _ in range(5):
            server.clock.advance(59)
            assert read_available(client)[0]
            server.run()
        server.clock.advance(60 - MOMENT)
        assert server.context.connections
        server.clock.advance(2 * MOMENT)
        assert not server.context.connections


def connect_with_little_room(server: Harness) -> Client:
    """Make a connection over TCP: the client's buffer is small, so that it acknowledges in small steps."""
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket() as theirs:
        theirs.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2304)
        theirs.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 536)
        theirs.connect(listener.getsockname())
        ours, _ = listener.accept()
        return server.attach(ours, theirs.dup())


def read_exactly(client: Client, count: int) -> None:
    """Read some bytes, for which the kernel may have to wait."""
    client.sock.settimeout(TIMEOUT)
    while count:
        data = client.sock.recv(count)
        assert data
        count -= len(data)


def of_file(path: Path) -> Response:
    path.write_bytes(bytes(SIZE))
    return Response(200, FileSlice(open(path, "rb"), 0, SIZE))


@pytest.mark.parametrize(
    "respond",
    [lambda path: Response(200, bytes(SIZE)), lambda path: Response(200, [bytes(SIZE)]), of_file],
    ids=["bytes", "chunks", "file"],
)
def test_a_client_that_reads_300_bytes_per_second_is_not_reset(
    respond: Callable[[Path], Response], tmp_path: Path
) -> None:
    routes = answering(lambda: respond(tmp_path / "file"))
    with Harness(routes, unacknowledged=unacknowledged) as server:
        client = connect_with_little_room(server)
        client.send(request("/0"))
        for _ in range(300):
            server.clock.advance(1)
            assert server.context.connections
            read_exactly(client, 300)
        for _ in range(20):  # it reads nothing any more
            server.clock.advance(5)
        assert not server.context.connections


def fill_socket(client: Client) -> None:
    """Fill the buffer of the server's socket, as a previous response does."""
    try:
        while True:
            client.connection.handle.send(bytes(100_000))
    except BlockingIOError:
        pass


def leave_room(client: Client) -> None:
    """Leave the socket as it is, so that a part of the response is sent."""


EXPECTING = request("/post", "Content-Length: 1", "Expect: 100-continue", method="POST")


@pytest.mark.parametrize(
    ("prepare", "data"),
    [
        (leave_room, request("/0")),
        (fill_socket, request("/0")),
        (leave_room, request("/0", "Connection: close")),
        (fill_socket, request("/0", "Connection: close")),
        (fill_socket, EXPECTING),
    ],
    ids=["partly sent", "unsent", "last, partly sent", "last, unsent", "100 Continue"],
)
@pytest.mark.parametrize(
    ("queue", "reset_at"),
    [
        ([9], 60),
        ([900, 9], 5 + 60),  # it is checked every 5 s
        ([9, 9, 9, 9, 9, 9, 8], 30 + 60),
        ([*range(9, 30)], 60),
        ([*range(100, 59, -1)], 200 + 60),
        ([0], 60),  # as on a system that cannot say
    ],
)
def test_acknowledged_bytes_renew_the_write_timeout(
    queue: list[int], reset_at: int, prepare: Callable[[Client], None], data: bytes
) -> None:
    checks = chain(queue, repeat(queue[-1]))
    routes = answering(lambda: Response(200, bytes(SIZE)))
    with Harness(routes, unacknowledged=lambda _: next(checks)) as server:
        client = server.connect()
        prepare(client)
        client.send(data)
        for _ in range(5, reset_at, 5):
            server.clock.advance(5)
            assert server.context.connections
        server.clock.advance(5)
        assert not server.context.connections


@pytest.mark.parametrize("version", ["HTTP/1.1", "HTTP/1.0"])
def test_acknowledged_bytes_renew_it_for_a_live_stream_that_was_idle(version: str) -> None:
    stream, checks = LiveStream(), chain([900], repeat(9))
    routes = answering(lambda: Response(200, stream))
    with Harness(routes, unacknowledged=lambda _: next(checks)) as server:
        client = server.connect()
        client.send(request("/0", version=version))
        fill_socket(client)
        stream.send(b"news")
        for _ in range(5, 5 + 60, 5):
            server.clock.advance(5)
            assert server.context.connections
        server.clock.advance(5)
        assert not server.context.connections


@pytest.mark.parametrize("when", ["before the response", "before its first chunk"])
def test_a_suspension_during_a_callback_does_not_use_up_the_write_timeout(when: str) -> None:
    def suspend(moment: str) -> None:
        if moment == when:
            server.clock.now += 100

    def respond() -> Response:
        suspend("before the response")
        return Response(200, chunks())

    def chunks() -> Iterator[bytes]:
        suspend("before its first chunk")
        yield from repeat(bytes(100_000))

    with Harness(answering(respond)) as server:
        server.connect().send(request("/0"))
        for _ in range(59):
            server.clock.advance(1)
            assert server.context.connections
        server.clock.advance(1)
        assert not server.context.connections


def test_the_end_of_the_write_timeout_is_reported_and_not_the_next_check() -> None:
    with Harness(answering(lambda: Response(200, bytes(SIZE)))) as server:
        client = server.connect()
        client.send(request("/0"))
        for passed in range(0, 60, 12):
            ends = client.connection.timeout_ends - server.clock.now
            assert ends == pytest.approx(60 - passed)
            assert f"stall timeout in {ends:.1f} s" in client.connection.summary(server.clock.now)
            server.clock.advance(12)


def test_the_write_timeout_is_not_reported_after_the_response() -> None:
    with Harness(answering(lambda: Response(200, bytes(SIZE))), keep_alive_timeout=5) as server:
        client = server.connect()
        client.send(request("/0"))
        assert client.connection.timeout_ends - server.clock.now == pytest.approx(60)
        client.assert_responds(200)
        assert client.connection.timeout_ends - server.clock.now == pytest.approx(5)


def test_unacknowledged_bytes_are_counted() -> None:
    with Harness(answering()) as server:
        client = connect_with_little_room(server)
        assert unacknowledged(client.connection.handle) == 0
        fill_socket(client)
        before = unacknowledged(client.connection.handle)
        assert before > 0
        read_exactly(client, before // 2)
        assert unacknowledged(client.connection.handle) < before
    with open(os.devnull, "rb") as file:
        assert unacknowledged(file) == 0  # type: ignore[arg-type]


def test_bytes_from_a_client_do_not_renew_the_write_timeout() -> None:
    with Harness(answering(lambda: Response(200, b"a" * 10**7))) as server:
        client = server.connect()
        client.send(request("/0"))
        server.clock.advance(59)
        write(client, request("/0"))
        server.run()
        server.clock.advance(1 + MOMENT)
        assert not server.context.connections


def test_a_client_that_does_not_read_100_continue_is_reset() -> None:
    with Harness(answering(lambda: Response(200, b"a" * 100_000))) as server:
        client = connect_tcp(server)
        asking = request("/post", "Content-Length: 1", "Expect: 100-continue", method="POST")
        client.send(request("/0") + asking)
        server.clock.advance(60 - MOMENT)
        assert server.context.connections
        server.clock.advance(2 * MOMENT)
        assert not server.context.connections
        assert read_until_reset(client)


def test_a_small_response_is_sent_to_a_slow_reader_in_parts() -> None:
    with Harness(answering(lambda: Response(200, b"a" * 50_000))) as server:
        client = server.connect()
        shrink_buffers(client)
        write(client, request("/0"))
        received = b""
        for _ in in_pieces(bytes(50_000), 500):
            server.clock.advance(1)
            data, _ = read_available(client)
            received += data
        client.received = received
        assert client.assert_responds().content == b"a" * 50_000
