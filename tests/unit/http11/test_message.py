"""Messages: requests, responses and live streams."""

import gzip

import pytest

from reactor.http11.head import HeadReader
from reactor.http11.headers import Headers
from reactor.http11.message import Head, LiveStream, Request, Response, reason_phrase
from reactor.http11.parser import Parser
from reactor.http11.serializer import ChunkSource, Serializer
from reactor.http11.target import Target
from reactor.routing import Router
from reactor.settings import Settings
from tests.support.in_process import Harness
from tests.unit.http11.deliver import get


def request_of(data: bytes) -> Request:
    parser = Parser(HeadReader(Settings()))
    parser.feed(data)
    request = parser.next_request()
    assert request is not None
    return request


def test_the_repr_of_a_request_has_method_and_target() -> None:
    request = request_of(b"GET /a%20b?c=d HTTP/1.1\r\nHost: x\r\nUser-Agent: y\r\n\r\n")
    assert (request.method, request.path, request.query, request.version) == (
        "GET",
        "/a%20b",
        "c=d",
        "HTTP/1.1",
    )
    assert request.headers["user-agent"] == "y"
    assert (request.params, request.content) == ({}, b"")
    assert repr(request) == "<Request GET /a%20b?c=d>"


def test_a_missing_query_is_empty() -> None:
    assert request_of(get()).query == ""
    assert request_of(get(target=b"/?")).query == ""
    assert request_of(get(target=b"/?")).target.query == ""
    assert request_of(get()).target.query is None


@pytest.mark.parametrize(
    ("status", "phrase"),
    [
        (200, "OK"),
        (404, "Not Found"),
        (413, "Content Too Large"),
        (416, "Range Not Satisfiable"),
        (799, "Unknown"),
    ],
)
def test_a_status_has_a_reason_phrase(status: int, phrase: str) -> None:
    assert reason_phrase(status) == phrase
    assert repr(Response(status)) == f"<Response {status} {phrase}>"


def test_a_text_response_is_utf_8() -> None:
    response = Response.text("caf\xe9", 201)
    assert (response.status, response.content) == (201, b"caf\xc3\xa9")
    assert ("Content-Type", "text/plain; charset=utf-8") in response.headers


def test_an_error_response_is_one_line_with_the_reason() -> None:
    response = Response.error(405, "no", (("Allow", "GET"),))
    assert (response.status, response.content) == (405, b"no\n")
    assert dict(response.headers) == {"Content-Type": "text/plain", "Allow": "GET"}


# LiveStream.


def test_a_live_stream_yields_sent_bytes_or_nothing() -> None:
    live = LiveStream()
    assert next(live) == b""
    assert live.send(b"a")
    assert live.send(b"bc")
    assert live.size == 3
    assert next(live) == b"abc"
    assert live.size == 0
    assert next(live) == b""


def test_a_closed_live_stream_yields_the_rest_and_ends() -> None:
    live = LiveStream()
    live.send(b"last")
    live.close()
    assert live.closed
    assert list(live) == [b"last"]
    with pytest.raises(StopIteration):
        next(live)


def test_a_live_stream_closed_without_bytes_is_empty() -> None:
    live = LiveStream()
    live.close()
    live.close()
    assert list(live) == []


def test_sending_after_close_fails() -> None:
    live = LiveStream()
    live.close()
    assert not live.send(b"late")
    assert live.size == 0
    assert list(live) == []


def test_a_live_stream_buffers_up_to_its_limit() -> None:
    live = LiveStream(limit=10)
    assert live.send(b"x" * 10)
    assert not live.send(b"y")
    assert live.send(b"")
    assert next(live) == b"x" * 10
    assert not live.send(b"y" * 11)
    assert live.send(b"y" * 9)
    assert not live.send(b"zz")
    assert live.send(b"z")
    assert next(live) == b"y" * 9 + b"z"


def test_each_change_calls_the_subscriber() -> None:
    live = LiveStream(limit=3)
    woken: list[str] = []
    assert live.subscribe(lambda: woken.append("woken"))
    live.send(b"abc")
    assert len(woken) == 1
    live.send(b"too much")
    assert len(woken) == 1
    live.close()
    assert len(woken) == 2


def stream_of(live: LiveStream, version: int) -> ChunkSource:
    head = Head(version, keep_alive=version == 1)
    _, body, _ = Serializer().serialize(
        Request("GET", Target("/", ("",)), head, Headers()), Response(200, live), version == 1, b"", 1000
    )
    assert isinstance(body, ChunkSource)
    assert body.live
    return body


@pytest.mark.parametrize(
    ("version", "pieces"), [(1, [b"", b"2\r\nhi\r\n", b"", b"0\r\n\r\n"]), (0, [b"", b"hi", b""])]
)
def test_a_live_stream_is_chunked_as_it_is_sent(version: int, pieces: list[bytes]) -> None:
    live = LiveStream()
    stream = stream_of(live, version)
    seen = [next(stream.chunks)]
    live.send(b"hi")
    seen += [next(stream.chunks), next(stream.chunks)]
    live.close()
    assert seen + list(stream.chunks) == pieces


def test_closing_a_live_stream_notifies_the_application() -> None:
    live = LiveStream()
    stream = stream_of(live, 1)
    woken: list[str] = []
    stream.subscribe(lambda: woken.append("woken"))
    live.send(b"a")
    assert woken == ["woken"]
    stream.close()
    assert live.closed
    assert not live.send(b"b")


# Responses whose end an HTTP/1.0 client can determine.

TEXT = b"so it goes, " * 10_000
CONTENTS: dict[str, bytes | list[bytes]] = {
    "bytes": TEXT,
    "few bytes": TEXT[:1000],
    "pieces": [TEXT[:1000], TEXT[1000:]],
    "nothing": b"",
}


@pytest.mark.parametrize("content", CONTENTS.values(), ids=CONTENTS.keys())
@pytest.mark.parametrize("coding", [b"identity", b"gzip"])
def test_an_http_1_0_response_ends_by_length_or_close(content: bytes | list[bytes], coding: bytes) -> None:
    routes = Router()
    routes.get("/text")(lambda request: Response(200, content, compress_min_size=0))
    with Harness(routes) as server:
        client = server.connect()
        client.send(
            b"GET /text HTTP/1.0\r\nConnection: keep-alive\r\nAccept-Encoding: " + coding + b"\r\n\r\n"
        )
        answer = client.assert_responds(200)
        assert "content-length" in answer.headers or client.closed
        assert answer.headers["connection"] == ("close" if client.closed else "keep-alive")
        expected = content if isinstance(content, bytes) else b"".join(content)
        compressed = answer.headers.get("content-encoding") == "gzip"
        assert not compressed or coding == b"gzip"
        assert (gzip.decompress(answer.content) if compressed else answer.content) == expected
