"""The write timeout: a client that reads nothing is reset; one that reads slowly is not."""

import logging
from collections.abc import Callable

import pytest

from reactor.http11.message import Response
from reactor.server.connection import Connection
from tests.support.in_process import Client, Harness
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
