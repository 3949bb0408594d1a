"""The reactor and time: deadlines on a fake clock, how long a turn may sleep, slow turns."""

import gc
import weakref
from math import inf

import pytest

from reactor.loop import Reactor
from tests.support.loop import Rig, breaks


def test_a_deadline_is_called_when_it_has_passed_and_once() -> None:
    with Rig() as rig:
        rig.add_deadline("a", 5)
        rig.clock.now += 4.999
        assert rig.turn() == []
        rig.clock.now += 0.001
        assert rig.turn() == ["a deadline"]
        rig.clock.now += 1000
        assert rig.turn() == []


def test_the_earliest_deadline_is_called_first() -> None:
    with Rig() as rig:
        for name, seconds in (("a", 3), ("b", 1), ("c", 2)):
            rig.add_deadline(name, seconds)
        rig.clock.now += 10
        assert rig.turn() == ["b deadline", "c deadline", "a deadline"]


def test_equal_deadlines_are_called_in_the_order_of_registration() -> None:
    with Rig() as rig:
        names = [f"{number:02}" for number in (7, 3, 11, 1, 5, 2, 13)]
        for name in names:
            rig.add_deadline(name, 5)
        rig.clock.now += 5
        assert rig.turn() == [f"{name} deadline" for name in names]


def test_deadlines_are_called_after_the_ready_handlers() -> None:
    with Rig() as rig:
        rig.add_deadline("a", 0)
        rig.add("b")
        assert rig.turn() == ["b readable", "a deadline"]


def test_a_deadline_that_readiness_moved_in_the_same_turn_is_not_called() -> None:
    with Rig() as rig:
        handler = rig.add("a", deadline=rig.clock.now + 5)
        handler.then["readable"] = lambda: setattr(handler, "deadline", rig.clock.now + 5)
        rig.clock.now += 5
        assert rig.turn() == ["a readable"]
        rig.clock.now += 4
        assert rig.turn() == []
        rig.clock.now += 1
        assert rig.turn() == ["a deadline"]


def test_a_deadline_removed_by_an_earlier_one_is_not_called() -> None:
    with Rig() as rig:
        first, second = rig.add_deadline("a", 1), rig.add_deadline("b", 2)
        first.then["deadline"] = lambda: rig.reactor.remove(second)
        rig.clock.now += 10
        assert rig.turn() == ["a deadline"]
        assert rig.turn() == []


def test_a_deadline_that_an_earlier_one_put_off_is_called_at_its_new_time() -> None:
    with Rig() as rig:
        first, second = rig.add_deadline("a", 1), rig.add_deadline("b", 2)
        rig.clock.now += 10
        first.then["deadline"] = lambda: setattr(second, "deadline", rig.clock.now + 3)
        assert rig.turn() == ["a deadline"]
        assert rig.selector.timeout == 0
        assert rig.turn() == []
        assert rig.selector.timeout == 3
        rig.clock.now += 3
        assert rig.turn() == ["b deadline"]


def test_a_deadline_set_while_it_is_called_waits_for_its_own_time() -> None:
    with Rig() as rig:
        handler = rig.add_deadline("a", 1)
        handler.then["deadline"] = lambda: setattr(handler, "deadline", rig.clock.now + 1)
        for _ in range(3):
            assert rig.turn() == []
            rig.clock.now += 1
            assert rig.turn() == ["a deadline"]


def test_a_deadline_in_the_past_is_called_once_a_turn() -> None:
    with Rig() as rig:
        handler = rig.add_deadline("a", 0)
        handler.then["deadline"] = lambda: setattr(handler, "deadline", rig.clock.now - 1)
        for _ in range(3):
            assert rig.turn() == ["a deadline"]
        assert rig.selector.timeout == 0


def test_a_deadline_moved_earlier_counts_after_a_refresh() -> None:
    with Rig() as rig:
        handler = rig.add_deadline("a", 60)
        handler.deadline = rig.clock.now + 1
        rig.reactor.refresh(handler)
        rig.clock.now += 1
        assert rig.turn() == ["a deadline"]


def test_a_failed_deadline_does_not_hold_up_the_next() -> None:
    with Rig() as rig:
        rig.add_deadline("a", 1).then["deadline"] = breaks
        rig.add_deadline("b", 2)
        rig.clock.now += 2
        assert rig.turn() == ["a deadline", "a failure", "b deadline"]


def test_handlers_that_are_removed_long_before_their_deadline_are_let_go() -> None:
    with Rig() as rig:
        rig.add_deadline("first", 1)
        handlers = []
        for number in range(10_000):
            handler = rig.add_deadline("short", 60 + number)
            handlers.append(weakref.ref(handler))
            rig.reactor.remove(handler)
        del handler
        gc.collect()
        assert sum(reference() is not None for reference in handlers) < 200


# How long a turn may sleep.


@pytest.mark.parametrize(("seconds", "timeout"), [(inf, None), (5.0, 5.0), (0.0, 0.0), (-5.0, 0.0)], ids=str)
def test_a_turn_sleeps_until_the_earliest_deadline(seconds: float, timeout: float | None) -> None:
    with Rig() as rig:
        rig.add_deadline("a", seconds)
        rig.add_deadline("z", inf)
        rig.turn()
        assert rig.selector.timeout == timeout


def test_with_no_handler_at_all_a_turn_sleeps_for_ever() -> None:
    with Rig() as rig:
        rig.selector.timeout = 1
        rig.turn()
        assert rig.selector.timeout is None


def test_a_turn_does_not_sleep_for_who_was_removed() -> None:
    with Rig() as rig:
        first = rig.add_deadline("a", 1)
        rig.add_deadline("b", 9)
        rig.reactor.remove(first)
        rig.turn()
        assert rig.selector.timeout == 9


def test_a_deadline_that_passes_in_the_sleep_is_called_at_the_end_of_it() -> None:
    with Rig() as rig:
        rig.add_deadline("a", 5)

        def sleep() -> None:
            rig.clock.now += 5

        rig.selector.while_waiting = sleep
        assert rig.turn() == ["a deadline"]
        assert rig.reactor.now == rig.clock.now


# The end of a turn, and the last one.


def test_what_ends_the_turn_is_called_after_all_else_in_order() -> None:
    with Rig() as rig:
        rig.reactor.at_turn_end(lambda: rig.calls.append("first end"))
        rig.reactor.at_turn_end(lambda: rig.calls.append("second end"))
        rig.add_deadline("a", 0)
        rig.add("b")
        assert rig.turn() == ["b readable", "a deadline", "first end", "second end"]
        assert rig.turn() == ["first end", "second end"]


def test_a_stop_lets_the_present_turn_be_the_last() -> None:
    with Rig() as rig:
        rig.add("a").then["readable"] = rig.reactor.stop
        rig.add("b")
        rig.add_deadline("c", 0).then["deadline"] = lambda: rig.add_later("d")
        rig.reactor.run()
        assert rig.calls == ["a readable", "b readable", "c deadline"]
        rig.calls.clear()
        rig.reactor.at_turn_end(rig.reactor.stop)
        rig.reactor.run()
        assert rig.calls == ["d readable"]


# A process that was suspended: its clock has moved on, and bytes have come in the meantime.


def test_bytes_that_came_while_it_was_suspended_count_before_the_deadline() -> None:
    with Rig() as rig:
        handler = rig.add("a", ready=False, deadline=rig.clock.now + 5)
        handler.then["readable"] = lambda: setattr(handler, "deadline", rig.clock.now + 5)
        other = rig.peer_of(handler)

        def suspend() -> None:
            rig.clock.now += 30
            other.send(b"x")

        rig.selector.while_waiting = suspend
        assert rig.turn() == ["a readable"]


def test_a_deadline_without_bytes_is_called_after_a_suspension() -> None:
    with Rig() as rig:
        rig.add("a", ready=False, deadline=rig.clock.now + 5)
        rig.selector.while_waiting = lambda: setattr(rig.clock, "now", rig.clock.now + 30)
        assert rig.turn() == ["a deadline"]


def test_a_turn_in_which_no_deadline_has_passed_looks_once() -> None:
    with Rig() as rig:
        rig.add("a", deadline=rig.clock.now + 5)
        rig.turn()
        assert rig.selector.looks == 1


def test_a_deadline_that_a_suspended_hook_sets_counts_from_the_end_of_the_hook() -> None:
    with Rig() as rig:
        first, second = rig.add("a"), rig.add("b")

        def suspend() -> None:
            first.deadline = rig.reactor.now + 5
            rig.clock.now += 30

        first.then["readable"] = suspend
        second.then["readable"] = lambda: setattr(second, "deadline", rig.reactor.now + 5)
        assert rig.turn() == ["a readable", "b readable"]
        assert first.deadline == second.deadline == rig.clock.now + 5
        assert rig.turn() == []


def test_a_suspension_is_noticed_whatever_counts_as_slow() -> None:
    with Rig(lambda selector, clock: Reactor(selector, clock, inf)) as rig:
        handler = rig.add("a")

        def suspend() -> None:
            handler.deadline = rig.reactor.now + 5
            rig.clock.now += 30

        handler.then["readable"] = suspend
        rig.turn()
        assert handler.deadline == rig.clock.now + 5
