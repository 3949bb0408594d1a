"""A connection that is told to stop while it waits for a live stream closes when the stream ends."""

import pytest

from reactor.connection import State
from reactor.http11.message import LiveStream, Response
from tests.harness import Harness
from tests.talk import CANARY, answering, request


@pytest.mark.parametrize("version", ["HTTP/1.1", "HTTP/1.0"])
@pytest.mark.parametrize("behind", [b"", CANARY, CANARY[:-1]], ids=["nothing", "a request", "part of one"])
def test_stopped_while_it_waits_it_sends_the_stream_to_its_end_and_closes(
    version: str, behind: bytes
) -> None:
    stream = LiveStream()
    with Harness(answering(lambda: Response(200, stream))) as server:
        client = server.connect()
        client.send(request("/0", version=version) + behind)
        assert client.connection is not None
        assert client.connection.state is State.WAITING
        client.connection.stop()
        server.run()
        assert not client.closed
        assert stream.send(b"news")
        server.run()
        stream.close()
        client.assert_responds()
        client.assert_closed()
        assert not client.was_reset


def test_stopped_while_it_waits_it_answers_no_request_that_comes_after() -> None:
    stream = LiveStream()
    with Harness(answering(lambda: Response(200, stream))) as server:
        client = server.connect()
        client.send(request("/0"))
        assert client.connection is not None
        client.connection.stop()
        client.send(CANARY)
        stream.send(b"news")
        stream.close()
        assert client.assert_responds().content == b"news"
        client.assert_closed()


def test_stopped_while_it_waits_it_can_still_be_left_by_its_client() -> None:
    stream = LiveStream()
    with Harness(answering(lambda: Response(200, stream))) as server:
        client = server.connect()
        client.send(request("/0"))
        assert client.connection is not None
        client.connection.stop()
        client.close()
        assert stream.closed
        assert not server.service.connections


def test_a_connection_of_which_only_an_empty_line_comes_is_closed_when_we_are_stopping() -> None:
    with Harness() as server:
        client = server.connect()
        client.get("/")
        client.send(b"\r")
        server.service.persistent = False
        assert client.connection is not None
        client.connection.stop()
        client.send(b"\n")
        client.assert_closed()
        assert not server.service.connections
