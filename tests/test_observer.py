"""The observer: the events of a turn, for several readers; and watching changes nothing."""

import logging
from collections.abc import Sequence

import pytest

from reactor.loop import Interest, Reactor
from reactor.observer import (
    Called,
    Event,
    EventReader,
    ObservedReactor,
    Selected,
    TurnBegan,
    TurnEnded,
    TurnLog,
)
from tests.harness import Clock
from tests.loop_kit import CountingSelector, Rig, breaks


def watched(readers: Sequence[EventReader]) -> Rig:
    """Make a rig whose reactor is watched."""

    def make(selector: CountingSelector, clock: Clock) -> Reactor:
        return ObservedReactor(readers, selector, clock)

    return Rig(make)


def test_a_turn_is_told_from_its_beginning_to_its_end() -> None:
    events: list[Event] = []
    with watched([events.append]) as rig:
        both = rig.add("a", Interest.BOTH)
        late = rig.add_deadline("b", 5)

        def work(seconds: float) -> None:
            rig.clock.now += seconds

        both.then["readable"] = lambda: work(0.25)
        late.then["deadline"] = lambda: work(0.5)
        rig.selector.while_waiting = lambda: work(5)
        rig.turn()
    began, selected, ready, deadline, ended = events
    assert began == TurnBegan(1)
    assert isinstance(selected, Selected)
    assert (selected.timeout, selected.waited) == (5, 5)
    assert [(key.data, mask) for key, mask in selected.ready] == [(both, Interest.BOTH)]
    assert ready == Called(both, Interest.BOTH, 0.25)
    assert deadline == Called(late, 0, 0.5)
    assert ended == TurnEnded(1, 0.75)


def test_a_turn_in_which_nothing_happens_is_told_too() -> None:
    events: list[Event] = []
    with watched([events.append]) as rig:
        rig.turn()
        rig.turn()
    assert events == [
        TurnBegan(1),
        Selected(None, 0, []),
        TurnEnded(1, 0),
        TurnBegan(2),
        Selected(None, 0, []),
        TurnEnded(2, 0),
    ]


def test_a_failure_is_told_as_a_call() -> None:
    events: list[Event] = []
    with watched([events.append]) as rig:
        broken = rig.add("a")
        broken.then["readable"] = breaks
        rig.turn()
    assert Called(broken, Interest.READ, 0) in events


def test_several_readers_are_told_the_same_in_their_order() -> None:
    told: list[tuple[str, Event]] = []
    readers = [lambda event, name=name: told.append((name, event)) for name in "xyz"]
    with watched(readers) as rig:
        rig.add("a")
        rig.turn()
    assert [name for name, _ in told] == ["x", "y", "z"] * 4
    events = [event for _, event in told]
    assert events[0::3] == events[1::3] == events[2::3]


def an_eventful_life(rig: Rig) -> list[list[str]]:
    """Let most things happen that can; return the calls of each turn."""
    first = rig.add("a", deadline=rig.clock.now + 3)
    second = rig.add("b", Interest.BOTH)
    rig.add("c").then["readable"] = breaks
    rig.add_deadline("d", 2).then["deadline"] = breaks
    repeating = rig.add_deadline("e", 1)
    repeating.then["deadline"] = lambda: setattr(repeating, "deadline", rig.clock.now + 1)
    first.then["readable"] = lambda: setattr(first, "interest", Interest.WRITE)
    first.then["writable"] = lambda: rig.reactor.remove(second)
    rig.reactor.at_turn_end(lambda: rig.calls.append("end"))
    turns = []
    for _ in range(5):
        turns.append(rig.turn())
        rig.clock.now += 1
    return turns


def test_to_watch_changes_nothing() -> None:
    events: list[Event] = []
    with Rig() as plain, watched([events.append]) as rig:
        lives = an_eventful_life(plain), an_eventful_life(rig)
        assert lives[0] == lives[1]
        assert plain.selector.told == rig.selector.told
        assert sum(len(turn) for turn in lives[0]) > 15
    assert len([event for event in events if isinstance(event, TurnEnded)]) == 5


def test_the_turn_log_tells_a_turn_in_one_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "reactor.turns")
    with watched([TurnLog()]) as rig:
        handler = rig.add("a")
        rig.add("b", Interest.WRITE)
        rig.add("c", Interest.BOTH)
        rig.add_deadline("d", 0.5)

        def work() -> None:
            rig.clock.now += 0.125

        def sleep() -> None:
            rig.clock.now += 0.5

        handler.then["readable"] = work
        rig.selector.while_waiting = sleep
        rig.turn()
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        (
            "DEBUG",
            "turn 1: waited 500.0 ms, 3 ready; readable <a> 125000 us; writable <b> 0 us; "
            "readable and writable <c> 0 us; deadline of <d> 0 us; 125000 us in all",
        )
    ]


def test_the_turn_log_begins_each_line_anew(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "reactor.turns")
    with watched([TurnLog()]) as rig:
        rig.turn()
        rig.turn()
    assert [record.getMessage() for record in caplog.records] == [
        "turn 1: waited 0.0 ms, 0 ready; 0 us in all",
        "turn 2: waited 0.0 ms, 0 ready; 0 us in all",
    ]
