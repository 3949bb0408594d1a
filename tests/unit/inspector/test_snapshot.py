"""The snapshot: how connection events are recorded."""

import io
import json
import selectors
import socket
from contextlib import closing

import pytest

from reactor.event_handler import DEADLINE, READ, SOON, WRITE, EventHandler
from reactor.http11.message import LiveStream, Response
from reactor.inspector.control import AFTER_STATE_CHANGE, BEFORE_SOON, BETWEEN_TURNS, Position
from reactor.inspector.snapshot import Snapshot
from reactor.inspector.sse import FrameBuilder, PageStream, describe_position
from reactor.inspector.stepping import SteppedReactor
from reactor.loop import Reactor
from reactor.observe.events import EventKind, descriptor_of
from reactor.observe.instrumented import InstrumentedConnection, InstrumentedReactor
from reactor.routing import Router
from reactor.server.state import State
from reactor.settings import Settings
from tests.support.in_process import EagerSelector, Harness

SLOW_TURN = Settings().slow_turn
SIZE = 600_000


def test_only_deadlines_count_as_late() -> None:
    reactor = InstrumentedReactor([])
    snapshot = Snapshot(reactor, [], 0.05)
    reactor.close()
    snapshot(
        [
            (EventKind.SELECTED, 1.0, 0.5, []),
            (EventKind.CALLED, 2.0, EventHandler(), SOON, 1.0),
            (EventKind.CALLED, 4.0, EventHandler(), DEADLINE, 2.0),
            (EventKind.TURN_ENDED, 4.0, 1, 1.0),
        ]
    )
    [(_, waited, dispatched, late, *_)] = snapshot.turns
    assert (waited, dispatched, late) == (0.5, 1.0, 2.0)


def test_the_ready_handles_are_those_of_the_last_turn() -> None:
    with closing(InstrumentedReactor([])) as reactor, closing(socket.socket()) as handle:
        snapshot = Snapshot(reactor, [], 0.05)
        key = selectors.SelectorKey(handle, 7, READ | WRITE, EventHandler(handle))
        for ready, expected in (([(key, WRITE)], {7: WRITE}), ([], {})):
            snapshot([(EventKind.SELECTED, 1.0, 0.5, ready)])
            assert snapshot.ready == expected


def test_a_page_gets_each_turn_once() -> None:
    sent: list[object] = []

    class Stream(LiveStream):
        def send(self, data: bytes) -> bool:
            sent.append(json.loads(data.partition(b"data: ")[2])["turns"])
            return True

    with closing(InstrumentedReactor([])) as reactor:
        snapshot = Snapshot(reactor, [], 0.05)
    snapshot.turns.append((1, 9.0, 0.0, 0.0, 0, 0))
    page = PageStream(Stream(), snapshot)
    for number in (2, 3):
        snapshot.turns.append((number, 0.5, 0.0, 0.0, 0, 0))
        page.send(snapshot, {})
    assert sent == [[[2, 0.5, 0.0, 0.0, 0, 0]], [[3, 0.5, 0.0, 0.0, 0, 0]]]


def test_a_connection_that_was_not_recorded_yet_is_counted_and_not_shown() -> None:
    with (
        closing(Reactor(EagerSelector())) as outer,
        closing(SteppedReactor(outer, [], EagerSelector(), SLOW_TURN)) as reactor,
        Harness(subscribers=[lambda events: None]) as server,
    ):
        server.connect()
        [connection] = server.context.connections.values()
        assert isinstance(connection, InstrumentedConnection)
        frame = FrameBuilder(reactor).make(Snapshot(reactor, [], SLOW_TURN), [connection], [])
    assert frame["chips"] == []
    assert frame["counts"] == [state is State.ACCEPTED for state in State]


def test_a_closed_handle_has_no_descriptor() -> None:
    with socket.socket() as handle:
        assert descriptor_of(handle) == handle.fileno()
    closed = io.BytesIO()
    closed.close()
    assert descriptor_of(handle) == descriptor_of(None) == descriptor_of(closed) == -1  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("step", "words"),
    [
        (BETWEEN_TURNS, "between two turns: the loop is not polling its selector"),
        (BEFORE_SOON, "about to call X of eventhandler (fd -1)"),
        (AFTER_STATE_CHANGE, "eventhandler entered X, in the middle of a call"),
    ],
)
def test_the_page_says_where_the_loop_is_held(step: str, words: str) -> None:
    assert describe_position(Position(step, 1, EventHandler(), "X", "")) == words


def test_a_head_after_unsent_bytes_is_counted_and_not_shown() -> None:
    routes = Router()
    routes.get("/large")(lambda request: Response(200, b"x" * SIZE))
    routes.get("/small")(lambda request: Response(404, b"small"))
    subscribers = [lambda events: None]
    with Harness(
        routes, subscribers=subscribers, turn_requests=1, low_water=SIZE, high_water=2 * SIZE
    ) as server:
        assert isinstance(server.reactor, InstrumentedReactor)
        snapshot = Snapshot(server.reactor, [], 0.05)
        server.reactor.subscribe(snapshot)
        client = server.connect()
        client.send(b"".join(b"GET /%b HTTP/1.1\r\nHost: x\r\n\r\n" % name for name in (b"large", b"small")))
        assert [answer.status for answer in client.responses()] == [200, 404]
        client.get("/large")
        record = snapshot.records[1]
    sent = [(count, text) for _, way, count, text in record.traffic if way == "out"]
    assert not any("xx" in text for _, text in sent), "content is not shown"
    begins = [index for index, (_, text) in enumerate(sent) if text.startswith("HTTP/1.1 200 OK")]
    assert len(begins) == 2
    assert begins[0] == 0
    others = [each for index, each in enumerate(sent) if index not in begins]
    assert len(others) >= 2, "the first response is sent in parts"
    assert all(text == f"[{count} B hidden]" for count, text in others)
