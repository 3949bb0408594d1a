"""The events of a turn, for several subscribers; instrumentation changes nothing."""

import re
from collections.abc import Callable, Sequence
from inspect import signature
from typing import get_args

import pytest

from reactor.event_handler import Interest
from reactor.inspector.snapshot import Snapshot
from reactor.loop import Reactor
from reactor.observe import events as events_module
from reactor.observe.events import Event, EventCallback, EventKind, Subscriber, deadline_name, name_of
from reactor.observe.explain import Explain
from reactor.observe.instrumented import InstrumentedReactor
from reactor.observe.metrics import Metrics
from reactor.observe.trace import Trace
from tests.support.in_process import Clock, Harness
from tests.support.loop import CountingSelector, ReactorHarness, breaks


def instrumented(subscribers: Sequence[EventCallback]) -> ReactorHarness:
    """Make a harness whose reactor is instrumented."""

    def make(selector: CountingSelector, clock: Clock) -> Reactor:
        return InstrumentedReactor(subscribers, selector, clock)

    return ReactorHarness(make)


def test_a_turn_is_reported_from_begin_to_end() -> None:
    events: list[Event] = []
    with instrumented([events.extend]) as harness:
        start = harness.clock.now
        both = harness.add("a", Interest.BOTH)
        late = harness.add_deadline("b", 5)

        def work(seconds: float) -> None:
            harness.clock.now += seconds

        both.then["readable"] = lambda: work(0.25)
        late.then["deadline"] = lambda: work(0.5)
        harness.selector.while_waiting = lambda: work(5)
        harness.turn()
    scheduled, began, selected, ready, deadline, ended = events
    assert scheduled == (EventKind.SCHEDULED, start, late, start + 5)
    assert began == (EventKind.TURN_STARTED, start, 1, 5)
    assert selected[:3] == (EventKind.SELECTED, start + 5, 5)
    assert selected[0] is EventKind.SELECTED
    assert [(key.data, mask) for key, mask in selected[3]] == [(both, Interest.BOTH)]
    assert ready == (EventKind.CALLED, start + 5.25, both, Interest.BOTH, start + 5)
    assert deadline == (EventKind.CALLED, start + 5.75, late, 0, start + 5.25)
    assert ended == (EventKind.TURN_ENDED, start + 5.75, 1, start + 5)


def test_an_idle_turn_is_reported() -> None:
    events: list[Event] = []
    with instrumented([events.extend]) as harness:
        now = harness.clock.now
        harness.turn()
        harness.turn()
    assert events == [
        (EventKind.TURN_STARTED, now, 1, None),
        (EventKind.SELECTED, now, 0, []),
        (EventKind.TURN_ENDED, now, 1, now),
        (EventKind.TURN_STARTED, now, 2, None),
        (EventKind.SELECTED, now, 0, []),
        (EventKind.TURN_ENDED, now, 2, now),
    ]


def test_a_failure_is_reported_as_a_call() -> None:
    events: list[Event] = []
    with instrumented([events.extend]) as harness:
        broken = harness.add("a")
        broken.then["readable"] = breaks
        harness.turn()
        assert (EventKind.CALLED, harness.clock.now, broken, Interest.READ, harness.clock.now) in events


def test_all_subscribers_get_the_events_once_per_turn() -> None:
    received: dict[str, list[list[Event]]] = {"x": [], "y": []}
    subscribers = [lambda events, name=name: received[name].append(list(events)) for name in received]
    with instrumented(subscribers) as harness:
        harness.add("a")
        harness.turn()
        harness.turn()
    assert received["x"] == received["y"]
    assert [[kind for kind, *_ in turn] for turn in received["x"]] == [
        [EventKind.TURN_STARTED, EventKind.SELECTED, EventKind.CALLED, EventKind.TURN_ENDED],
        [EventKind.TURN_STARTED, EventKind.SELECTED, EventKind.TURN_ENDED],
    ]


def test_events_during_close_are_reported() -> None:
    received: list[list[Event]] = []
    with instrumented([lambda events: received.append(list(events))]) as harness:
        harness.turn()
        event: Event = (EventKind.TURN_ENDED, harness.clock.now, 2, harness.clock.now)
        assert isinstance(harness.reactor, InstrumentedReactor)
        harness.reactor.emit(event)
        assert len(received) == 1
    assert received[1:] == [[event]]


def test_a_subscriber_can_be_added_later() -> None:
    events: list[Event] = []
    with instrumented([]) as harness:
        harness.turn()
        assert isinstance(harness.reactor, InstrumentedReactor)
        harness.reactor.subscribe(events.extend)
        harness.turn()
    assert events[0][2] == 2


def test_a_subscriber_that_raises_is_removed(caplog: pytest.LogCaptureFixture) -> None:
    events: list[Event] = []
    calls = []

    def failing(received: list[Event]) -> None:
        calls.append(len(received))
        raise ValueError("planted")

    with instrumented([failing, events.extend]) as harness:
        harness.turn()
        harness.turn()
    assert calls == [3]
    assert len(events) == 6
    assert [record.levelname for record in caplog.records] == ["ERROR"]


def cause_every_event(harness: ReactorHarness) -> list[list[str]]:
    """Cause most kinds of events; return the calls of each turn."""
    first = harness.add("a", deadline=harness.clock.now + 3)
    second = harness.add("b", Interest.BOTH)
    harness.add("c").then["readable"] = breaks
    harness.add_deadline("d", 2).then["deadline"] = breaks
    repeating = harness.add_deadline("e", 1)
    repeating.then["deadline"] = lambda: setattr(repeating, "deadline", harness.clock.now + 1)
    first.then["readable"] = lambda: setattr(first, "interest", Interest.WRITE)
    first.then["writable"] = lambda: harness.reactor.remove(second)
    harness.reactor.at_turn_end(lambda: harness.calls.append("end"))
    turns = []
    for _ in range(5):
        turns.append(harness.turn())
        harness.clock.now += 1
    return turns


def test_instrumentation_does_not_change_responses() -> None:
    events: list[Event] = []
    with ReactorHarness() as plain, instrumented([events.extend]) as harness:
        lives = cause_every_event(plain), cause_every_event(harness)
        assert lives[0] == lives[1]
        assert plain.selector.counts == harness.selector.counts
        assert sum(len(turn) for turn in lives[0]) > 15
    assert [event[2] for event in events if event[0] is EventKind.TURN_ENDED] == [1, 2, 3, 4, 5]


# The base class of subscribers.


def test_a_subscriber_gets_only_events_it_has_methods_for() -> None:
    got: list[tuple[object, ...]] = []

    class EndedOnly(Subscriber):
        def on_turn_ended(self, *items: object) -> None:
            got.append(items)

    EndedOnly()([(EventKind.TURN_STARTED, 1.0, 1, None), (EventKind.TURN_ENDED, 2.0, 1, 1.5)])
    assert got == [(EventKind.TURN_ENDED, 2.0, 1, 1.5)]


def test_a_method_that_is_not_overridden_is_not_called(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Subscriber, "on_turn_started", breaks)
    Subscriber()([(EventKind.TURN_STARTED, 1.0, 1, None)])


@pytest.mark.parametrize("subscriber", [Explain, Metrics, Snapshot, Trace])
def test_every_subscriber_method_has_an_event_kind(subscriber: type[Subscriber]) -> None:
    methods = {name for name in vars(subscriber) if name.startswith("on_")}
    assert methods
    assert methods <= {f"on_{kind}" for kind in EventKind}


# The fields of an event are named in the docstring, have their types in the union, and both in the methods.


TABLE = str(events_module.__doc__)


def mismatches(union: Sequence[object], subscriber: type[Subscriber], docstring: str) -> list[str]:
    """Return the kinds whose fields differ between the union of events, the methods and the table."""
    tuples = [get_args(each) for each in union]
    types = {get_args(kind)[0]: fields for kind, *fields in tuples}
    rows = re.findall(r"^    ([A-Z_]+) +((?:\w+, )*\w+)(?=\n| {2,}|$)", docstring, re.MULTILINE)
    names = {kind: ["self", "kind", "when", *fields.split(", ")] for kind, fields in rows}
    found = []
    for kind in EventKind:
        parameters = list(signature(getattr(subscriber, f"on_{kind}")).parameters.values())
        if [each.annotation for each in parameters[2:]] != types.get(kind):
            found.append(f"{kind}: types")
        if [each.name for each in parameters] != names.get(kind.name):
            found.append(f"{kind}: names")
    return found


def test_types_methods_and_table_have_the_same_fields() -> None:
    assert mismatches(get_args(Event), Subscriber, TABLE) == []


class WrongType(Subscriber):
    def on_sent(self, kind: EventKind, when: float, connection: object, count: float) -> None: ...


class MissingField(Subscriber):
    def on_turn_ended(self, kind: EventKind, when: float, turn: int) -> None: ...  # type: ignore[override]


class RenamedField(Subscriber):
    def on_turn_ended(self, kind: EventKind, when: float, number: int, began: float) -> None: ...


@pytest.mark.parametrize(
    ("subscriber", "found"),
    [
        (WrongType, ["sent: types"]),
        (MissingField, ["turn_ended: types", "turn_ended: names"]),
        (RenamedField, ["turn_ended: names"]),
    ],
)
def test_a_planted_method_with_other_fields_is_found(subscriber: type[Subscriber], found: list[str]) -> None:
    assert mismatches(get_args(Event), subscriber, TABLE) == found


@pytest.mark.parametrize(
    ("plant", "found"),
    [
        (
            lambda table: table.replace("SENT           connection, count ", "SENT           connection "),
            "sent: names",
        ),
        (lambda table: table.replace("TURN_STARTED ", "TURNS"), "turn_started: names"),
        (
            lambda table: table.replace("connection, request, status", "connection, status, request"),
            "response: names",
        ),
    ],
)
def test_a_planted_row_with_other_fields_is_found(plant: Callable[[str], str], found: str) -> None:
    assert mismatches(get_args(Event), Subscriber, plant(TABLE)) == [found]


def test_a_planted_event_with_other_fields_is_found() -> None:
    union = get_args(Event)
    without = [each for each in union if "CLOSED" not in str(each)]
    assert len(without) == len(union) - 1
    assert mismatches(without, Subscriber, TABLE) == ["closed: types"]


def test_the_deadline_of_a_connection_has_the_name_of_its_timeout() -> None:
    with Harness() as server:
        client = server.connect()
        names = [deadline_name(client.connection)]
        client.get("/")
        names += [deadline_name(client.connection), name_of(client.connection)]
    assert names == ["first_octet", "keep_alive", "c1"]
    with ReactorHarness() as harness:
        assert deadline_name(harness.add("a")) == "recorder"
