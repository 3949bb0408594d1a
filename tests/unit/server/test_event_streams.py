"""Streams of server-sent events: what is sent, and the heartbeat while nothing is."""

from collections.abc import Callable
from math import inf

import pytest

from reactor import EventStream, LiveStream, Response, Router
from reactor.event_handler import Interest
from reactor.server.state import State
from tests.support.in_process import Client, Harness
from tests.support.requests import answering, request, shrink_buffers

HEARTBEAT = b"3\r\n:\n\n\r\n"
SECONDS = 15.0


class Site(Harness):
    """A server whose route /0 responds with a stream of events."""

    def __init__(self) -> None:
        self.streams: list[EventStream] = []
        super().__init__(answering(self.respond))

    def respond(self) -> Response:
        response = Response.events()
        self.streams.append(response.content)
        return response

    def subscribe(self, version: str = "HTTP/1.1") -> Client:
        client = self.connect()
        client.send(request("/0", version=version))
        assert b"\r\nContent-Type: text/event-stream\r\n" in client.read()
        assert client.connection.state is State.WAITING
        return client


def test_events_are_sent_at_once_and_a_heartbeat_when_nothing_was_sent() -> None:
    with Site() as server:
        client = server.subscribe()
        server.streams[0].send("1", id="a")
        assert client.read() == b"f\r\nid: a\ndata: 1\n\n\r\n"
        for _ in range(3):
            server.clock.advance(SECONDS - 0.1)
            client.assert_open()
            server.clock.advance(0.1)
            assert client.read() == HEARTBEAT
        server.clock.advance(10)
        server.streams[0].send("2")
        assert client.read() == b"9\r\ndata: 2\n\n\r\n"
        server.clock.advance(SECONDS - 0.1)
        client.assert_open()
        server.clock.advance(0.2)
        assert client.read() == HEARTBEAT
        server.streams[0].close()
        assert client.read() == b"0\r\n\r\n"
        client.responses()
        assert client.get("/canary").content == b"the canary sings"


def test_a_client_of_http_1_0_gets_heartbeats_too() -> None:
    with Site() as server:
        client = server.subscribe("HTTP/1.0")
        server.clock.advance(SECONDS)
        assert client.read() == b":\n\n"
        server.clock.advance(SECONDS)
        assert client.read() == b":\n\n"


def test_the_interval_is_a_setting() -> None:
    routes = Router()
    routes.get("/0")(lambda _: Response.events())
    with Harness(routes, heartbeat_timeout=2.0) as server:
        client = server.connect()
        client.send(request("/0"))
        client.read()
        server.clock.advance(2.0)
        assert client.read() == HEARTBEAT


def test_other_live_streams_have_no_heartbeat() -> None:
    with Harness(answering(lambda: Response(200, LiveStream()))) as server:
        client = server.connect()
        client.send(request("/0"))
        client.read()
        assert client.connection.state is State.WAITING
        assert client.connection.deadline == inf
        server.clock.advance(1000)
        client.assert_open()


def test_a_client_that_has_vanished_is_noticed() -> None:
    with Site() as server:
        client = server.subscribe()
        client.sock.close()
        client.connection.interest = Interest.NONE  # as if the client had sent nothing, neither FIN nor RST
        server.reactor.refresh(client.connection)
        server.clock.advance(SECONDS)
        assert server.streams[0].closed
        assert not server.context.connections


def test_no_heartbeat_is_buffered_while_the_client_does_not_read() -> None:
    with Site() as server:
        client = server.subscribe()
        shrink_buffers(client)
        while client.connection.state is State.WAITING:
            assert server.streams[0].send("x" * 1000)
            server.run()
        assert client.connection.state is State.RESPONDING
        unsent, size = client.connection.unsent, server.streams[0].size
        server.clock.advance(SECONDS + 1)
        assert (client.connection.unsent, server.streams[0].size) == (unsent, size)
        assert HEARTBEAT not in client.read()
        server.clock.advance(SECONDS)
        assert client.read() == HEARTBEAT


def end(stream: EventStream) -> None:
    stream.close()


def send(stream: EventStream) -> None:
    stream.send("1")


@pytest.mark.parametrize(("act", "expected"), [(end, b"0\r\n\r\n"), (send, b"9\r\ndata: 1\n\n\r\n")])
def test_a_thread_that_sends_or_closes_at_the_deadline_causes_one_turn(
    act: Callable[[EventStream], None], expected: bytes
) -> None:
    """The loop is notified a turn later: until then the deadline must not be due again and again."""
    with Site() as server:
        client = server.subscribe()
        stream = server.streams[0]
        wake, calls = stream._wake, list[Callable[[], object]]()
        stream._wake = lambda: calls.append(wake)
        act(stream)
        server.clock.now += SECONDS
        assert server.run() <= 1
        client.assert_open()
        calls.pop()()
        assert client.read() == expected
