"""Each timeout of a connection: nothing happens before it, and the state table's action right after it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reactor.handlers.files.store import Store
from reactor.http11.message import LiveStream, Response
from tests.support.files import open_uploads
from tests.support.in_process import Client, Harness
from tests.support.requests import RecordingSink, answering, posting, request

MOMENT = 0.01  # seconds


def assert_408(client: Client) -> None:
    answer = client.assert_responds(408)
    assert answer.headers["connection"] == "close"
    client.assert_closed()


def assert_passes_at(seconds: float, server: Harness, client: Client, then: Callable[[Client], None]) -> None:
    """Assert that nothing happens until a deadline ``seconds`` from now, and that ``then`` holds after it."""
    server.clock.advance(seconds - MOMENT)
    client.assert_open()
    server.clock.advance(2 * MOMENT)
    then(client)


def test_a_client_that_sends_nothing_is_closed_silently() -> None:
    with Harness() as server:
        assert_passes_at(20, server, server.connect(), Client.assert_closed)


def test_empty_lines_do_not_count_as_a_first_byte() -> None:
    with Harness() as server:
        client = server.connect()
        server.clock.advance(15)
        client.send(b"\r\n")
        assert_passes_at(5, server, client, Client.assert_closed)


def test_an_incomplete_head_gets_408_after_twenty_seconds() -> None:
    with Harness() as server:
        client = server.connect()
        server.clock.advance(19)
        client.send(b"G")
        assert_passes_at(20, server, client, assert_408)


def test_slow_bytes_do_not_extend_the_head_deadline() -> None:
    with Harness() as server:
        client = server.connect()
        head = request("/", "X: " + "a" * 100)
        for byte in head[:19]:
            client.send(bytes([byte]))
            server.clock.advance(1)
        client.send(head[19:-1])
        assert_passes_at(1, server, client, assert_408)


def test_a_head_completed_just_before_its_deadline_is_served() -> None:
    with Harness() as server:
        client = server.connect()
        client.send(request()[:-1])
        server.clock.advance(20 - MOMENT)
        client.send(request()[-1:])
        client.assert_responds(200)


@pytest.mark.parametrize("second", [request()[:1], request()[:-1]])
def test_the_head_of_a_later_request_has_its_own_deadline(second: bytes) -> None:
    with Harness() as server:
        client = server.connect()
        client.get("/")
        server.clock.advance(50)
        client.send(second)
        assert_passes_at(20, server, client, assert_408)


def test_a_pipelined_head_deadline_starts_at_the_previous_response() -> None:
    with Harness() as server:
        client = server.connect()
        client.send(request() + request()[:-1])
        client.assert_responds(200)
        assert_passes_at(20, server, client, assert_408)


def test_an_idle_connection_is_closed_silently_after_75_seconds() -> None:
    with Harness() as server:
        client = server.connect()
        client.get("/")
        assert_passes_at(75, server, client, Client.assert_closed)


def test_each_request_renews_the_keep_alive_timeout() -> None:
    with Harness() as server:
        client = server.connect()
        for _ in range(5):
            client.get("/")
            server.clock.advance(74)
        client.send(b"\r\n")
        assert_passes_at(1, server, client, Client.assert_closed)


@pytest.mark.parametrize("fields", ["Content-Length: 1000000", "Transfer-Encoding: chunked"])
def test_a_body_at_the_minimum_rate_is_accepted(fields: str) -> None:
    sink = RecordingSink()
    with Harness(posting(sink)) as server:
        client = server.connect()
        client.send(request("/post", fields, method="POST"))
        for _ in range(12):
            piece = b"a" * 10_000
            client.send(b"2710\r\n" + piece + b"\r\n" if "chunked" in fields else piece)
            server.clock.advance(20 + MOMENT)
            client.assert_open()
        assert sum(map(len, sink.pieces)) == 120_000


@pytest.mark.parametrize("windows_before", [0, 1, 5])
def test_a_body_one_byte_too_slow_gets_408_and_closes_its_sink(windows_before: int) -> None:
    sink = RecordingSink()
    with Harness(posting(sink)) as server:
        client = server.connect()
        client.send(request("/post", "Content-Length: 1000000", method="POST"))
        for _ in range(windows_before):
            client.send(b"a" * 10_000)
            server.clock.advance(20)
        client.send(b"a" * 9_999)
        assert_passes_at(20, server, client, assert_408)
        assert sink.times_closed == 1
        assert "finish" not in sink.steps


def test_slow_bytes_do_not_extend_the_body_window() -> None:
    with Harness(answering()) as server:
        client = server.connect()
        client.send(request("/post", "Content-Length: 1000000", method="POST"))
        for _ in range(19):
            server.clock.advance(1)
            client.send(b"a" * 100)
        assert_passes_at(1, server, client, assert_408)


def test_a_fast_start_does_not_offset_a_slow_end() -> None:
    with Harness(answering()) as server:
        client = server.connect()
        client.send(request("/post", "Content-Length: 1000000", method="POST") + b"a" * 900_000)
        server.clock.advance(20)
        client.assert_open()
        assert_passes_at(20, server, client, assert_408)


def test_chunk_lines_do_not_count_as_body() -> None:
    with Harness(answering()) as server:
        client = server.connect()
        client.send(request("/post", "Transfer-Encoding: chunked", method="POST"))
        for _ in range(100):
            client.send(b"1;" + b"x" * 150 + b"\r\na\r\n")
        assert_passes_at(20, server, client, assert_408)


def test_a_slow_upload_leaves_no_file(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    with Harness(store=store) as server:
        client = server.connect()
        client.send(request("/files/name", "Content-Length: 100", method="POST") + b"a" * 99)
        assert open_uploads(tmp_path)
        assert_passes_at(20, server, client, assert_408)
        assert not open_uploads(tmp_path)
        assert list(tmp_path.iterdir()) == []
    store.close()


def test_the_body_timeout_starts_at_100_continue() -> None:
    with Harness(answering()) as server:
        client = server.connect()
        client.send(request("/post", "Content-Length: 1", "Expect: 100-continue", method="POST"))
        client.assert_responds(100)
        assert_passes_at(20, server, client, assert_408)


def test_an_idle_live_stream_has_no_deadline() -> None:
    stream = LiveStream()
    with Harness(answering(lambda: Response(200, stream))) as server:
        client = server.connect()
        client.send(request("/0"))
        server.clock.advance(10**6)
        assert not stream.closed
        stream.send(b"at last")
        stream.close()
        assert client.assert_responds().content == b"at last"


def test_a_refused_client_is_closed_after_the_linger_timeout() -> None:
    with Harness() as server:
        client = server.connect()
        client.send(b"hello\r\n\r\n")
        client.assert_responds(400)
        server.clock.advance(4)
        client.send(b"bytes that do not extend it")
        server.clock.advance(1 - MOMENT)
        assert server.context.connections
        server.clock.advance(2 * MOMENT)
        assert not server.context.connections


@pytest.mark.parametrize(
    ("setting", "data", "then"),
    [
        ("first_octet_timeout", b"", Client.assert_closed),
        ("head_timeout", b"G", assert_408),
        ("keep_alive_timeout", request(), Client.assert_closed),
        ("content_timeout", request("/post", "Content-Length: 9", method="POST"), assert_408),
    ],
)
def test_configured_timeouts_apply(setting: str, data: bytes, then: Callable[[Client], None]) -> None:
    routes = answering()
    routes.get("/")(lambda _: Response())
    settings: dict[str, Any] = {setting: 3.0}
    with Harness(routes, **settings) as server:
        client = server.connect()
        client.send(data)
        client.responses()
        assert_passes_at(3, server, client, then)


def test_the_configured_minimum_rate_applies() -> None:
    with Harness(answering(), min_rate=0) as server:
        client = server.connect()
        client.send(request("/post", "Content-Length: 1", method="POST"))
        for _ in range(10):
            server.clock.advance(1000)
        client.send(b"a")
        client.assert_responds(200)


def test_deadlines_of_many_connections_are_independent() -> None:
    with Harness() as server:
        clients = []
        for _ in range(50):
            clients.append(server.connect())
            server.clock.advance(0.1)
        server.clock.advance(20 - 0.1 * 50 - MOMENT)
        for client in clients:
            client.assert_open()
            server.clock.advance(2 * MOMENT)
            client.assert_closed()
            server.clock.advance(0.1 - 2 * MOMENT)
