"""Timers: the function is called once, at its time, unless the timer is cancelled."""

import gc
import weakref
from math import inf

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
