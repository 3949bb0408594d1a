"""The wakeup handle: functions passed from any thread are called in the reactor's turn."""

import logging
import threading
from collections import deque
from collections.abc import Callable

import pytest

from reactor.wakeup import TURN_SHARE, Call, Wakeup
from tests.support.loop import ReactorHarness
from tests.support.process import TIMEOUT
from tests.unit.handlers.files.shared import no_descriptor_leaks


class Named(Wakeup):
    """A wakeup handle with a name, by which the fake selector sorts."""

    name = "a"


class Waiting:
    """A rig with a wakeup handle, and the recorded arguments of its functions."""

    def __init__(self) -> None:
        self.called: list[int] = []
        self.harness = ReactorHarness()
        self.wakeup = Named(self.harness.clock)

    def __enter__(self) -> "Waiting":
        self.harness.reactor.register(self.wakeup)
        return self

    def __exit__(self, *_: object) -> None:
        self.harness.reactor.remove(self.wakeup)
        self.wakeup.close()
        self.harness.__exit__(None, None, None)


def test_functions_are_called_once_in_order() -> None:
    with Waiting() as waiting:
        for number in (0, 255, 7):
            assert waiting.wakeup.call_soon(waiting.called.append, number)
        assert waiting.called == []
        waiting.harness.turn()
        assert waiting.called == [0, 255, 7]
        waiting.harness.turn()
        assert waiting.called == [0, 255, 7]


def test_a_function_of_another_thread_is_called_in_the_loop_thread() -> None:
    callers: list[int] = []
    with Waiting() as waiting:
        call = waiting.wakeup.call_soon
        thread = threading.Thread(target=call, args=(lambda: callers.append(threading.get_ident()),))
        thread.start()
        thread.join(TIMEOUT)
        waiting.harness.turn()
    assert callers == [threading.get_ident()]


def test_call_soon_never_blocks_and_loses_no_function() -> None:
    with Waiting() as waiting:
        for number in range(100_000):
            waiting.wakeup.call_soon(waiting.called.append, number)
        turns = 0
        while len(waiting.called) < 100_000:
            waiting.harness.turn()
            turns += 1
            assert turns <= 100_000
        assert waiting.called == list(range(100_000))
        waiting.wakeup.call_soon(waiting.called.append, -1)
        waiting.harness.turn()
        assert waiting.called[-1] == -1


def test_slow_functions_are_spread_over_turns() -> None:
    with Waiting() as waiting:

        def run_for(seconds: float) -> None:
            waiting.called.append(1)
            waiting.harness.clock.now += seconds

        for _ in range(5):
            waiting.wakeup.call_soon(run_for, TURN_SHARE / 2)
        counts = []
        for _ in range(4):
            waiting.harness.turn()
            counts.append(len(waiting.called))
        assert counts == [2, 4, 5, 5]


def test_a_function_that_reschedules_itself_is_called_once_per_turn() -> None:
    with Waiting() as waiting:

        def again() -> None:
            waiting.called.append(1)
            waiting.wakeup.call_soon(again)

        again()
        for _ in range(3):
            waiting.harness.turn()
        assert len(waiting.called) == 4


def test_an_exception_is_logged_and_does_not_affect_other_functions(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail() -> None:
        raise RuntimeError("planted")

    with caplog.at_level(logging.ERROR, "reactor"), Waiting() as waiting:
        waiting.wakeup.call_soon(fail)
        waiting.wakeup.call_soon(waiting.called.append, 1)
        waiting.harness.turn()
        assert waiting.called == [1]
        waiting.wakeup.call_soon(waiting.called.append, 2)
        waiting.harness.turn()
        assert waiting.called == [1, 2]
    assert "unhandled exception in a function passed to call_soon" in caplog.text
    assert "planted" in caplog.text


def test_a_closed_wakeup_calls_nothing_and_leaves_nothing_open() -> None:
    called: list[int] = []
    with no_descriptor_leaks():
        wakeup = Named()
        assert not wakeup.closed
        wakeup.call_soon(called.append, 1)
        wakeup.close()
        assert wakeup.closed
        assert not wakeup.call_soon(called.append, 2)
    assert called == []


def test_a_spurious_readable_event_has_no_effect() -> None:
    wakeup = Named()
    wakeup.on_readable()
    wakeup.close()


class InterruptedDeque(deque[Call]):
    """Calls a function once after an append, like a signal handler that interrupts there."""

    def __init__(self, interrupt: Callable[[], object]) -> None:
        super().__init__()
        self._interrupt: Callable[[], object] | None = interrupt

    def append(self, call: Call) -> None:
        super().append(call)
        if self._interrupt is not None:
            interrupt, self._interrupt = self._interrupt, None
            interrupt()


def test_call_soon_is_reentrant_from_a_signal_handler() -> None:
    with Waiting() as waiting:
        call = waiting.wakeup.call_soon
        waiting.wakeup._calls = InterruptedDeque(lambda: call(waiting.called.append, 2))
        call(waiting.called.append, 1)
        waiting.harness.turn()
        assert waiting.called == [1, 2]
        call(waiting.called.append, 3)
        waiting.harness.turn()
        assert waiting.called == [1, 2, 3]
