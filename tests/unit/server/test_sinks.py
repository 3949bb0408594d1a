"""A sink is closed once, however its request ends."""

import tracemalloc
from collections.abc import Callable
from typing import NoReturn

import pytest

from reactor.http11.errors import HTTPError
from reactor.http11.headers import Headers
from reactor.http11.message import Head, HeaderPairs, Request, Response
from reactor.http11.target import Target
from reactor.routing import DEFAULT_SINKS, InterimSink, Router, SinkFactory, buffered, discard
from reactor.server.state import State
from tests.support.in_process import Client, Harness
from tests.support.requests import CANARY, RecordingSink, chunks, posting, request, shrink_buffers


@pytest.mark.parametrize("fails_at", ["open", "write", "finish"])
def test_a_sink_that_fails_is_a_500_and_closed_once(fails_at: str, caplog: pytest.LogCaptureFixture) -> None:
    sink = RecordingSink(fails_at)
    with Harness(posting(sink)) as server:
        client = server.connect()
        client.send(request("/post", method="POST", content=b"hello") + CANARY)
        assert b"secret" not in client.assert_responds(500).content
        client.assert_closed()
        assert sink.times_closed == (fails_at != "open")
        assert f"the secret of {fails_at}" in caplog.text
        server.connect().get("/canary")


def disconnect(client: Client) -> None:
    client.close()


def break_framing(client: Client) -> None:
    client.send(b"zz\r\n")


def time_out(client: Client) -> None:
    client.server.clock.advance(21)


def complete(client: Client) -> None:
    client.send(chunks(b"hello"))


def abort(client: Client) -> None:
    client.connection.abort()


@pytest.mark.parametrize("end", [disconnect, Client.half_close, break_framing, time_out, complete, abort])
def test_a_sink_is_closed_exactly_once(end: Callable[[Client], None]) -> None:
    sink = RecordingSink()
    with Harness(posting(sink)) as server:
        client = server.connect()
        client.send(request("/post", "Transfer-Encoding: chunked", method="POST") + b"5\r\nhello\r\n")
        assert sink.times_closed == 0
        end(client)
        assert sink.times_closed == 1
        assert sink.steps[-1] == "close"
        server.clock.advance(1000)
    assert sink.times_closed == 1


def test_a_sink_is_closed_once_when_the_handler_fails() -> None:
    sink = RecordingSink()
    routes = Router()
    routes.post("/post", sink=sink.open)(lambda request: Response(request.nothing))
    with Harness(routes) as server:
        client = server.connect()
        client.send(request("/post", method="POST", content=b"hello"))
        client.assert_responds(500)
        assert sink.steps == ["open", "write", "finish", "close"]


@pytest.mark.parametrize(
    "lines", [["Content-Length: 0"], [], ["Connection: close"], ["Expect: 100-continue"]]
)
def test_a_sink_is_opened_for_a_request_without_a_body(lines: list[str]) -> None:
    sink = RecordingSink()
    with Harness(posting(sink)) as server:
        client = server.connect()
        client.send(request("/post", *lines, method="POST"))
        assert client.assert_responds().content == b""
        assert sink.steps == ["open", "finish", "close"]


@pytest.mark.parametrize("fails_at", ["open", "finish"])
def test_a_failing_sink_without_a_body_is_a_500(fails_at: str) -> None:
    sink = RecordingSink(fails_at)
    with Harness(posting(sink)) as server:
        client = server.connect()
        client.send(request("/post", method="POST") + CANARY)
        client.assert_responds(500)
        client.assert_closed()
        assert sink.times_closed == (fails_at != "open")


class Result:
    """The result of a sink that is not bytes."""


@pytest.mark.parametrize("made", [b"kept", b"", Result(), None, "text"])
def test_bytes_of_a_sink_are_the_content_and_other_results_the_upload(made: object) -> None:
    class Sink(RecordingSink):
        def finish(self) -> object:  # type: ignore[override]
            return made

    requests: list[Request] = []

    def keep(request: Request) -> Response:
        requests.append(request)
        return Response()

    routes = Router()
    routes.post("/post", sink=Sink().open)(keep)
    with Harness(routes) as server:
        client = server.connect()
        client.send(request("/post", method="POST", content=b"hello"))
        client.assert_responds()
    content, upload = (made, None) if isinstance(made, bytes) else (b"", made)
    assert (requests[0].content, requests[0].upload) == (content, upload)


class InformingSink(RecordingSink, InterimSink):
    """A sink with an interim response, or without."""

    def __init__(self, interim: tuple[int, HeaderPairs] | None) -> None:
        super().__init__()
        self.interim = interim


@pytest.mark.parametrize(
    ("interim", "version", "expected"),
    [
        ((104, (("A", "b"),)), "HTTP/1.1", [104]),
        ((104, (("A", "b"),)), "HTTP/1.0", []),
        (None, "HTTP/1.1", []),
    ],
)
def test_a_sink_has_an_interim_response_sent_before_the_body(
    interim: tuple[int, HeaderPairs] | None, version: str, expected: list[int]
) -> None:
    with Harness(posting(InformingSink(interim))) as server:
        client = server.connect()
        client.send(request("/post", "Content-Length: 5", method="POST", version=version))
        assert [answer.status for answer in client.responses()] == expected
        client.send(b"hello")
        assert client.assert_responds(200).content == b"hello"


class CountingSink(RecordingSink, InterimSink):
    """A sink that reports the number of bytes after each write."""

    interim: tuple[int, HeaderPairs] | None = None

    def write(self, data: bytes) -> None:
        super().write(data)
        self.interim = (104, (("Count", str(sum(map(len, self.pieces)))),))


@pytest.mark.parametrize("version", ["HTTP/1.1", "HTTP/1.0"])
def test_interim_responses_are_sent_while_the_body_is_received(version: str) -> None:
    with Harness(posting(CountingSink())) as server:
        client = server.connect()
        client.send(request("/post", "Content-Length: 5", method="POST", version=version))
        client.assert_open()
        for count in range(1, 5):
            client.send(b"a")
            answers = client.responses()
            expected = [str(count)] if version == "HTTP/1.1" else []
            assert [answer.headers["count"] for answer in answers] == expected
        client.send(b"a")
        assert client.assert_responds(200).content == b"aaaaa"


@pytest.mark.parametrize("turn_requests", [1, 64])
@pytest.mark.parametrize("count", [1, 200])
def test_a_client_may_read_interim_responses_after_it_sent_the_body(turn_requests: int, count: int) -> None:
    piece = b"\r\na\r\n1" * count  # ends in the middle of a chunk
    with Harness(posting(CountingSink()), turn_requests=turn_requests) as server:
        client = server.connect()
        shrink_buffers(client)
        client.send(request("/post", "Transfer-Encoding: chunked", method="POST") + b"1")
        for _ in range(200):
            client.send(piece)
        assert 0 < client.connection.unsent < 100  # one interim response
        assert client.connection.state is State.RECEIVING_CONTENT
        client.send(piece[:-1] + b"0\r\n\r\n" + CANARY)
        *answers, last, canary = client.responses()
        assert (last.status, len(last.content)) == (200, 201 * count)
        assert canary.content == b"the canary sings"
    counts = [int(answer.headers["count"]) for answer in answers]
    assert 1 < len(counts) < 100
    assert counts == sorted(counts)


def test_without_room_an_interim_response_waits_for_the_client() -> None:
    with Harness(posting(CountingSink()), low_water=0) as server:
        client = server.connect()
        shrink_buffers(client)
        client.send(request("/post", "Content-Length: 200", method="POST"))
        sent = 0
        while client.connection.state is State.RECEIVING_CONTENT:
            client.send(b"a")
            sent += 1
        assert client.connection.state.name == "RESPONDING"
        client.responses()
        assert client.connection.state.name == "RECEIVING_CONTENT"
        for _ in range(200 - sent):
            client.send(b"a")
            *_, last = client.responses()
        assert last.content == b"a" * 200


@pytest.mark.parametrize("lines", [["Content-Length: 11"], ["Transfer-Encoding: chunked"]])
@pytest.mark.parametrize("factory", [buffered(10), discard(10)])
def test_a_body_over_the_limit_of_its_sink_is_refused(factory: SinkFactory, lines: list[str]) -> None:
    routes = Router()
    routes.post("/post", sink=factory)(lambda _: Response())
    with Harness(routes) as server:
        client = server.connect()
        client.send(request("/post", *lines, "Expect: 100-continue", method="POST"))
        if lines == ["Content-Length: 11"]:  # before any of it is read
            assert client.assert_responds(413).content == b"request body exceeds 10 bytes\n"
            return
        assert [answer.status for answer in client.responses()] == [100]
        client.send(chunks(bytes(10), b"a"))
        assert client.assert_responds(413).content == b"request body exceeds 10 bytes\n"


def make_request() -> Request:
    return Request("GET", Target("/", ("",)), Head(1, length=-1), Headers())


def test_a_discarded_body_uses_no_memory() -> None:
    sink = DEFAULT_SINKS["GET"](make_request())
    tracemalloc.start()
    for _ in range(10_000):
        sink.write(b"ab" * 50)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 10_000
    assert sink.finish() == b""


def test_a_discarded_body_is_bounded() -> None:
    sink = DEFAULT_SINKS["GET"](make_request())
    sink.write(bytes(1 << 20))
    with pytest.raises(HTTPError, match="request body exceeds"):
        sink.write(b"a")


def test_a_body_in_tiny_pieces_uses_little_memory() -> None:
    sink = buffered(1 << 20)(make_request())
    tracemalloc.start()
    for _ in range(100_000):
        sink.write(b"a")
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 200_000
    assert sink.finish() == b"a" * 100_000


def _refuse(request: Request) -> NoReturn:
    raise HTTPError(401, "who are you?", (("WWW-Authenticate", "Basic"),))


@pytest.mark.parametrize("content", [b"", b"abc"])
@pytest.mark.parametrize("by", ["handler", "sink"])
def test_an_http_error_has_its_headers(by: str, content: bytes) -> None:
    routes = Router()
    if by == "handler":
        routes.post("/x")(_refuse)
    else:
        routes.post("/x", sink=_refuse)(lambda request: Response(200))
    with Harness(routes) as server:
        client = server.connect()
        client.send(b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (len(content), content))
        assert client.assert_responds(401).headers["www-authenticate"] == "Basic"


def test_a_sink_is_closed_once_when_the_handler_closes_the_connection(
    caplog: pytest.LogCaptureFixture,
) -> None:
    sink = RecordingSink()
    routes = Router()
    with Harness(routes) as server:

        @routes.post("/post", sink=lambda request: sink)
        def abort(request: Request) -> Response:
            client.connection.abort()
            return Response.text("never sent")

        client = server.connect()
        client.send(request("/post", method="POST", content=b"hello") + CANARY)
        client.assert_closed()
        assert sink.times_closed == 1
        assert not caplog.records
