"""RFC 9112: what it asks, and no other test shows; the table is ``rfc9112.md``."""

import pytest

from reactor.http11.message import Response
from reactor.server.context import ServerState
from tests.support.in_process import Harness
from tests.support.requests import answering, chunks, connect_tcp, request, shrink_buffers

# A body that looks like a request.
SMUGGLED = request("/echo/smuggled")
FRAMINGS = {
    "length": (f"Content-Length: {len(SMUGGLED)}", SMUGGLED),
    "chunked": ("Transfer-Encoding: chunked", chunks(SMUGGLED)),
}
METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "BREW"]


@pytest.mark.parametrize("length", [8, 100, 8000])
def test_an_overlong_method_is_501(length: int) -> None:
    with Harness() as server:
        client = server.connect()
        client.send(request("/", method="M" * length))
        client.assert_responds(501)


def test_a_status_line_without_a_phrase_has_its_space() -> None:
    with Harness(answering(lambda: Response(299))) as server:
        client = server.connect()
        client.send(request("/0"))
        status_line, _, _ = client.read().partition(b"\r\n")
        assert status_line.startswith(b"HTTP/1.1 299 ")


@pytest.mark.parametrize(("line", "body"), FRAMINGS.values(), ids=FRAMINGS.keys())
@pytest.mark.parametrize("path", ["/echo/a", "/none"])
@pytest.mark.parametrize("method", METHODS)
def test_a_body_of_any_method_is_never_parsed_as_a_request(
    method: str, path: str, line: str, body: bytes
) -> None:
    with Harness() as server:
        client = server.connect()
        client.send(request(path, line, method=method) + body + request("/echo/canary"))
        first, *others = client.responses(method)
        assert first.status in (200, 204, 404, 405, 501)
        # The content was read to its end, or nothing is read after the answer.
        if first.headers.get("connection") == "close":
            assert others == []
            client.assert_closed()
        else:
            assert [answer.content for answer in others] == [b"canary"]


@pytest.mark.parametrize("te", ["trailers", "gzip", "trailers, deflate;q=0.5", "", "chunked"])
def test_te_does_not_change_the_transfer_coding(te: str) -> None:
    with Harness(answering(lambda: Response(200, [b"hello"]))) as server:
        client = server.connect()
        client.send(request("/0", f"TE: {te}", "Connection: TE"))
        data = client.read()
        head, _, body = data.partition(b"\r\n\r\n")
        assert head.lower().count(b"\r\ntransfer-encoding: chunked") == 1
        assert b"\r\ntrailer:" not in head.lower()
        assert body == chunks(b"hello")


def test_a_stopping_server_sends_connection_close() -> None:
    with Harness(answering(lambda: Response(200, b"a" * 10**6))) as server:
        client = server.connect()
        shrink_buffers(client)
        client.send(request("/0")[:-2])
        server.context.state = ServerState.STOPPING
        client.send(b"\r\n")
        answer = client.assert_responds()
        assert answer.headers["connection"] == "close"
        client.assert_closed()


@pytest.mark.parametrize("late", [b"GET / HT", request("/post", "Content-Length: 5", method="POST") + b"h"])
def test_a_slow_client_gets_408_and_no_reset(late: bytes) -> None:
    with Harness(answering()) as server:
        client = connect_tcp(server)
        client.send(late)
        server.clock.advance(21)
        assert client.assert_responds(408).headers["connection"] == "close"
        client.send(b"more of it" * 100)
        client.assert_closed()
        assert not client.was_reset
