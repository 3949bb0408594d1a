"""Timers: the function is called once, at its time, unless the timer is cancelled."""

import gc
import re
import weakref
from math import inf, nan

import pytest

from reactor.loop import Reactor
from reactor.timer import Timer
from tests.support.in_process import Clock, EagerSelector


def test_a_timer_calls_its_function_once() -> None:
    clock, calls = Clock(), list[float]()
    reactor = Reactor(EagerSelector(), clock)
    Timer(reactor, 2.5, lambda: calls.append(clock.now))
    for seconds in (0.0, 2.4, 0.1, 10.0):
        clock.now += seconds
        reactor.turn()
    assert calls == [1002.5]
    reactor.close()


class Owner:
    """An object that has a timer, which calls one of its methods."""

    def __init__(self, reactor: Reactor) -> None:
        self.calls = 0
        self.timer = Timer(reactor, 1.0, self.count)

    def count(self) -> None:
        self.calls += 1


@pytest.mark.parametrize("end", ["cancel", "wait"])
def test_a_timer_that_has_ended_releases_its_function(end: str) -> None:
    clock = Clock()
    reactor = Reactor(EagerSelector(), clock)
    owner = Owner(reactor)
    if end == "cancel":
        owner.timer.cancel()
    clock.now += 2.0
    reactor.turn()
    assert owner.calls == (end == "wait")
    assert owner.timer.reactor_deadline == inf
    released = weakref.ref(owner)
    gc.disable()  # released without a garbage collection
    del owner
    gc.enable()
    assert released() is None
    reactor.close()


# Timers with an interval.


class Ticks:
    """The times at which a timer with an interval of 10 s calls its function, counted from its start."""

    def __init__(self, takes: float = 0.0) -> None:
        self.clock = Clock()
        self.reactor = Reactor(EagerSelector(), self.clock)
        self.began, self.takes = self.clock.now, takes
        self.at: list[float] = []
        self.timer = Timer(self.reactor, 10.0, self.tick, interval=10.0)

    def tick(self) -> None:
        self.at.append(self.clock.now - self.began)
        self.clock.now += self.takes

    def advance(self, *seconds: float) -> None:
        for each in seconds:
            self.clock.now += each
            self.reactor.turn()
            self.reactor.turn()


@pytest.mark.parametrize(
    ("advances", "at"),
    [
        ((9, 1, 9, 1), [10, 20]),
        ((11, 8, 1), [11, 20]),  # counted from when it was due
        ((55, 4, 1), [55, 60]),  # missed ones are skipped
        ((60, 9, 1), [60, 70]),
        ((10, 9.5), [10]),
    ],
)
def test_a_function_is_called_at_each_interval(advances: tuple[float, ...], at: list[float]) -> None:
    ticks = Ticks()
    ticks.advance(*advances)
    assert ticks.at == at


@pytest.mark.parametrize(("takes", "at"), [(3.0, [10, 23, 33]), (12.0, [10, 32, 52])])
def test_a_long_call_does_not_move_the_next_ones(takes: float, at: list[float]) -> None:
    """The reactor extends the deadline that follows a long call by its length, once."""
    ticks = Ticks(takes)
    while len(ticks.at) < 3:
        ticks.advance(1)
    assert ticks.at == at


def test_an_exception_is_logged_and_the_timer_continues(caplog: pytest.LogCaptureFixture) -> None:
    clock, calls = Clock(), list[float]()
    reactor = Reactor(EagerSelector(), clock)

    def fail() -> None:
        calls.append(clock.now)
        raise ValueError("planted")

    Timer(reactor, 1.0, fail)
    timer = Timer(reactor, 1.0, fail, interval=1.0)
    for _ in range(3):
        clock.now += 1.0
        reactor.turn()
    assert calls == [1001.0, 1001.0, 1002.0, 1003.0]
    assert [record.exc_info is not None for record in caplog.records] == [True] * 4
    assert caplog.records[0].getMessage().startswith("unhandled exception in the function of a timer: ")
    timer.cancel()
    clock.now += 10.0
    reactor.turn()
    assert len(calls) == 4


def test_a_timer_can_be_cancelled_by_its_function() -> None:
    class Once(Ticks):
        def tick(self) -> None:
            super().tick()
            self.timer.cancel()

    ticks = Once()
    ticks.advance(10, 10, 10)
    assert ticks.at == [10]
    ticks.timer.cancel()


def test_a_delay_of_0_is_the_next_turn() -> None:
    clock, calls = Clock(), list[float]()
    reactor = Reactor(EagerSelector(), clock)
    Timer(reactor, 0, lambda: calls.append(clock.now))
    assert calls == []
    reactor.turn()
    assert calls == [1000.0]


@pytest.mark.parametrize(
    ("seconds", "interval", "message"),
    [
        (-0.1, None, "invalid delay: -0.1 (expected seconds, 0 or more)"),
        (nan, None, "invalid delay: nan"),
        (inf, None, "invalid delay: inf"),
        (0.0, 0.0, "invalid interval: 0.0 (expected seconds, more than 0)"),
        (-1, -1, "invalid interval: -1"),
        (nan, nan, "invalid interval: nan"),
        (inf, inf, "invalid interval: inf"),
    ],
)
def test_invalid_times_are_refused(seconds: float, interval: float | None, message: str) -> None:
    reactor = Reactor(EagerSelector(), Clock())
    with pytest.raises(ValueError, match="^" + re.escape(message)):
        Timer(reactor, seconds, list, interval)
