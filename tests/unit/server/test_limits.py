"""Each limit on a request: the largest size that is accepted, and one byte more."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from reactor.http11.message import Content, FileSlice, Response
from tests.support.in_process import Client, Harness
from tests.support.requests import (
    RecordingSink,
    answering,
    chunks,
    connect_tcp,
    posting,
    read_available,
    request,
    write,
)


def with_request_line_of(length: int) -> bytes:
    return request("/echo/" + "a" * (length - len("GET /echo/ HTTP/1.1")))


def with_field_line_of(length: int) -> bytes:
    return request("/", "X: " + "a" * (length - len("X: ")))


def with_fields(count: int) -> bytes:
    return request("/", *(f"X-{number}: {number}" for number in range(count - 1)))


def assert_refused(client: Client, status: int) -> None:
    answer = client.assert_responds(status)
    assert answer.headers["connection"] == "close"
    client.assert_closed()


# The default limits of a head are tested in conformance/corpus, with every delivery.


@pytest.mark.parametrize(
    ("setting", "make", "status"),
    [
        ("max_request_line", with_request_line_of, 414),
        ("max_field_line", with_field_line_of, 431),
        ("max_head", with_field_line_of, 431),
        ("max_fields", with_fields, 431),
    ],
)
def test_the_configured_limit_applies(setting: str, make: Callable[[int], bytes], status: int) -> None:
    settings: dict[str, Any] = {setting: 64}
    with Harness(**settings) as server:
        server.connect().get("/")
        client = server.connect()
        client.send(make(65))
        assert_refused(client, status)


def test_a_body_at_the_limit_is_accepted() -> None:
    with Harness(answering(), max_body=1000) as server:
        client = server.connect()
        client.send(request("/post", method="POST", content=b"a" * 1000))
        assert client.assert_responds(200).content == b"a" * 1000


def test_a_body_over_the_limit_is_refused_before_reading() -> None:
    sink = RecordingSink()
    with Harness(posting(sink), max_body=1000) as server:
        client = server.connect()
        client.send(request("/post", "Content-Length: 1001", method="POST"))
        client.assert_responds(413)
        assert sink.steps == []


@pytest.mark.parametrize("digits", ["1073741825", "9" * 18, "9" * 19, "9" * 5000])
def test_a_body_over_the_default_limit_is_refused(digits: str) -> None:
    sink = RecordingSink()
    with Harness(posting(sink)) as server:
        client = server.connect()
        client.send(request("/post", f"Content-Length: {digits}", method="POST"))
        assert_refused(client, 413)
        assert sink.steps == []


def test_a_body_of_1_gib_is_within_the_default_limit() -> None:
    sink = RecordingSink()
    with Harness(posting(sink)) as server:
        client = server.connect()
        client.send(request("/post", "Content-Length: 1073741824", method="POST") + b"a")
        client.assert_open()
        assert sink.pieces == [b"a"]


def test_a_chunked_body_at_the_limit_is_accepted() -> None:
    with Harness(answering(), max_body=1000) as server:
        client = server.connect()
        client.send(request("/post", "Transfer-Encoding: chunked", method="POST"))
        client.send(chunks(b"a" * 400, b"b" * 600))
        assert client.assert_responds(200).content == b"a" * 400 + b"b" * 600


def test_a_chunked_body_over_the_limit_is_refused() -> None:
    sink = RecordingSink()
    with Harness(posting(sink), max_body=1000) as server:
        client = server.connect()
        client.send(request("/post", "Transfer-Encoding: chunked", method="POST"))
        client.send(chunks(b"a" * 400, b"b" * 601))
        assert_refused(client, 413)
        assert b"".join(sink.pieces) in (b"", b"a" * 400)
        assert sink.times_closed == 1


def test_a_body_kept_in_memory_is_bounded() -> None:
    with Harness(answering()) as server:
        client = connect_tcp(server)
        client.send(request("/post", "Transfer-Encoding: chunked", method="POST"))
        for _ in range(17):
            client.send(b"10000\r\n" + b"a" * 65536 + b"\r\n")
        client.assert_responds(413)
        client.assert_closed()
        assert not client.was_reset


def test_a_turn_reads_at_most_its_share() -> None:
    sink = RecordingSink()
    with Harness(posting(sink), turn_read=100) as server:
        client = server.connect()
        write(client, request("/post", method="POST", content=b"a" * 1000))
        for taken in range(1, 4):
            server.reactor.turn()
            assert sum(map(len, sink.pieces)) <= 100 * taken
        assert sink.pieces, "three turns did not reach the body"
        client.assert_responds(200)


@pytest.mark.parametrize("share", [1, 100, 1000])
@pytest.mark.parametrize("kind", ["whole", "stream", "small chunks", "file"])
def test_a_turn_sends_at_most_its_share(kind: str, share: int, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"a" * 10_000)

    def respond() -> Response:
        contents: dict[str, Content] = {
            "whole": b"a" * 10_000,
            "stream": [b"a" * 10_000],
            "small chunks": [b"a" * 10] * 1000,
        }
        if kind == "file":
            return Response(200, FileSlice(open(tmp_path / "file", "rb"), 0, 10_000))
        return Response(200, contents[kind])

    with Harness(answering(respond), turn_send=share) as server:
        client = server.connect()
        write(client, request("/0"))
        received = b""
        for _ in range(5):
            server.reactor.turn()
            data, _ = read_available(client)
            assert 0 < len(data) <= share
            received += data
        client.received = received
        assert client.assert_responds(200).content == b"a" * 10_000


def test_a_turn_compresses_at_most_its_share() -> None:
    # Zeros compress to almost nothing: many slices are read before the first byte of output.
    given = 0

    def pieces() -> Iterator[bytes]:
        nonlocal given
        for _ in range(50):
            given += 1
            yield bytes(1000)

    routes = answering(lambda: Response(200, pieces(), compress_min_size=0))
    with Harness(routes, turn_compress=1000) as server:
        client = server.connect()
        write(client, request("/0", "Accept-Encoding: gzip"))
        before = 0
        for _ in range(10):
            server.reactor.turn()
            assert given - before <= 2  # a slice, and at most one check for the next
            before = given
        assert server.run()
        client.assert_responds(200)
        assert given == 50
