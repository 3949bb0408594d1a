"""Graceful shutdown with a fake clock: no request that was received is lost."""

import errno
import os
import socket
from types import SimpleNamespace

import pytest

from reactor.http11.message import LiveStream, Response
from reactor.server.acceptor import DRAIN_TIME, MAX_DRAINED, AcceptorState
from reactor.server.connection import STOP_GRACE
from reactor.server.context import ServerState
from reactor.server.shutdown import Shutdown
from reactor.server.state import State
from tests.support.acceptor import PART, WHOLE, Client, Site
from tests.support.in_process import Harness
from tests.support.requests import CANARY, answering, request

CLOSES = b"Connection: close\r\n"


def answers(received: bytes) -> list[bool]:
    """Return for each response whether it has ``Connection: close``."""
    heads = [head for head in received.split(b"\r\n\r\n") if head.startswith(b"HTTP/1.1 200 ")]
    return [CLOSES in head + b"\r\n" for head in heads]


def queue(site: Site, count: int, data: bytes = WHOLE) -> list[Client]:
    """Have clients connect and send, without letting the server act."""
    clients = site.connect(count)
    for client in clients:
        client.sock.sendall(data)
    return clients


# The accept queue.


def test_every_client_in_the_accept_queue_is_answered() -> None:
    with Site(limit=1000) as site:
        clients = queue(site, 50)
        site.shutdown.begin()
        for client in clients:
            assert answers(client.read()) == [True]
            assert client.ended
            client.sock.close()
        site.run()
        assert site.stopped == 1


@pytest.mark.parametrize("count", [2, 3, 4, 7, 64])
def test_the_accept_queue_is_drained_in_one_turn(count: int) -> None:
    with Site(limit=1000, turn_accepts=3) as site:
        clients = queue(site, count)
        site.shutdown.begin()
        assert site.held == count
        assert site.acceptor.state is AcceptorState.CLOSED
        assert [answers(client.read()) for client in clients] == [[True]] * count


def test_slow_handlers_do_not_shorten_draining() -> None:
    with Site(limit=1000, turn_accepts=3) as site:
        clients = queue(site, 20)
        site.shutdown.begin()
        site.clock.now += 3 * DRAIN_TIME
        assert [answers(client.read()) for client in clients] == [[True]] * 20


def test_a_failed_listener_does_not_prevent_the_shutdown() -> None:
    with Site(limit=10) as site:
        site.acceptor.on_failure()
        site.shutdown.begin()
        site.run()
        assert site.stopped == 1


def test_after_draining_no_client_connects() -> None:
    with Site(limit=10) as site:
        site.shutdown.begin()
        site.run()
        with pytest.raises(ConnectionRefusedError):
            site.connect()


def test_at_the_connection_limit_draining_waits_for_closing_connections() -> None:
    with Site(limit=2) as site:
        first = site.connect_each(2)
        for client in first:
            client.send(PART)
        clients = queue(site, 6)
        site.shutdown.begin()
        site.run()
        assert site.held == 2
        for client in first:
            client.send(WHOLE[len(PART) - 2 :])
            assert answers(client.read()) == [True]
            client.sock.close()
        for client in clients:
            assert answers(client.read()) == [True]
            client.sock.close()
        site.run()
        assert site.stopped == 1


def test_at_the_connection_limit_draining_closes_lingering_clients() -> None:
    with Site(limit=2) as site:
        clients = queue(site, 20)
        site.shutdown.begin()
        site.run()
        assert [answers(client.read()) for client in clients] == [[True]] * 20


def test_paused_draining_ends_when_the_queue_is_empty() -> None:
    with Site(limit=1) as site:
        (busy,) = site.connect_each(1)
        busy.send(PART)
        (waiting,) = queue(site, 1)
        site.shutdown.begin()
        site.run()
        state = site.acceptor.state
        assert state is AcceptorState.DRAINING_QUEUE
        waiting.sock.close()
        busy.sock.close()
        site.run()
        assert site.acceptor.state is AcceptorState.CLOSED
        assert site.stopped == 1


def test_draining_is_limited_in_time() -> None:
    with Site(limit=1) as site:
        (busy,) = site.connect_each(1)
        busy.send(PART)
        queue(site, 1)
        site.shutdown.begin()
        site.run()
        site.advance(DRAIN_TIME - 0.001)
        state = site.acceptor.state
        assert state is AcceptorState.DRAINING_QUEUE
        site.advance(0.001)
        assert site.acceptor.state is AcceptorState.CLOSED


def test_draining_is_limited_in_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    assert MAX_DRAINED == 4096
    monkeypatch.setattr("reactor.server.acceptor.MAX_DRAINED", 6)
    with Site(limit=100, turn_accepts=3) as site:
        queue(site, 10)
        site.shutdown.begin()
        site.run()
        assert site.acceptor.state is AcceptorState.CLOSED
        assert site.held == 6


def test_draining_retries_without_descriptors() -> None:
    with Site(limit=10) as site:
        clients = queue(site, 3)
        site.listener.faults = [errno.EMFILE]
        site.shutdown.begin()
        site.run()
        assert site.held == 0
        site.advance(0.25)
        assert [answers(client.read()) for client in clients] == [[True]] * 3


# Requests that have been received.


@pytest.mark.parametrize("count", [2, 3, 64, 65, 500])
def test_the_last_pipelined_response_announces_the_close(count: int) -> None:
    with Site(limit=10) as site:
        (client,) = queue(site, 1, WHOLE * count)
        site.shutdown.begin()
        assert answers(client.read()) == [False] * (count - 1) + [True]
        assert client.ended


def test_buffered_pipelined_requests_are_answered() -> None:
    with Harness(turn_requests=1) as server:
        client = server.connect()
        client.sock.send(CANARY * 5)
        server.reactor.turn()
        server.context.state = ServerState.STOPPING
        client.connection.stop()
        responses = client.responses()
        assert [each.headers.get("connection") for each in responses] == [None] * 4 + ["close"]
        assert client.closed


def test_an_unread_request_on_an_idle_connection_is_answered() -> None:
    with Site(limit=10) as site:
        (client,) = site.connect_each(1)
        client.send(WHOLE)
        assert answers(client.read()) == [False]
        client.sock.sendall(WHOLE)
        site.shutdown.begin()
        assert answers(client.read()) == [True]
        assert client.ended


def test_a_partial_request_may_complete() -> None:
    with Site(limit=10) as site:
        (client,) = site.connect_each(1)
        client.send(PART)
        site.shutdown.begin()
        assert client.read() == b""
        client.send(WHOLE[len(PART) :])
        assert answers(client.read()) == [True]


def test_a_partial_pipelined_request_may_complete() -> None:
    with Site(limit=10) as site:
        (client,) = queue(site, 1, WHOLE * 2 + PART)
        site.shutdown.begin()
        assert answers(client.read()) == [False, False]
        client.send(WHOLE[len(PART) :])
        assert answers(client.read()) == [True]
        assert client.ended


def test_a_partial_request_that_never_completes_gets_408() -> None:
    with Site(limit=10, shutdown_timeout=100) as site:
        (client,) = site.connect_each(1)
        client.send(PART)
        site.shutdown.begin()
        site.advance(20)
        received = client.read()
        assert received.startswith(b"HTTP/1.1 408 ")
        assert CLOSES in received


def test_an_empty_line_after_the_last_request_is_ignored() -> None:
    with Site(limit=10) as site:
        (client,) = queue(site, 1, WHOLE + b"\r\n")
        site.shutdown.begin()
        assert len(answers(client.read())) == 1
        assert client.ended


def test_a_connection_with_only_an_empty_line_is_closed() -> None:
    with Site(limit=10) as site:
        (client,) = site.connect_each(1)
        client.send(b"\r")
        site.shutdown.begin()
        client.send(b"\n")
        assert client.read() == b""
        assert client.ended


# Connections without a request.


def test_a_new_connection_has_some_time_for_its_first_request() -> None:
    with Site(limit=10) as site:
        silent, speaking = site.connect_each(2)
        late = queue(site, 1, b"")[0]
        site.shutdown.begin()
        site.run()
        site.advance(STOP_GRACE - 0.001)
        speaking.send(WHOLE)
        assert answers(speaking.read()) == [True]
        assert silent.read() == b""
        assert not silent.ended
        site.advance(0.001)
        for client in (silent, late):
            assert client.read() == b""
            assert client.ended


def test_an_idle_connection_is_shut_down_without_a_reset() -> None:
    with Site(limit=10) as site:
        (client,) = site.connect_each(1)
        client.send(WHOLE)
        client.read()
        site.shutdown.begin()
        assert client.read() == b""
        assert client.ended
        client.send(WHOLE)  # it was in transit
        assert client.read() == b""
        assert site.held == 1
        client.sock.close()
        site.run()
        assert site.stopped == 1


def test_an_idle_connection_with_only_an_empty_line_is_shut_down() -> None:
    with Site(limit=10) as site:
        (client,) = site.connect_each(1)
        client.send(WHOLE)
        client.read()
        client.sock.sendall(b"\r\n")
        site.shutdown.begin()
        assert client.read() == b""
        assert client.ended


def test_a_shut_down_connection_is_closed_after_its_grace_period() -> None:
    with Site(limit=10) as site:
        (client,) = site.connect_each(1)
        client.send(WHOLE)
        site.shutdown.begin()
        site.run()
        assert site.stopped == 0
        site.advance(STOP_GRACE)
        assert site.stopped == 1
        assert site.held == 0


def test_a_connection_that_becomes_idle_while_stopping_is_shut_down() -> None:
    with Harness() as server:
        client = server.connect()
        client.get("/")
        server.context.state = ServerState.STOPPING
        client.connection.stop()
        server.run()
        assert client.connection.state is State.DRAINING
        client.assert_closed()


# Live streams.


@pytest.mark.parametrize("version", ["HTTP/1.1", "HTTP/1.0"])
def test_a_live_stream_ends_with_its_buffered_bytes(version: str) -> None:
    stream = LiveStream()
    with Harness(answering(lambda: Response(200, stream))) as server:
        client = server.connect()
        client.send(request("/0", version=version))
        assert client.connection.state is State.WAITING
        stream.send(b"the last news")
        server.context.state = ServerState.STOPPING
        client.connection.stop()
        assert client.assert_responds().content == b"the last news"
        assert client.closed
        assert stream.closed
        assert not stream.send(b"more")


def test_a_live_stream_started_while_stopping_ends_at_once() -> None:
    stream = LiveStream()
    with Harness(answering(lambda: Response(200, stream))) as server:
        client = server.connect()
        server.context.state = ServerState.STOPPING
        client.send(request("/0"))
        answer = client.assert_responds()
        assert (answer.content, answer.headers["connection"]) == (b"", "close")
        assert client.closed


def test_requests_after_a_live_stream_are_answered_while_stopping() -> None:
    stream = LiveStream()
    with Harness(answering(lambda: Response(200, stream))) as server:
        client = server.connect()
        client.send(request("/0") + CANARY * 2)
        server.context.state = ServerState.STOPPING
        client.connection.stop()
        responses = client.responses()
        assert [each.headers.get("connection") for each in responses] == [None, None, "close"]
        assert client.closed


class FailingStream(LiveStream):
    """A live stream whose ``end`` fails."""

    def close(self) -> None:
        raise RuntimeError("planted")


def test_a_live_stream_that_fails_to_end_does_not_affect_others(
    caplog: pytest.LogCaptureFixture,
) -> None:
    routes = answering(lambda: Response(200, FailingStream()))
    with Site(limit=10, routes=routes) as site:
        failing, idle = site.connect_each(2)
        failing.send(request("/0"))
        idle.send(CANARY)
        assert idle.read()
        site.shutdown.begin()
        assert idle.read() == b""
        assert idle.ended
        assert "planted" in caplog.text
        failing.sock.close()
        idle.sock.close()
        site.run()
        assert site.stopped == 1


# The duration of a shutdown.


def test_the_shutdown_timeout_starts_at_the_stop() -> None:
    with Site(limit=10) as site:
        silent, partial = site.connect_each(2)
        partial.send(PART)
        site.clock.now += 3  # since the turn began
        site.shutdown.begin()
        site.run()
        assert not silent.read()
        assert not silent.ended
        site.advance(site.context.settings.shutdown_timeout - 0.001)
        assert not site.stopped


def test_without_connections_the_shutdown_takes_one_turn() -> None:
    with Site(limit=10) as site:
        site.shutdown.begin()
        site.run()
        assert site.stopped == 1
        assert site.context.state is ServerState.STOPPED


def test_the_shutdown_timeout_cuts_open_connections() -> None:
    with Site(limit=10) as site:
        (client,) = site.connect_each(1)
        client.send(PART)
        site.shutdown.begin()
        site.advance(site.context.settings.shutdown_timeout - 0.001)
        assert site.stopped == 0
        site.advance(0.001)
        assert site.stopped == 1


def test_a_second_stop_ends_the_shutdown_at_once() -> None:
    with Site(limit=10) as site:
        (client,) = site.connect_each(1)
        client.send(PART)
        site.shutdown.begin()
        site.shutdown.begin()
        assert site.stopped == 1


def test_the_server_serves_during_the_shutdown_delay() -> None:
    with Site(limit=10, shutdown_delay=5) as site:
        site.shutdown.begin()
        assert site.context.state is ServerState.UNREADY
        site.advance(4)
        (client,) = site.connect_each(1)
        site.advance(0.999)
        client.send(WHOLE)
        assert answers(client.read()) == [True]
        site.advance(0.001)
        assert client.ended
        client.sock.close()
        site.run()
        assert site.stopped == 1


@pytest.mark.parametrize("count", [1, 2, 65, 500])
def test_during_the_delay_only_the_last_response_closes(count: int) -> None:
    with Site(limit=10, shutdown_delay=5) as site:
        idle, client = site.connect_each(2)
        for each in (idle, client):
            each.send(WHOLE)
            assert answers(each.read()) == [False]
        site.shutdown.begin()
        client.send(WHOLE * count)
        assert answers(client.read()) == [False] * (count - 1) + [True]
        assert client.ended
        assert idle.read() == b""
        assert not idle.ended
        site.advance(5)
        assert idle.read() == b""
        assert idle.ended


def test_a_live_stream_continues_during_the_delay() -> None:
    stream = LiveStream()
    with Site(limit=10, routes=answering(lambda: Response(200, stream)), shutdown_delay=5) as site:
        site.shutdown.begin()
        (client,) = site.connect_each(1)
        client.send(request("/0"))
        assert answers(client.read()) == [True]
        assert stream.send(b"news")
        assert client.read() == b"4\r\nnews\r\n"
        site.advance(5)
        assert client.read() == b"0\r\n\r\n"
        assert client.ended


def test_the_beginning_of_a_shutdown_is_reported_once(caplog: pytest.LogCaptureFixture) -> None:
    reported: list[ServerState] = []

    def report() -> None:
        reported.append(site.context.state)
        raise RuntimeError("planted")

    for delay in (0, 5):
        with Site(limit=10, shutdown_delay=delay) as site:
            shutdown = Shutdown(site.context, (site.acceptor,), lambda: None, report)
            shutdown.begin()
            site.advance(delay)
            shutdown.begin()
            assert site.context.state is ServerState.STOPPED
    assert reported == [ServerState.RUNNING] * 2
    assert caplog.text.count("unhandled exception in on_stopping") == 2


# Sockets that outlive the process.


def test_the_accept_queue_is_left_to_the_next_process() -> None:
    with Site(limit=10) as site, socket.socket(fileno=os.dup(site.listener.fileno())) as kept:
        site.listener.outlives_process = True
        (served,) = site.connect_each(1)
        served.send(PART)
        waiting = queue(site, 3)
        site.shutdown.begin()
        assert site.acceptor.state is AcceptorState.CLOSED
        assert site.held == 1
        late = queue(site, 8)  # the backlog is as before
        served.send(WHOLE[len(PART) :])
        assert answers(served.read()) == [True]
        kept.setblocking(False)
        for each in waiting + late:
            accepted, address = kept.accept()
            with accepted:
                assert address == each.sock.getsockname()
                assert accepted.recv(100) == WHOLE


def test_a_second_stop_during_the_delay_ends_the_shutdown_at_once() -> None:
    with Site(limit=10, shutdown_delay=5) as site:
        site.shutdown.begin()
        site.shutdown.begin()
        assert site.stopped == 1


def test_a_reset_while_stopping_is_harmless() -> None:
    with Site(limit=10) as site:
        clients = site.connect_each(3)
        for client in clients:
            client.send(WHOLE)
            client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            client.sock.close()
        site.shutdown.begin()
        site.run()
        assert site.stopped == 1
        assert site.held == 0


@pytest.mark.parametrize(
    ("before", "after"),
    [(ServerState.STOPPING, ServerState.RUNNING), (ServerState.STOPPED, ServerState.STOPPING)],
)
def test_a_server_never_returns_to_an_earlier_state(before: ServerState, after: ServerState) -> None:
    with Harness() as server:
        server.context.enter(before)
        with pytest.raises(AssertionError, match=f"{before} -> {after}"):
            server.context.enter(after)
        assert server.context.state is before


def test_an_acceptor_never_returns_to_an_earlier_state() -> None:
    with Site(1) as site:
        site.acceptor.close()
        with pytest.raises(AssertionError, match=r"CLOSED -> .*DRAINING"):
            site.acceptor._enter(AcceptorState.DRAINING_QUEUE)
        assert site.acceptor.state is AcceptorState.CLOSED


def test_the_server_continues_until_every_acceptor_has_closed() -> None:
    ends: list[str] = []
    with Site(limit=10) as site:
        others = (SimpleNamespace(state=AcceptorState.DRAINING_QUEUE, drain=lambda: None), site.acceptor)
        shutdown = Shutdown(site.context, others, lambda: ends.append("end"))  # type: ignore[arg-type]
        shutdown.begin()
        site.run()
        assert site.acceptor.state is AcceptorState.CLOSED
        assert ends == []
        others[0].state = AcceptorState.CLOSED
        site.reactor.turn(False)
        assert ends == ["end"]
