"""A request that cannot be accepted gets a response with the reason before the connection closes."""

import logging
import re

import pytest

from reactor.http11.message import Request, Response
from tests.support.in_process import Answer, Client, Harness
from tests.support.malformed import MALFORMED_LENGTHS
from tests.support.requests import CANARY, RecordingSink, answering, chunks, connect_tcp, posting, request


def head(*lines: bytes, first: bytes = b"GET / HTTP/1.1", host: bytes = b"Host: test") -> bytes:
    return b"".join(line + b"\r\n" for line in (first, host, *lines) if line) + b"\r\n"


def post(*lines: bytes, version: bytes = b"HTTP/1.1") -> bytes:
    return head(*lines, first=b"POST /post " + version)


def target(data: bytes) -> bytes:
    return head(first=b"GET " + data + b" HTTP/1.1")


CHUNKED = b"Transfer-Encoding: chunked"
REFUSALS = [
    # RFC 9112, 6.1 and 6.3: the framing is ambiguous.
    ("Content-Length and Transfer-Encoding", post(b"Content-Length: 5", CHUNKED), 400),
    ("Transfer-Encoding and Content-Length", post(CHUNKED, b"Content-Length: 0"), 400),
    ("differing Content-Length", post(b"Content-Length: 5", b"Content-Length: 6"), 400),
    *(
        (f"Content-Length: {name}", post(b"Content-Length: " + value), 400)
        for name, (_, value) in MALFORMED_LENGTHS.items()
    ),
    ("unknown transfer coding", post(b"Transfer-Encoding: zip"), 501),
    ("identity", post(b"Transfer-Encoding: identity"), 501),
    ("a name that only begins as chunked", post(b"Transfer-Encoding: chunkedx"), 501),
    ("a coding before chunked", post(b"Transfer-Encoding: gzip, chunked"), 501),
    ("chunked not last", post(b"Transfer-Encoding: chunked, gzip"), 400),
    ("chunked not last, in two lines", post(CHUNKED, b"Transfer-Encoding: gzip"), 400),
    ("chunked twice", post(b"Transfer-Encoding: chunked, chunked"), 400),
    ("chunked twice, in two lines", post(CHUNKED, CHUNKED), 400),
    ("empty Transfer-Encoding", post(b"Transfer-Encoding:"), 400),
    ("Transfer-Encoding in HTTP/1.0", post(CHUNKED, version=b"HTTP/1.0"), 400),
    # RFC 9112, 5: field lines.
    ("space before the colon", head(b"X : 1"), 400),
    ("tab before the colon", head(b"X\t: 1"), 400),
    ("space before Content-Length's colon", post(b"Content-Length : 5"), 400),
    ("obs-fold", head(b"X: 1", b" 2"), 400),
    ("obs-fold with a tab", head(b"X: 1", b"\t2"), 400),
    ("obs-fold in the first line", head(b" X: 1", host=b""), 400),
    ("no colon", head(b"X"), 400),
    ("empty field name", head(b": 1"), 400),
    ("field name that is no token", head(b"X(: 1"), 400),
    ("field name in other letters", head(b"\xe9: 1"), 400),
    ("bare CR in a value", head(b"X: 1\r2"), 400),
    ("bare LF in a value", head(b"X: 1\n2"), 400),
    ("bare LF and a line", head(b"X: 1\nContent-Length: 5"), 400),
    ("NUL in a value", head(b"X: 1\x002"), 400),
    ("escape in a value", head(b"X: 1\x1b2"), 400),
    ("delete in a value", head(b"X: 1\x7f2"), 400),
    ("lines that end in LF", b"GET / HTTP/1.1\nHost: test\n\n", 400),
    # RFC 9110, 7.2 and RFC 9112, 3.2: Host.
    ("no Host", head(host=b""), 400),
    ("no Host, with an absolute-form", head(first=b"GET http://test/ HTTP/1.1", host=b""), 400),
    ("Host twice", head(b"Host: test"), 400),
    ("Host twice, one empty", head(b"Host:"), 400),
    ("Host with user information", head(host=b"Host: me@test"), 400),
    ("Host with a path", head(host=b"Host: test/"), 400),
    ("Host with a comma", head(host=b"Host: a,b"), 400),
    ("Host with a space", head(host=b"Host: a b"), 400),
    ("Host with a port that is no number", head(host=b"Host: test:8o"), 400),
    ("Host with a half address", head(host=b"Host: [::1"), 400),
    ("Host with a false address", head(host=b"Host: [::g]"), 400),
    ("malformed Host in HTTP/1.0", head(first=b"GET / HTTP/1.0", host=b"Host: a b"), 400),
    # RFC 9112, 3: request lines.
    ("no request line", b"hello\r\n\r\n", 400),
    ("no version", head(first=b"GET /"), 400),
    ("no target", head(first=b"GET HTTP/1.1"), 400),
    ("two spaces", head(first=b"GET  / HTTP/1.1"), 400),
    ("space at the end", head(first=b"GET / HTTP/1.1 "), 400),
    ("space at the beginning", head(first=b" GET / HTTP/1.1"), 400),
    ("tab between", head(first=b"GET\t/\tHTTP/1.1"), 400),
    ("method that is no token", head(first=b"G@T / HTTP/1.1"), 400),
    ("version in small letters", head(first=b"GET / http/1.1"), 400),
    ("version with two digits", head(first=b"GET / HTTP/1.10"), 400),
    ("version without a minor one", head(first=b"GET / HTTP/1"), 400),
    ("another protocol", head(first=b"GET / ICY/1.1"), 400),
    ("HTTP/2.0", head(first=b"GET / HTTP/2.0"), 505),
    ("HTTP/0.9", head(first=b"GET / HTTP/0.9"), 505),
    ("HTTP/3.1", head(first=b"GET / HTTP/3.1"), 505),
    ("preface of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    ("too many empty lines", b"\r\n" * 50 + head(), 400),
    # RFC 9112, 3.2: targets.
    ("target without a slash", target(b"echo"), 400),
    ("asterisk-form with GET", target(b"*"), 400),
    ("authority-form with GET", target(b"test:80"), 400),
    ("fragment", target(b"/#a"), 400),
    ("byte over 127", target(b"/\xe9"), 400),
    ("quote", target(b'/"'), 400),
    ("NUL in the target", target(b"/\x00"), 400),
    ("percent and nothing", target(b"/%"), 400),
    ("percent and one digit", target(b"/%4"), 400),
    ("percent and no digits", target(b"/%zz"), 400),
    ("malformed percent in the query", target(b"/?%4"), 400),
    ("other scheme", target(b"ftp://test/"), 400),
    ("absolute-form without a host", target(b"http:///"), 400),
    ("absolute-form with user information", target(b"http://me@test/"), 400),
    # RFC 9112, 7.1: the chunked coding.
    ("chunk size with a plus", post(CHUNKED) + b"+5\r\nhello\r\n0\r\n\r\n", 400),
    ("chunk size with a minus", post(CHUNKED) + b"-5\r\nhello\r\n0\r\n\r\n", 400),
    ("chunk size with 0x", post(CHUNKED) + b"0x5\r\nhello\r\n0\r\n\r\n", 400),
    ("chunk size with an underscore", post(CHUNKED) + b"0_5\r\nhello\r\n0\r\n\r\n", 400),
    ("chunk size over 16 digits", post(CHUNKED) + b"0" * 16 + b"5\r\nhello\r\n0\r\n\r\n", 400),
    ("chunk size with a space before it", post(CHUNKED) + b" 5\r\nhello\r\n0\r\n\r\n", 400),
    ("chunk size with a space behind it", post(CHUNKED) + b"5 \r\nhello\r\n0\r\n\r\n", 400),
    ("empty chunk size", post(CHUNKED) + b"\r\nhello\r\n0\r\n\r\n", 400),
    ("chunk size that ends in LF", post(CHUNKED) + b"5\nhello\r\n0\r\n\r\n", 400),
    ("chunk without CRLF", post(CHUNKED) + b"5\r\nhello0\r\n\r\n", 400),
    ("chunk longer than it says", post(CHUNKED) + b"4\r\nhello\r\n0\r\n\r\n", 400),
    ("malformed chunk extension", post(CHUNKED) + b"5;a b\r\nhello\r\n0\r\n\r\n", 400),
    ("LF in a chunk extension", post(CHUNKED) + b"5;a\nb\r\nhello\r\n0\r\n\r\n", 400),
    ("endless chunk extension", post(CHUNKED) + b"5;" + b"a" * 2000 + b"\r\nhello\r\n0\r\n\r\n", 400),
    ("malformed trailer", post(CHUNKED) + b"0\r\nX : 1\r\n\r\n", 400),
    ("folded trailer", post(CHUNKED) + b"0\r\nX: 1\r\n 2\r\n\r\n", 400),
    ("too many trailers", post(CHUNKED) + b"0\r\n" + b"X: 1\r\n" * 101 + b"\r\n", 431),
    # RFC 9110, 10.1.1.
    ("another expectation", head(b"Expect: a miracle"), 417),
]
EACH_REFUSAL = pytest.mark.parametrize(
    ("data", "status"), [pytest.param(data, status, id=name) for name, data, status in REFUSALS]
)


def assert_refusal(answer: Answer, status: int) -> None:
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


@EACH_REFUSAL
def test_a_refused_request_is_answered_with_the_logged_reason(
    data: bytes, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="reactor")
    with Harness(answering()) as server:
        client = connect_tcp(server)
        client.send(data)
        answers = client.responses()
        assert len(answers) == 1
        assert_refusal(answers[0], status)
        reason = answers[0].content.decode().rstrip("\n")
        assert [r.getMessage() for r in caplog.records] == [f"c1: {status} {reason}"]
        assert_draining(client)


@EACH_REFUSAL
def test_requests_after_a_refused_one_are_not_answered(data: bytes, status: int) -> None:
    with Harness(answering()) as server:
        client = server.connect()
        client.send(data + CANARY * 3)
        client.send(CANARY)
        assert_refusal(client.assert_responds(status), status)
        assert_draining(client)


@EACH_REFUSAL
def test_a_request_is_refused_byte_by_byte_and_pipelined(data: bytes, status: int) -> None:
    with Harness(answering()) as server:
        client = server.connect()
        client.send(CANARY)
        for byte in data:
            client.send(bytes([byte]))
        client.send(CANARY)
        assert [answer.status for answer in client.responses()] == [200, status]
        client.assert_closed()


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(target(b"/echo/%00"), id="NUL"),
        pytest.param(target(b"/echo/%ff"), id="broken UTF-8"),
        pytest.param(target(b"/echo/%c3"), id="half of a character"),
        pytest.param(target(b"/echo/%ed%a0%80"), id="surrogate"),
        pytest.param(target(b"/echo/%c0%af"), id="overlong slash"),
    ],
)
def test_an_invalid_percent_escape_is_answered(data: bytes) -> None:
    with Harness() as server:
        client = server.connect()
        client.send(data)
        answers = client.responses()
        assert [answer.status in (400, 404) for answer in answers] == [True]


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
    def see(request: Request) -> Response:
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
