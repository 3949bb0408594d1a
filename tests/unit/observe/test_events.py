"""The events of a turn, for several subscribers; instrumentation changes nothing."""

import logging
from collections.abc import Sequence

import pytest

from reactor.event_handler import Interest
from reactor.inspector.snapshot import Snapshot
from reactor.loop import Reactor
from reactor.observe.events import Event, EventCallback, EventKind, Subscriber
from reactor.observe.explain import Explain
from reactor.observe.instrumented import InstrumentedReactor
from reactor.observe.metrics import Metrics
from reactor.observe.trace import Trace
from reactor.server.state import CloseReason
from tests.support.in_process import Clock
from tests.support.loop import CountingSelector, ReactorHarness, breaks


def instrumented(subscribers: Sequence[EventCallback]) -> ReactorHarness:
    """Make a harness whose reactor is instrumented."""

    def make(selector: CountingSelector, clock: Clock) -> Reactor:
        return InstrumentedReactor(subscribers, selector, clock)

    return ReactorHarness(make)


def test_a_turn_is_told_from_its_beginning_to_its_end() -> None:
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
    assert began == (EventKind.TURN, start, 1, 5)
    assert selected[:3] == (EventKind.SELECTED, start + 5, 5)
    assert [(key.data, mask) for key, mask in selected[3]] == [(both, Interest.BOTH)]
    assert ready == (EventKind.CALLED, start + 5.25, both, Interest.BOTH, start + 5)
    assert deadline == (EventKind.CALLED, start + 5.75, late, 0, start + 5.25)
    assert ended == (EventKind.ENDED, start + 5.75, 1, start + 5)


def test_a_turn_in_which_nothing_happens_is_told_too() -> None:
    events: list[Event] = []
    with instrumented([events.extend]) as harness:
        now = harness.clock.now
        harness.turn()
        harness.turn()
    assert events == [
        (EventKind.TURN, now, 1, None),
        (EventKind.SELECTED, now, 0, []),
        (EventKind.ENDED, now, 1, now),
        (EventKind.TURN, now, 2, None),
        (EventKind.SELECTED, now, 0, []),
        (EventKind.ENDED, now, 2, now),
    ]


def test_a_failure_is_told_as_a_call() -> None:
    events: list[Event] = []
    with instrumented([events.extend]) as harness:
        broken = harness.add("a")
        broken.then["readable"] = breaks
        harness.turn()
        assert (EventKind.CALLED, harness.clock.now, broken, Interest.READ, harness.clock.now) in events


def test_subscribers_get_the_same_events_once_a_turn() -> None:
    told: dict[str, list[list[Event]]] = {"x": [], "y": []}
    subscribers = [lambda events, name=name: told[name].append(list(events)) for name in told]
    with instrumented(subscribers) as harness:
        harness.add("a")
        harness.turn()
        harness.turn()
    assert told["x"] == told["y"]
    assert [[kind for kind, *_ in turn] for turn in told["x"]] == [
        [EventKind.TURN, EventKind.SELECTED, EventKind.CALLED, EventKind.ENDED],
        [EventKind.TURN, EventKind.SELECTED, EventKind.ENDED],
    ]


def test_what_closing_does_is_told_at_last() -> None:
    told: list[list[Event]] = []
    with instrumented([lambda events: told.append(list(events))]) as harness:
        harness.turn()
        event = ("something", harness.clock.now)
        assert isinstance(harness.reactor, InstrumentedReactor)
        harness.reactor.emit(event)
        assert len(told) == 1
    assert told[1:] == [[event]]


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

    def failing(told: list[Event]) -> None:
        calls.append(len(told))
        raise ValueError("planted")

    with instrumented([failing, events.extend]) as harness:
        harness.turn()
        harness.turn()
    assert calls == [3]
    assert len(events) == 6
    assert [record.levelname for record in caplog.records] == ["ERROR"]


def an_eventful_life(harness: ReactorHarness) -> list[list[str]]:
    """Let most things happen that can; return the calls of each turn."""
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


def test_instrumentation_changes_nothing() -> None:
    events: list[Event] = []
    with ReactorHarness() as plain, instrumented([events.extend]) as harness:
        lives = an_eventful_life(plain), an_eventful_life(harness)
        assert lives[0] == lives[1]
        assert plain.selector.told == harness.selector.told
        assert sum(len(turn) for turn in lives[0]) > 15
    assert [event[2] for event in events if event[0] is EventKind.ENDED] == [1, 2, 3, 4, 5]


# The base class of subscribers.


def test_a_subscriber_gets_the_items_of_the_kinds_that_it_has_methods_for() -> None:
    got: list[tuple[object, ...]] = []

    class Closes(Subscriber):
        def _on_closed(self, *items: object) -> None:
            got.append(items)

    Closes()([(EventKind.TURN, 1.0, 1, None), (EventKind.CLOSED, 2.0, "c1", CloseReason.TIMEOUT)])
    assert got == [(EventKind.CLOSED, 2.0, "c1", CloseReason.TIMEOUT)]


@pytest.mark.parametrize("subscriber", [Explain, Metrics, Snapshot, Trace])
def test_every_method_of_a_subscriber_is_of_a_kind(subscriber: type[Subscriber]) -> None:
    methods = {name for name in dir(subscriber) if name.startswith("_on_")}
    assert methods
    assert methods <= {f"_on_{kind}" for kind in EventKind}


# The warning of slow turns needs no instrumentation.


def slow_warnings(harness: ReactorHarness, caplog: pytest.LogCaptureFixture) -> list[str]:
    caplog.set_level(logging.WARNING, "reactor")
    harness.turn()
    return [record.getMessage() for record in caplog.records if record.getMessage().startswith("slow")]


@pytest.mark.parametrize(
    ("interest", "hooks"),
    [
        (Interest.READ, "on_readable"),
        (Interest.WRITE, "on_writable"),
        (Interest.BOTH, "on_readable and on_writable"),
    ],
)
def test_a_slow_hook_is_told_of_with_who_it_was(
    interest: Interest, hooks: str, caplog: pytest.LogCaptureFixture
) -> None:
    with ReactorHarness() as harness:
        slow = harness.add("a", interest)
        harness.add("b")
        hook = "writable" if interest == Interest.WRITE else "readable"
        slow.then[hook] = lambda: setattr(harness.clock, "now", harness.clock.now + 0.051)
        assert slow_warnings(harness, caplog) == [f"slow: {hooks} of <a> took 51 ms, and all others waited"]


def test_a_slow_deadline_is_told_of(caplog: pytest.LogCaptureFixture) -> None:
    with ReactorHarness() as harness:
        late = harness.add_deadline("d", 0)
        late.then["deadline"] = lambda: setattr(harness.clock, "now", harness.clock.now + 0.2)
        assert slow_warnings(harness, caplog) == [
            "slow: on_deadline of <d> took 200 ms, and all others waited"
        ]


def test_a_turn_that_is_slow_by_many_hooks_is_told_of(caplog: pytest.LogCaptureFixture) -> None:
    with ReactorHarness() as harness:
        for name in "abc":
            handler = harness.add(name)
            handler.then["readable"] = lambda: setattr(harness.clock, "now", harness.clock.now + 0.02)
        harness.reactor.at_turn_end(lambda: setattr(harness.clock, "now", harness.clock.now + 0.005))
        assert slow_warnings(harness, caplog) == [
            "slow: a turn took 65 ms: 60 in the event handlers of 3 ready handles, 5 at its end"
        ]


def test_what_is_not_slow_is_not_told_of(caplog: pytest.LogCaptureFixture) -> None:
    with ReactorHarness() as harness:
        handler = harness.add("a")
        handler.then["readable"] = lambda: setattr(harness.clock, "now", harness.clock.now + 0.049)
        harness.selector.while_waiting = lambda: setattr(harness.clock, "now", harness.clock.now + 10)
        assert slow_warnings(harness, caplog) == []
