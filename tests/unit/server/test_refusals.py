"""A request that cannot be accepted gets a response with the reason before the connection closes."""

import logging
import re
from collections.abc import Iterator
from contextlib import closing

import pytest

from reactor.handlers.files.store import Store
from reactor.http11.deferred import Deferred
from reactor.http11.message import Request
from reactor.http11.results import Result
from tests.conformance.corpus.build import read_corpus
from tests.conformance.corpus.entry import Entry
from tests.support.in_process import Answer, Client, Harness
from tests.support.requests import CANARY, RecordingSink, answering, chunks, connect_tcp, posting, request


def head(*lines: bytes, first: bytes = b"GET / HTTP/1.1", host: bytes = b"Host: test") -> bytes:
    return b"".join(line + b"\r\n" for line in (first, host, *lines) if line) + b"\r\n"


def post(*lines: bytes, version: bytes = b"HTTP/1.1") -> bytes:
    return head(*lines, first=b"POST /post " + version)


CHUNKED = b"Transfer-Encoding: chunked"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with closing(Store(tmp_path_factory.mktemp("empty"))) as store:
        yield store


REFUSALS = [entry for entry in read_corpus() if entry.request is None and entry.status is not None]


def assert_refusal(answer: Answer, status: int | None) -> None:
    assert answer.status == status
    assert answer.headers["connection"] == "close"
    assert answer.headers["content-type"].startswith("text/plain")
    assert re.fullmatch(rb"[\x20-\x7e]+\n", answer.content), answer.content


def assert_draining(client: Client) -> None:
    """Assert that the server sends nothing more, and reads until the client closes."""
    client.assert_closed()
    for _ in range(3):
        client.send(b"a" * 10_000)
    client.send(CANARY)
    assert client.sock.recv(1) == b"", "the server sent more than one response"
    assert client.server.context.connections
    client.half_close()
    assert not client.server.context.connections


# That every delivery is refused, and nothing after it is answered, is tested in conformance/corpus.
@pytest.mark.parametrize("entry", REFUSALS, ids=lambda entry: entry.name)
def test_a_refused_request_is_answered_with_the_logged_reason(
    entry: Entry, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="reactor")
    with Harness(store=store) as server:
        client = connect_tcp(server)
        client.send(request("/echo/before") + entry.data)
        before, answer = client.responses()
        assert before.content == b"before"
        assert_refusal(answer, entry.status)
        reason = answer.content.decode().rstrip("\n")
        assert [r.getMessage() for r in caplog.records] == [f"c1: {entry.status} {reason}"]
        assert_draining(client)


UNEXPECTED_PROXY = "unexpected PROXY header (see --proxy-protocol and --trusted-proxy)"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\x16\x03\x01\x00\x05\x01\x00\x00\r\n\r\n", "TLS handshake on a plain HTTP port (use http://)"),
        (b"\r\n\r\n\0\r\nQUIT\n!\x11\0\x0c", UNEXPECTED_PROXY),
        (b"PROXY TCP4 192.0.2.7 192.0.2.1 1 2\r\n" + head(), UNEXPECTED_PROXY),
        (b"PROXY UNKNOWN\r\n" + head(), UNEXPECTED_PROXY),
        (b"PROXY x HTTP/1.1\r\n", "invalid request target"),
        (b"GET /\0 HTTP/1.1\r\n", "bare CR, bare LF or NUL in the request head"),
        (b"GET /\0 HTTP/1.1\r\nHost: x\r\n\r\n", "bare CR, bare LF or NUL in the request head"),
        (b"CONNECT x:80\0 HTTP/1.1\r\nHost: x\r\n\r\n", "bare CR, bare LF or NUL in the request head"),
        (b"GET / HTTP/1.1\r\nA: \n", "bare CR, bare LF or NUL in the request head"),
        (post(CHUNKED) + b"0\r\n\0\r\n", "bare CR, bare LF or NUL in the trailer section"),
        (post(CHUNKED) + b"0\r\nA: \0\r\n", "bare CR, bare LF or NUL in the trailer section"),
    ],
)
def test_a_stray_control_character_is_named_by_its_place(data: bytes, reason: str) -> None:
    with Harness(answering()) as server:
        client = server.connect()
        client.send(data)
        assert client.assert_responds(400).content.decode() == f"{reason}\n"


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"\r\n\r\n" + head(), id="empty lines before it"),
        pytest.param(head(first=b"GET / HTTP/1.2"), id="another minor version"),
        pytest.param(head(host=b"Host:"), id="empty Host"),
        pytest.param(head(host=b"Host: [::1]:80"), id="Host with an address"),
        pytest.param(head(b"X: \xe9"), id="obs-text"),
        pytest.param(head(b"X:\t1 \t"), id="white space around a value"),
        pytest.param(head(b"X:"), id="empty value"),
        pytest.param(head(host=b"", first=b"GET / HTTP/1.0"), id="HTTP/1.0 without Host"),
        pytest.param(head(b"Content-Length: 00"), id="zeros before Content-Length"),
        pytest.param(head(b"EXPECT: 100-Continue"), id="expectation in capitals"),
        pytest.param(post(CHUNKED).replace(b"/post", b"/post?%41") + b"0\r\n\r\n", id="query"),
    ],
)
def test_unusual_valid_requests_are_accepted(data: bytes) -> None:
    routes = answering()
    routes.get("/")(lambda _: routes.resolve("GET", ["canary"])[0].handler(_))
    with Harness(routes) as server:
        client = server.connect()
        client.send(data)
        client.assert_responds(200)


def test_chunk_extensions_and_trailers_are_checked_and_ignored() -> None:
    routes = answering()
    seen: list[Request] = []
    answer = routes.resolve("POST", ["post"])[0].handler

    @routes.post("/seen")
    def see(request: Request) -> Result | Deferred:
        seen.append(request)
        return answer(request)

    with Harness(routes) as server:
        client = server.connect()
        client.send(request("/seen", "Transfer-Encoding: CHUNKED", method="POST"))
        client.send(b'5;a;b=1 ; c="x;\\"y"\r\nhello\r\n0;last\r\nX: 1\r\nHost: other\r\n\r\n')
        assert client.assert_responds(200).content == b"hello"
        assert "x" not in seen[0].headers
        assert seen[0].headers["host"] == "test"
        assert client.get("/canary").status == 200


@pytest.mark.parametrize("steps", [chunks(b"hello")[:9] + b"x", b"z\r\n"])
def test_a_body_with_invalid_framing_closes_its_sink_once(steps: bytes) -> None:
    sink = RecordingSink()
    with Harness(posting(sink)) as server:
        client = server.connect()
        client.send(post(CHUNKED))
        client.send(steps)
        assert_refusal(client.assert_responds(400), 400)
        assert sink.times_closed == 1
        assert "finish" not in sink.steps


def test_a_refused_large_upload_is_not_reset() -> None:
    with Harness() as server:
        client = connect_tcp(server)
        client.send(request("/", "Content-Length: 1000000", method="POST"))
        for _ in range(100):
            client.send(b"a" * 10_000)
        assert_refusal(client.assert_responds(405), 405)
        client.assert_closed()
        assert not client.was_reset


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"HEAD / HTTP/1.1\r\nHost: a\r\nExpect: foo\r\n\r\n", 417),
        (b"HEAD https://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 421),
        (b"HEAD / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
        (b"HEAD / HTTP/1.1\r\nHost: a\r\n" + b"A: b\r\n" * 120 + b"\r\n", 431),
        (b"HEAD / HTTP/1.1\r\n\r\n", 400),
        (b"HEAD / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
        (b"HEAD /%ff HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"HEAD /" + b"a" * 9000, 414),
        (b"HEAD / HTTP/1.1\r\nHost: a\n", 400),
        (b"HEAD /none HTTP/1.1\r\nHost: a\r\n\r\n", 404),
    ],
    ids=lambda value: value if isinstance(value, int) else None,
)
def test_the_refusal_of_head_has_no_body(head: bytes, status: int) -> None:
    with Harness() as server:
        client = server.connect()
        client.send(head)
        received = client.read()
        assert received.startswith(b"HTTP/1.1 %d " % status)
        assert received.endswith(b"\r\n\r\n")
        assert b"Content-Length: 0" not in received


def test_a_timed_out_head_request_is_refused_without_a_body() -> None:
    with Harness() as server:
        client = server.connect()
        client.send(b"HEAD / HTTP/1.1\r\nHost: a")
        server.clock.advance(21)
        received = client.read()
        assert received.startswith(b"HTTP/1.1 408 ")
        assert received.endswith(b"\r\n\r\n")


def test_a_tls_handshake_is_answered_with_a_hint() -> None:
    with Harness() as server:
        client = server.connect()
        client.send(bytes.fromhex("16030102000100") + bytes(100))
        assert client.assert_responds(400).content == b"TLS handshake on a plain HTTP port (use http://)\n"
        client.assert_closed()
