"""The reactor and time: deadlines on a fake clock, how long a turn may sleep, slow turns."""

import gc
import weakref
from math import inf

import pytest

from reactor.loop import Reactor
from tests.support.loop import ReactorHarness, breaks


def test_a_passed_deadline_is_called_once() -> None:
    with ReactorHarness() as harness:
        harness.add_deadline("a", 5)
        harness.clock.now += 4.999
        assert harness.turn() == []
        harness.clock.now += 0.001
        assert harness.turn() == ["a deadline"]
        harness.clock.now += 1000
        assert harness.turn() == []


def test_the_earliest_deadline_is_called_first() -> None:
    with ReactorHarness() as harness:
        for name, seconds in (("a", 3), ("b", 1), ("c", 2)):
            harness.add_deadline(name, seconds)
        harness.clock.now += 10
        assert harness.turn() == ["b deadline", "c deadline", "a deadline"]


def test_equal_deadlines_are_called_in_the_order_of_registration() -> None:
    with ReactorHarness() as harness:
        names = [f"{number:02}" for number in (7, 3, 11, 1, 5, 2, 13)]
        for name in names:
            harness.add_deadline(name, 5)
        harness.clock.now += 5
        assert harness.turn() == [f"{name} deadline" for name in names]


def test_deadlines_are_called_after_the_ready_handlers() -> None:
    with ReactorHarness() as harness:
        harness.add_deadline("a", 0)
        harness.add("b")
        assert harness.turn() == ["b readable", "a deadline"]


def test_a_deadline_moved_in_the_same_turn_is_not_called() -> None:
    with ReactorHarness() as harness:
        handler = harness.add("a", deadline=harness.clock.now + 5)
        handler.then["readable"] = lambda: setattr(handler, "deadline", harness.clock.now + 5)
        harness.clock.now += 5
        assert harness.turn() == ["a readable"]
        harness.clock.now += 4
        assert harness.turn() == []
        harness.clock.now += 1
        assert harness.turn() == ["a deadline"]


def test_a_handler_removed_by_an_earlier_deadline_is_not_called() -> None:
    with ReactorHarness() as harness:
        first, second = harness.add_deadline("a", 1), harness.add_deadline("b", 2)
        first.then["deadline"] = lambda: harness.reactor.remove(second)
        harness.clock.now += 10
        assert harness.turn() == ["a deadline"]
        assert harness.turn() == []


def test_a_deadline_postponed_by_another_is_called_later() -> None:
    with ReactorHarness() as harness:
        first, second = harness.add_deadline("a", 1), harness.add_deadline("b", 2)
        harness.clock.now += 10
        first.then["deadline"] = lambda: setattr(second, "deadline", harness.clock.now + 3)
        assert harness.turn() == ["a deadline"]
        assert harness.selector.timeout == 0
        assert harness.turn() == []
        assert harness.selector.timeout == 3
        harness.clock.now += 3
        assert harness.turn() == ["b deadline"]


def test_a_deadline_set_on_deadline_waits_for_its_time() -> None:
    with ReactorHarness() as harness:
        handler = harness.add_deadline("a", 1)
        handler.then["deadline"] = lambda: setattr(handler, "deadline", harness.clock.now + 1)
        for _ in range(3):
            assert harness.turn() == []
            harness.clock.now += 1
            assert harness.turn() == ["a deadline"]


def test_a_deadline_in_the_past_is_called_once_a_turn() -> None:
    with ReactorHarness() as harness:
        handler = harness.add_deadline("a", 0)
        handler.then["deadline"] = lambda: setattr(handler, "deadline", harness.clock.now - 1)
        for _ in range(3):
            assert harness.turn() == ["a deadline"]
        assert harness.selector.timeout == 0


def test_a_deadline_moved_earlier_counts_after_a_refresh() -> None:
    with ReactorHarness() as harness:
        handler = harness.add_deadline("a", 60)
        handler.deadline = harness.clock.now + 1
        harness.reactor.refresh(handler)
        harness.clock.now += 1
        assert harness.turn() == ["a deadline"]


def test_a_failed_deadline_does_not_block_the_next() -> None:
    with ReactorHarness() as harness:
        harness.add_deadline("a", 1).then["deadline"] = breaks
        harness.add_deadline("b", 2)
        harness.clock.now += 2
        assert harness.turn() == ["a deadline", "a failure", "b deadline"]


def test_handlers_removed_before_their_deadline_are_freed() -> None:
    with ReactorHarness() as harness:
        harness.add_deadline("first", 1)
        handlers = []
        for number in range(10_000):
            handler = harness.add_deadline("short", 60 + number)
            handlers.append(weakref.ref(handler))
            harness.reactor.remove(handler)
        del handler
        gc.collect()
        assert sum(reference() is not None for reference in handlers) < 200


# How long a turn may sleep.


@pytest.mark.parametrize(("seconds", "timeout"), [(inf, None), (5.0, 5.0), (0.0, 0.0), (-5.0, 0.0)], ids=str)
def test_a_turn_sleeps_until_the_earliest_deadline(seconds: float, timeout: float | None) -> None:
    with ReactorHarness() as harness:
        harness.add_deadline("a", seconds)
        harness.add_deadline("z", inf)
        harness.turn()
        assert harness.selector.timeout == timeout


def test_without_handlers_a_turn_sleeps_forever() -> None:
    with ReactorHarness() as harness:
        harness.selector.timeout = 1
        harness.turn()
        assert harness.selector.timeout is None


def test_removed_handlers_do_not_shorten_the_sleep() -> None:
    with ReactorHarness() as harness:
        first = harness.add_deadline("a", 1)
        harness.add_deadline("b", 9)
        harness.reactor.remove(first)
        harness.turn()
        assert harness.selector.timeout == 9


def test_a_deadline_is_called_at_the_end_of_the_sleep() -> None:
    with ReactorHarness() as harness:
        harness.add_deadline("a", 5)

        def sleep() -> None:
            harness.clock.now += 5

        harness.selector.while_waiting = sleep
        assert harness.turn() == ["a deadline"]
        assert harness.reactor.now == harness.clock.now


# The end of a turn, and the last one.


def test_at_turn_end_functions_are_called_last_in_order() -> None:
    with ReactorHarness() as harness:
        harness.reactor.at_turn_end(lambda: harness.calls.append("first end"))
        harness.reactor.at_turn_end(lambda: harness.calls.append("second end"))
        harness.add_deadline("a", 0)
        harness.add("b")
        assert harness.turn() == ["b readable", "a deadline", "first end", "second end"]
        assert harness.turn() == ["first end", "second end"]


def test_stop_ends_the_loop_after_the_current_turn() -> None:
    with ReactorHarness() as harness:
        harness.add("a").then["readable"] = harness.reactor.stop
        harness.add("b")
        harness.add_deadline("c", 0).then["deadline"] = lambda: harness.add_later("d")
        harness.reactor.run()
        assert harness.calls == ["a readable", "b readable", "c deadline"]
        harness.calls.clear()
        harness.reactor.at_turn_end(harness.reactor.stop)
        harness.reactor.run()
        assert harness.calls == ["d readable"]


# A suspended process: the clock has advanced, and bytes have arrived.


def test_bytes_received_during_a_suspension_precede_the_deadline() -> None:
    with ReactorHarness() as harness:
        handler = harness.add("a", ready=False, deadline=harness.clock.now + 5)
        handler.then["readable"] = lambda: setattr(handler, "deadline", harness.clock.now + 5)
        other = harness.peer_of(handler)

        def suspend() -> None:
            harness.clock.now += 30
            other.send(b"x")

        harness.selector.while_waiting = suspend
        assert harness.turn() == ["a readable"]


def test_a_deadline_without_bytes_is_called_after_a_suspension() -> None:
    with ReactorHarness() as harness:
        harness.add("a", ready=False, deadline=harness.clock.now + 5)
        harness.selector.while_waiting = lambda: setattr(harness.clock, "now", harness.clock.now + 30)
        assert harness.turn() == ["a deadline"]


def test_a_turn_without_a_passed_deadline_selects_once() -> None:
    with ReactorHarness() as harness:
        harness.add("a", deadline=harness.clock.now + 5)
        harness.turn()
        assert harness.selector.select_calls == 1


def test_a_turn_that_does_not_sleep_selects_once() -> None:
    with ReactorHarness() as harness:
        harness.add("a", ready=False, deadline=harness.clock.now - 1)
        assert (harness.turn(), harness.selector.select_calls) == (["a deadline"], 1)


def test_a_deadline_that_passes_in_a_poll_is_called_after_the_next_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with ReactorHarness() as harness:
        handler = harness.add("a", ready=False, deadline=harness.clock.now + 5)
        harness.add("b", ready=False, deadline=harness.clock.now)
        other = harness.peer_of(handler)
        handler.then["readable"] = lambda: setattr(handler, "deadline", harness.clock.now + 5)
        select = harness.selector.select

        def select_and_suspend(timeout: float | None = None) -> object:
            ready = select(timeout)
            harness.clock.now += 30
            other.send(b"x")
            return ready

        monkeypatch.setattr(harness.selector, "select", select_and_suspend)
        assert [harness.turn(), harness.turn()] == [["b deadline"], ["a readable"]]


def test_a_deadline_set_by_a_slow_hook_counts_from_its_end() -> None:
    with ReactorHarness() as harness:
        first, second = harness.add("a"), harness.add("b")

        def suspend() -> None:
            first.deadline = harness.reactor.now + 5
            harness.clock.now += 30

        first.then["readable"] = suspend
        second.then["readable"] = lambda: setattr(second, "deadline", harness.reactor.now + 5)
        assert (*harness.turn(), *harness.turn()) == ("a readable", "b readable")
        assert first.deadline == second.deadline == harness.clock.now + 5
        assert harness.turn() == []


def test_a_suspension_is_detected_without_slow_turn_logging() -> None:
    with ReactorHarness(lambda selector, clock: Reactor(selector, clock)) as harness:
        handler = harness.add("a")

        def suspend() -> None:
            handler.deadline = harness.reactor.now + 5
            harness.clock.now += 30

        handler.then["readable"] = suspend
        harness.turn()
        assert handler.deadline == harness.clock.now + 5
