"""The observer: the events of a turn, for several readers; and watching changes nothing."""

import logging
from collections.abc import Sequence

import pytest

from reactor.loop import Interest, Reactor
from reactor.observe.events import (
    CALLED,
    ENDED,
    SCHEDULED,
    SELECTED,
    TURN,
    Event,
    EventReader,
    InstrumentedReactor,
)
from tests.support.in_process import Clock
from tests.support.loop import CountingSelector, ReactorHarness, breaks


def watched(readers: Sequence[EventReader]) -> ReactorHarness:
    """Make a rig whose reactor is watched."""

    def make(selector: CountingSelector, clock: Clock) -> Reactor:
        return InstrumentedReactor(readers, selector, clock)

    return ReactorHarness(make)


def test_a_turn_is_told_from_its_beginning_to_its_end() -> None:
    events: list[Event] = []
    with watched([events.extend]) as harness:
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
    assert scheduled == (SCHEDULED, start, late, start + 5)
    assert began == (TURN, start, 1, 5)
    assert selected[:3] == (SELECTED, start + 5, 5)
    assert [(key.data, mask) for key, mask in selected[3]] == [(both, Interest.BOTH)]
    assert ready == (CALLED, start + 5.25, both, Interest.BOTH, start + 5)
    assert deadline == (CALLED, start + 5.75, late, 0, start + 5.25)
    assert ended == (ENDED, start + 5.75, 1, start + 5)


def test_a_turn_in_which_nothing_happens_is_told_too() -> None:
    events: list[Event] = []
    with watched([events.extend]) as harness:
        now = harness.clock.now
        harness.turn()
        harness.turn()
    assert events == [
        (TURN, now, 1, None),
        (SELECTED, now, 0, []),
        (ENDED, now, 1, now),
        (TURN, now, 2, None),
        (SELECTED, now, 0, []),
        (ENDED, now, 2, now),
    ]


def test_a_failure_is_told_as_a_call() -> None:
    events: list[Event] = []
    with watched([events.extend]) as harness:
        broken = harness.add("a")
        broken.then["readable"] = breaks
        harness.turn()
        assert (CALLED, harness.clock.now, broken, Interest.READ, harness.clock.now) in events


def test_several_readers_are_told_the_same_once_a_turn() -> None:
    told: dict[str, list[list[Event]]] = {"x": [], "y": []}
    readers = [lambda events, name=name: told[name].append(list(events)) for name in told]
    with watched(readers) as harness:
        harness.add("a")
        harness.turn()
        harness.turn()
    assert told["x"] == told["y"]
    assert [[kind for kind, *_ in turn] for turn in told["x"]] == [
        [TURN, SELECTED, CALLED, ENDED],
        [TURN, SELECTED, ENDED],
    ]


def test_what_closing_does_is_told_at_last() -> None:
    told: list[list[Event]] = []
    with watched([lambda events: told.append(list(events))]) as harness:
        harness.turn()
        event = ("something", harness.clock.now)
        assert isinstance(harness.reactor, InstrumentedReactor)
        harness.reactor.tell(event)
        assert len(told) == 1
    assert told[1:] == [[event]]


def test_a_reader_may_join_later() -> None:
    events: list[Event] = []
    with watched([]) as harness:
        harness.turn()
        assert isinstance(harness.reactor, InstrumentedReactor)
        harness.reactor.read_by(events.extend)
        harness.turn()
    assert events[0][2] == 2


def test_a_reader_that_fails_is_told_no_more_and_the_others_go_on(caplog: pytest.LogCaptureFixture) -> None:
    events: list[Event] = []
    calls = []

    def failing(told: list[Event]) -> None:
        calls.append(len(told))
        raise ValueError("planted")

    with watched([failing, events.extend]) as harness:
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


def test_to_watch_changes_nothing() -> None:
    events: list[Event] = []
    with ReactorHarness() as plain, watched([events.extend]) as harness:
        lives = an_eventful_life(plain), an_eventful_life(harness)
        assert lives[0] == lives[1]
        assert plain.selector.told == harness.selector.told
        assert sum(len(turn) for turn in lives[0]) > 15
    assert [event[2] for event in events if event[0] is ENDED] == [1, 2, 3, 4, 5]


# The warning of slow turns needs no observer.


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
