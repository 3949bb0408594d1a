"""A client may close or go silent at any point; a ready event may be stale."""

import pytest

from reactor.http11.errors import HTTPError
from reactor.http11.message import Request, Response
from reactor.routing import Router
from tests.support.in_process import Harness
from tests.support.requests import CANARY, answering, chunks, request, shrink_buffers, write

TALK = (
    request("/canary")
    + request("/post", method="POST", content=b"hello")
    + request("/post", "Transfer-Encoding: chunked", method="POST")
    + chunks(b"wor", b"ld")
    + request("/none")
)
STATUSES = [200, 200, 200, 404]


def ends_of_requests() -> list[int]:
    lengths = [
        len(request("/canary")),
        len(request("/post", method="POST", content=b"hello")),
        len(request("/post", "Transfer-Encoding: chunked", method="POST") + chunks(b"wor", b"ld")),
        len(request("/none")),
    ]
    return [sum(lengths[: count + 1]) for count in range(len(lengths))]


@pytest.mark.parametrize("end", range(len(TALK) + 1))
def test_a_half_closed_client_gets_every_response(end: int) -> None:
    with Harness(answering()) as server:
        client = server.connect()
        write(client, TALK[:end])
        client.half_close()
        complete = sum(after <= end for after in ends_of_requests())
        assert [answer.status for answer in client.responses()] == STATUSES[:complete]
        client.assert_closed()
        assert not client.was_reset
        assert not server.context.connections


@pytest.mark.parametrize("end", range(0, len(TALK) + 1, 7))
def test_a_client_may_disconnect_at_any_byte(end: int) -> None:
    with Harness(answering()) as server:
        client, other = server.connect(), server.connect()
        client.send(TALK[:end])
        client.close()
        assert list(server.context.connections) == [2]
        other.get("/canary")


def test_a_half_closed_client_gets_partially_written_responses() -> None:
    with Harness(answering(lambda: Response(200, b"a" * 100_000))) as server:
        client = server.connect()
        shrink_buffers(client)
        write(client, request("/0") * 5)
        client.half_close()
        answers = client.responses()
        assert [len(answer.content) for answer in answers] == [100_000] * 5
        client.assert_closed()
        assert not server.context.connections


def test_a_disconnect_during_a_response_removes_the_connection() -> None:
    with Harness(answering(lambda: Response(200, b"a" * 10**6))) as server:
        client = server.connect()
        client.send(request("/0"))
        assert server.context.connections
        client.close()
        assert not server.context.connections


@pytest.mark.parametrize("said", [b"", b"G", request("/post", "Content-Length: 5", method="POST"), CANARY])
def test_a_spurious_readable_event_has_no_effect(said: bytes) -> None:
    with Harness(answering()) as server:
        client = server.connect()
        client.send(said)
        before = client.responses()
        state = client.connection.state
        server.clock.advance(10)
        client.connection.on_readable()
        server.run()
        client.assert_open()
        assert client.connection.state is state
        deadline = {b"": 20, CANARY: 75}.get(said, 20)
        server.clock.advance(deadline - 10 + 0.01)
        client.read()
        assert client.closed, "the deadline has moved"
        assert len(before) == (said == CANARY)


def test_a_spurious_writable_event_has_no_effect() -> None:
    with Harness(answering(lambda: Response(200, b"a" * 10**6))) as server:
        client = server.connect()
        client.send(request("/0"))
        server.clock.advance(59)
        client.connection.on_writable()
        server.run()
        server.clock.advance(1.01)
        assert not server.context.connections, "the timeout was extended without progress"


def test_an_event_of_a_just_closed_connection_is_ignored() -> None:
    with Harness(routes := answering()) as server:
        first, second = server.connect(), server.connect()
        clients = {1: first, 2: second}

        def close_the_other(request: Request) -> Response:
            other = clients[3 - int(request.params["me"])].connection
            other.abort()
            return Response(200)

        routes.get("/close/{me}")(close_the_other)
        write(first, request("/close/1"))
        write(second, request("/close/2"))
        server.run()
        assert len(server.context.connections) == 1
        assert sorted(len(client.responses()) for client in (first, second)) == [0, 1]


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("last", [(), ("Connection: close",)])
def test_a_handler_may_close_its_own_connection(
    last: tuple[str, ...], fails: bool, caplog: pytest.LogCaptureFixture
) -> None:
    called = []

    def abort(_: Request) -> Response:
        called.append("abort")
        client.connection.abort()
        if fails:
            raise HTTPError(418, "never sent")
        return Response.text("never sent")

    routes = Router()
    routes.get("/abort")(abort)
    with Harness(routes) as server:
        client = server.connect()
        client.send(request("/abort", *last) * 100)
        client.assert_closed()
        assert called == ["abort"]
        assert client.connection.served == 0
        assert not [record for record in caplog.records if record.exc_info]
