"""Live streams: content that is produced over time, for as long as the client stays."""

from collections.abc import Callable, Iterator

import pytest

from reactor.event_handler import Interest
from reactor.http11.message import TEXT, LiveStream, Request, Response
from reactor.routing import Router
from reactor.server.state import State
from tests.support.in_process import Client, Harness
from tests.support.requests import CANARY, answering, read_available, request, shrink_buffers, write


def open_stream(server: Harness, version: str = "HTTP/1.1") -> Client:
    client = server.connect()
    client.send(request("/0", version=version))
    assert client.read().endswith(b"\r\n\r\n")
    return client


@pytest.mark.parametrize(("version", "written"), [("HTTP/1.1", b"4\r\nnews\r\n"), ("HTTP/1.0", b"news")])
def test_a_live_stream_sends_each_message_at_once(version: str, written: bytes) -> None:
    stream = LiveStream()
    with Harness(answering(lambda: Response(200, stream))) as server:
        client = open_stream(server, version)
        for _ in range(3):
            assert server.run() == 0, "an idle stream causes turns"
            assert stream.send(b"news")
            assert client.read() == written
        stream.close()
        assert client.read() == (b"0\r\n\r\n" if version == "HTTP/1.1" else b"")
        assert client.closed == (version == "HTTP/1.0")


@pytest.mark.parametrize("go", [Client.close, Client.half_close])
def test_a_live_stream_is_closed_when_its_client_disconnects(go: Callable[[Client], None]) -> None:
    stream = LiveStream()
    with Harness(answering(lambda: Response(200, stream))) as server:
        client = open_stream(server)
        go(client)
        assert stream.closed
        assert not stream.send(b"news")
        assert not server.context.connections


def test_a_live_stream_answers_head_and_is_closed() -> None:
    stream = LiveStream()
    with Harness(answering(lambda: Response(200, stream))) as server:
        client = server.connect()
        client.send(request("/0", method="HEAD"))
        assert len(client.responses("HEAD")) == 1
        assert stream.closed


def test_requests_after_a_live_stream_are_answered_when_it_ends() -> None:
    stream = LiveStream()
    with Harness(answering(lambda: Response(200, stream))) as server:
        client = open_stream(server)
        client.send(CANARY + CANARY[:-1])
        client.assert_open()
        stream.send(b"news")
        stream.close()
        assert client.responses()[-1].content == b"the canary sings"
        client.send(CANARY[-1:])
        client.assert_responds()


def test_too_many_bytes_during_a_live_stream_close_the_connection(
    caplog: pytest.LogCaptureFixture,
) -> None:
    stream = LiveStream()
    with Harness(answering(lambda: Response(200, stream)), max_head=500) as server, caplog.at_level("INFO"):
        client = open_stream(server)
        client.send(b"G" * 500)
        client.assert_open()
        assert caplog.messages == []
        client.send(b"G")
        client.read()
        assert client.closed
        assert stream.closed
    assert caplog.messages == ["c1: closed: over 500 bytes pipelined behind a live stream"]


class Ending(LiveStream):
    """A stream that ends without ``close``, when the test says so."""

    ends_by_itself = True
    ended = False

    def __next__(self) -> bytes:
        data = super().__next__()
        if not data and self.ended:
            raise StopIteration
        return data


def test_any_number_of_requests_may_wait_behind_a_stream_that_ends_by_itself() -> None:
    stream = Ending()
    with Harness(answering(lambda: Response(200, stream)), turn_read=300, max_head=500) as server:
        client = open_stream(server)
        client.send(CANARY * 200)
        for _ in range(3):
            assert stream.send(b"news")
            assert server.run()
            assert (client.connection.state, client.connection.interest) == (State.WAITING, Interest.NONE)
            assert client.connection.unparsed == 600
        stream.ended = True
        stream.send(b"end")
        answers = client.responses()
        assert len(answers) == 201
        assert answers[-1].content == b"the canary sings"
        assert stream.closed


def test_a_stream_that_ends_by_itself_continues_when_the_server_stops() -> None:
    stream = Ending()
    with Harness(answering(lambda: Response(200, stream))) as server:
        client = open_stream(server)
        client.connection.stop()
        assert stream.send(b"news")
        assert client.read() == b"4\r\nnews\r\n"
        assert not stream.closed


def test_a_live_stream_buffers_at_most_its_limit() -> None:
    stream = LiveStream(limit=10_000)
    with Harness(answering(lambda: Response(200, stream))) as server:
        client = server.connect()
        shrink_buffers(client)
        write(client, request("/0"))
        server.run()
        sent = 0
        while stream.send(b"z" * 1000):
            sent += 1000
            server.run()
            assert sent < 10**6, "the server does not report a client that is too slow"
        stream.close()
        received = b""
        while data := read_available(client)[0]:
            received += data
            server.run()
        assert received.count(b"z") == sent


def test_a_request_can_send_to_the_stream_of_another_client() -> None:
    stream = LiveStream()
    routes = answering(lambda: Response(200, stream))
    routes.post("/say")(lambda request: Response(200, b"%d" % stream.send(request.content)))
    with Harness(routes) as server:
        listener, speaker = open_stream(server), server.connect()
        speaker.send(request("/say", method="POST", content=b"hello"))
        assert speaker.assert_responds().content == b"1"
        assert listener.read() == b"5\r\nhello\r\n"


def test_a_slow_handler_does_not_use_up_the_write_timeout() -> None:
    """The server is slow: the client has read everything that was sent."""
    routes = Router()

    @routes.get("/slow")
    def slow(request: Request) -> Response:
        def steps() -> Iterator[bytes]:
            for _ in range(10):
                server.clock.now += 30.0
                yield b""
            yield b"made"

        return Response(200, steps(), TEXT)

    with Harness(routes) as server:
        assert server.connect().get("/slow").content == b"made"


def test_sending_empty_bytes_does_not_keep_the_stream_open() -> None:
    stream = LiveStream()
    with Harness(answering(lambda: Response(200, stream))) as server:
        client = open_stream(server)
        assert stream.send(b"")
        stream.close()
        assert client.read() == b"0\r\n\r\n"
        assert not stream.send(b"")


def test_a_send_within_a_send_does_not_deadlock() -> None:
    """Simulate a signal handler that interrupts it."""
    stream = LiveStream()
    with stream._lock:
        assert stream.send(b"news")
    assert next(stream) == b"news"
    assert stream.size == 0
