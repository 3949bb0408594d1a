"""A watched connection: what it tells, and that to be watched changes nothing on the wire."""

import io
import re
import selectors
from collections.abc import Callable, Iterator

import pytest

import reactor.observe.instrumented as watched
from reactor.http11.message import Response
from reactor.observe.events import CALLED, ENDED, TURN, Event
from reactor.observe.instrumented import ANSWERED, CLOSED, ENTERED, OPENED, RECEIVED, REFUSED, RESPONSE, SENT
from reactor.routing import Router
from reactor.server.connection import State
from tests.support.in_process import Client, Harness

GET = b"GET /echo/hi HTTP/1.1\r\nHost: x\r\n\r\n"
Watched = tuple[Harness, list[Event]]


@pytest.fixture
def site() -> Iterator[Watched]:
    events: list[Event] = []
    with Harness(readers=[events.extend]) as server:
        yield server, events


def of_connections(events: list[Event]) -> list[Event]:
    return [event for event in events if event[0] in vars(watched).values()]


def short(events: list[Event]) -> list[object]:
    """Write what connections told, in order, without times and objects."""
    words: list[object] = []
    for kind, _, connection, *facts in of_connections(events):
        assert connection.number == 1
        if kind is ENTERED:
            words.append(f"{facts[0].name} -> {facts[1].name}")
        elif kind is RESPONSE:
            words.append((kind, facts[1], facts[2]))
        elif kind is ANSWERED:
            words.append((kind, facts[0].status, facts[1]))
        elif kind is SENT:
            words.append((kind, facts[0]))
        else:
            words.append((kind, *facts))
    return words


def test_a_request_is_told_from_its_first_octet_to_its_last(site: Watched) -> None:
    server, events = site
    client = server.connect()
    client.send(GET)
    head = client.read()
    client.sock.close()
    server.run()
    assert short(events) == [
        (OPENED,),
        (RECEIVED, GET),
        "ACCEPTED -> RESPONDING",
        (RESPONSE, 200, 0),
        (SENT, len(head)),
        (ANSWERED, 200, 2),
        "RESPONDING -> IDLE",
        "IDLE -> CLOSED",
        (CLOSED, "left"),
    ]


def test_the_events_of_a_hook_stand_before_it_and_within_its_time(site: Watched) -> None:
    server, events = site
    server.connect().send(GET)
    kinds = [event[0] for event in events]
    assert kinds.index(RECEIVED) < kinds.index(SENT) < kinds.index(CALLED, kinds.index(SENT))
    assert kinds.count(TURN) == kinds.count(ENDED) > 0
    times = [event[1] for event in events]
    assert times == sorted(times)


def test_a_refusal_is_told_with_its_reason(site: Watched) -> None:
    server, events = site
    client = server.connect()
    client.send(b"GET / HTTP/1.1\r\n\r\n")
    client.assert_responds(400)
    [(status, reason)] = [event[3:] for event in events if event[0] is REFUSED]
    assert status == 400
    assert "Host" in reason


def late(server: Harness, client: Client) -> None:
    client.send(b"GET")
    server.clock.advance(20)  # 408
    server.clock.advance(5)


def stopped(server: Harness, client: Client) -> None:
    for connection in list(server.context.connections.values()):
        connection.stop()


def broke(server: Harness, client: Client) -> None:
    client.send(b"GET /broken HTTP/1.1\r\nHost: x\r\n\r\n")
    server.run()


def done(server: Harness, client: Client) -> None:
    client.send(GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
    client.sock.close()
    server.run()


def failed(server: Harness, client: Client) -> None:
    connection = next(iter(server.context.connections.values()))
    connection._parser = None  # type: ignore[assignment]
    client.send(GET)


@pytest.mark.parametrize(
    ("end", "why"),
    [(late, "deadline"), (stopped, "stopped"), (broke, "broke"), (done, "done"), (failed, "failed")],
)
def test_it_is_told_why_a_connection_closed(end: Callable[[Harness, Client], None], why: str) -> None:
    routes = Router()

    @routes.get("/broken")
    def broken(request: object) -> Response:
        return Response(200, iter([b"a", "no octets"]))  # type: ignore[arg-type]

    @routes.get("/echo/hi")
    def hi(request: object) -> Response:
        return Response.text("hi")

    events: list[Event] = []
    with Harness(routes, readers=[events.extend]) as server:
        end(server, server.connect())
        server.run()
    assert [event[3] for event in events if event[0] is CLOSED] == [why]
    assert why in watched.WHYS


def test_compressed_octets_and_the_time_of_handler_and_serializer_are_told(site: Watched) -> None:
    server, events = site
    client = server.connect()
    client.get("/echo/" + "a" * 100, "Accept-Encoding: gzip")
    [(_, when, _, request, status, compressed, began, made)] = [e for e in events if e[0] is RESPONSE]
    assert (request.path, status, compressed) == ("/echo/" + "a" * 100, 200, 100)
    assert began <= made <= when


def test_what_is_answered_is_what_the_access_log_writes() -> None:
    events: list[Event] = []
    log = io.StringIO()
    with Harness(access_log=log, readers=[events.extend]) as server:
        client = server.connect()
        client.send(GET * 3 + b"BAD\r\n\r\n")
        client.read()
    lines = log.getvalue().splitlines()
    told = [(event[3].status, event[4]) for event in events if event[0] is ANSWERED]
    written = [re.search(r'" (\d+) (\d+|-) "', line) for line in lines]
    assert told == [(int(match[1]), int(match[2].replace("-", "0"))) for match in written if match]
    assert [status for status, _ in told] == [200, 200, 200, 400]


def test_the_states_told_are_those_of_the_table(site: Watched) -> None:
    server, events = site
    client = server.connect()
    client.send(b"POST /echo/x HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\na")
    client.send(b"bc")
    client.read()
    changes = [event[3:] for event in events if event[0] is ENTERED]
    assert all(before is not after for before, after in changes)
    assert [before for before, _ in changes[1:]] == [after for _, after in changes[:-1]]
    assert all(isinstance(each, State) for change in changes for each in change)


def test_pipelined_requests_are_told_one_by_one_and_leave_at_once(site: Watched) -> None:
    server, events = site
    server.connect().send(GET * 5)
    kinds = [event[0] for event in events]
    assert kinds.count(RESPONSE) == kinds.count(ANSWERED) == 5
    assert kinds.count(SENT) == kinds.count(RECEIVED) == 1


def test_readiness_is_told_as_the_selector_has_it(site: Watched) -> None:
    server, events = site
    server.connect().send(GET)
    ready = [each for event in events if event[0] == "selected" for each in event[3]]
    assert selectors.EVENT_READ in [mask for _, mask in ready]
