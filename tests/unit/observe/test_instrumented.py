"""An instrumented connection: its events, and the same bytes on the wire."""

import gc
import io
import re
import selectors
import socket
from collections.abc import Callable, Iterator

import pytest

from reactor.http11 import serializer
from reactor.http11.coding import gzip_bytes
from reactor.http11.message import LiveStream, Response
from reactor.http11.parser import Parser
from reactor.observe.events import ConnectionEvent, Event, EventKind, is_connection_event
from reactor.routing import Router
from reactor.server.state import CloseReason, State
from tests.support.in_process import Client, Harness

GET = b"GET /echo/hi HTTP/1.1\r\nHost: x\r\n\r\n"
SIZE = 600_000
Site = tuple[Harness, list[Event]]


def test_a_closed_connection_is_in_no_reference_cycle() -> None:
    routes = Router()
    routes.get("/echo/hi")(lambda _: Response(200))
    with Harness(routes, subscribers=[lambda events: None], access_log=io.StringIO()) as server:
        client = server.connect()
        client.send(GET)
        connection = client.connection
        assert any(each is connection for each in gc.get_referrers(connection))
        client.close()
        # Objects of the connection, such as its pending entries, must not refer to it.
        own = gc.get_referents(connection)
        assert not [each for each in gc.get_referrers(connection) if any(each is other for other in own)]


@pytest.fixture
def site() -> Iterator[Site]:
    events: list[Event] = []
    with Harness(subscribers=[events.extend]) as server:
        yield server, events


def of_connections(events: list[Event]) -> list[ConnectionEvent]:
    return [event for event in events if is_connection_event(event)]


def short(events: list[Event]) -> list[object]:
    """Return the events of connections in order, without times and objects."""
    words: list[object] = []
    for event in of_connections(events):
        assert event[2].number == 1
        if event[0] is EventKind.STATE_CHANGED:
            words.append(f"{event[3].name} -> {event[4].name}")
        elif event[0] is EventKind.RESPONSE:
            words.append((event[0], event[4], event[5]))
        elif event[0] is EventKind.ANSWERED:
            words.append((event[0], event[3].status, event[4]))
        else:
            words.append((event[0], *event[3:]))
    return words


def test_a_request_is_reported_from_first_to_last_byte(site: Site) -> None:
    server, events = site
    client = server.connect()
    client.send(GET)
    head = client.read()
    client.sock.close()
    server.run()
    assert short(events) == [
        (EventKind.OPENED,),
        (EventKind.RECEIVED, GET),
        "ACCEPTED -> RESPONDING",
        (EventKind.RESPONSE, 200, 0),
        (EventKind.SENT, len(head)),
        (EventKind.ANSWERED, 200, 2),
        "RESPONDING -> IDLE",
        "IDLE -> CLOSED",
        (EventKind.CLOSED, CloseReason.CLIENT_CLOSED),
    ]


def test_events_of_a_hook_precede_it_and_are_within_its_time(site: Site) -> None:
    server, events = site
    server.connect().send(GET)
    kinds = [event[0] for event in events]
    assert (
        kinds.index(EventKind.RECEIVED)
        < kinds.index(EventKind.SENT)
        < kinds.index(EventKind.CALLED, kinds.index(EventKind.SENT))
    )
    assert kinds.count(EventKind.TURN_STARTED) == kinds.count(EventKind.TURN_ENDED) > 0
    times = [event[1] for event in events]
    assert times == sorted(times)


def test_a_refusal_is_reported_with_its_reason(site: Site) -> None:
    server, events = site
    client = server.connect()
    client.send(b"GET / HTTP/1.1\r\n\r\n")
    client.assert_responds(400)
    [(status, reason)] = [event[3:] for event in events if event[0] is EventKind.REFUSED]
    assert status == 400
    assert "Host" in reason


def time_out(server: Harness, client: Client) -> None:
    client.send(b"GET")
    server.clock.advance(20)  # 408
    server.clock.advance(5)


def stop_connections(server: Harness, client: Client) -> None:
    for connection in list(server.context.connections.values()):
        connection.stop()


def send_invalid_body(server: Harness, client: Client) -> None:
    client.send(b"GET /broken HTTP/1.1\r\nHost: x\r\n\r\n")
    server.run()


def complete(server: Harness, client: Client) -> None:
    client.send(GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
    client.sock.close()
    server.run()


def fail_handler(server: Harness, client: Client) -> None:
    def fail(*values: object) -> None:
        raise RuntimeError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Parser, "feed", fail)
        client.send(GET)


def time_out_unread(server: Harness, client: Client) -> None:
    client.send(b"GET")
    client.sock.shutdown(socket.SHUT_RD)
    server.clock.advance(20)


def disconnect_while_stopping(server: Harness, client: Client) -> None:
    client.send(GET.replace(b"/echo/hi", b"/large"))
    stop_connections(server, client)
    client.sock.close()


def pipeline_too_much(server: Harness, client: Client) -> None:
    client.send(GET.replace(b"/echo/hi", b"/live"))
    client.send(GET * 3000)


@pytest.mark.parametrize(
    ("end", "reason"),
    [
        (time_out, CloseReason.TIMEOUT),
        (stop_connections, CloseReason.SERVER_CLOSED),
        (send_invalid_body, CloseReason.BODY_FAILED),
        (complete, CloseReason.COMPLETED),
        (fail_handler, CloseReason.HANDLER_FAILED),
        (time_out_unread, CloseReason.SEND_FAILED),
        (disconnect_while_stopping, CloseReason.SEND_FAILED),
        (pipeline_too_much, CloseReason.SERVER_CLOSED),
    ],
)
def test_every_close_has_its_reason(end: Callable[[Harness, Client], None], reason: CloseReason) -> None:
    routes = Router()

    @routes.get("/broken")
    def broken(request: object) -> Response:
        return Response(200, iter([b"a", "not bytes"]))  # type: ignore[arg-type]

    @routes.get("/echo/hi")
    def hi(request: object) -> Response:
        return Response.text("hi")

    routes.get("/large")(lambda request: Response(200, b"x" * 4_000_000))
    routes.get("/live")(lambda request: Response(200, LiveStream()))
    events: list[Event] = []
    with Harness(routes, subscribers=[events.extend]) as server:
        end(server, server.connect())
        server.run()
    assert [event[3] for event in events if event[0] is EventKind.CLOSED] == [reason]


def test_compressed_bytes_and_the_times_of_handler_and_compression_are_emitted(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow_gzip(content: bytes) -> bytes:
        server.clock.now += 2
        return gzip_bytes(content)

    monkeypatch.setattr(serializer, "gzip_bytes", slow_gzip)
    server, events = site
    client = server.connect()
    client.get("/echo/" + "a" * 100, "Accept-Encoding: gzip")
    [(_, when, _, request, status, compressed, began, made, data)] = [
        e for e in events if e[0] is EventKind.RESPONSE
    ]
    assert (request.path, status, compressed) == ("/echo/" + "a" * 100, 200, 100)
    assert began == made == when - 2
    assert data.startswith(b"HTTP/1.1 200 OK\r\n")


def test_handler_time_excludes_waiting_for_writability() -> None:
    routes = Router()
    routes.get("/large")(lambda request: Response(200, b"x" * SIZE))
    routes.get("/echo/hi")(lambda request: Response.text("hi"))
    events: list[Event] = []
    subscribers = [events.extend]
    with Harness(
        routes, subscribers=subscribers, turn_requests=1, low_water=SIZE, high_water=2 * SIZE
    ) as server:
        client = server.connect()
        client.send(GET.replace(b"/echo/hi", b"/large") + GET)
        server.clock.now += 10
        assert [answer.status for answer in client.responses()] == [200, 200]
        start, now = server.clock.now - 10, server.clock.now
    responses = [event for event in events if event[0] is EventKind.RESPONSE]
    assert [(event[1], event[6], event[7]) for event in responses] == [(start,) * 3, (now,) * 3]


def test_events_agree_with_the_access_log() -> None:
    events: list[Event] = []
    log = io.StringIO()
    with Harness(access_log=log, subscribers=[events.extend]) as server:
        client = server.connect()
        client.send(GET * 3 + b"BAD\r\n\r\n")
        client.read()
    lines = log.getvalue().splitlines()
    answered = [(event[3].status, event[4]) for event in events if event[0] is EventKind.ANSWERED]
    written = [re.search(r'" (\d+) (\d+|-) "', line) for line in lines]
    assert answered == [(int(match[1]), int(match[2].replace("-", "0"))) for match in written if match]
    assert [status for status, _ in answered] == [200, 200, 200, 400]


def test_reported_states_are_those_of_the_table(site: Site) -> None:
    server, events = site
    client = server.connect()
    client.send(b"POST /echo/x HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\na")
    client.send(b"bc")
    client.read()
    changes = [event[3:] for event in events if event[0] is EventKind.STATE_CHANGED]
    assert all(before is not after for before, after in changes)
    assert [before for before, _ in changes[1:]] == [after for _, after in changes[:-1]]
    assert all(isinstance(each, State) for change in changes for each in change)


def test_pipelined_requests_are_reported_one_by_one(site: Site) -> None:
    server, events = site
    server.connect().send(GET * 5)
    kinds = [event[0] for event in events]
    assert kinds.count(EventKind.RESPONSE) == kinds.count(EventKind.ANSWERED) == 5
    assert kinds.count(EventKind.SENT) == kinds.count(EventKind.RECEIVED) == 1


def test_readiness_is_reported_as_selected(site: Site) -> None:
    server, events = site
    server.connect().send(GET)
    ready = [each for event in events if event[0] is EventKind.SELECTED for each in event[3]]
    assert selectors.EVENT_READ in [mask for _, mask in ready]
