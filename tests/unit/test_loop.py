"""The reactor: order of calls, calls to the selector, and the cost of a failure."""

import os
import socket
from collections import Counter

import pytest

from reactor.loop import Interest
from tests.support.loop import Recorder, Rig, breaks


def test_a_handler_is_called_for_what_it_waits_for() -> None:
    with Rig() as rig:
        rig.add("a", Interest.READ)
        rig.add("b", Interest.WRITE)
        rig.add("c", Interest.BOTH)
        rig.add("d", Interest.NONE)
        rig.add("e", Interest.READ, ready=False)
        assert rig.turn() == ["a readable", "b writable", "c readable", "c writable"]


@pytest.mark.parametrize("backwards", [False, True])
def test_handlers_are_called_in_the_order_of_the_selector(backwards: bool) -> None:
    with Rig() as rig:
        rig.selector.backwards = backwards
        for name in "abc":
            rig.add(name)
        expected = ["a readable", "b readable", "c readable"]
        assert rig.turn() == (expected[::-1] if backwards else expected)


def test_a_removed_handler_is_not_called_and_can_come_back() -> None:
    with Rig() as rig:
        handler = rig.add("a", deadline=rig.clock.now)
        rig.reactor.remove(handler)
        assert rig.turn() == []
        assert not rig.selector.get_map()
        handler.interest = Interest.READ
        rig.reactor.register(handler)
        assert rig.turn() == ["a readable"]


def test_to_remove_twice_is_to_remove_once() -> None:
    with Rig() as rig:
        handler = rig.add("a")
        rig.reactor.remove(handler)
        rig.reactor.remove(handler)
        assert rig.selector.told == Counter(register=1, unregister=1)


# What the selector is told.


def test_being_called_tells_the_selector_nothing() -> None:
    with Rig() as rig:
        handler = rig.add("a", Interest.BOTH)
        handler.then["writable"] = lambda: setattr(handler, "deadline", rig.clock.now + 60)
        for _ in range(100):
            assert "a writable" in rig.turn()
        assert rig.selector.told == Counter(register=1)


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (Interest.READ, Interest.READ, {}),
        (Interest.READ, Interest.WRITE, {"modify": 1}),
        (Interest.READ, Interest.BOTH, {"modify": 1}),
        (Interest.READ, Interest.NONE, {"unregister": 1}),
        (Interest.NONE, Interest.NONE, {}),
        (Interest.NONE, Interest.READ, {"register": 1}),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_a_refresh_tells_the_selector_what_changed(
    before: Interest, after: Interest, told: dict[str, int]
) -> None:
    with Rig() as rig:
        handler = rig.add("a", before)
        rig.selector.told.clear()
        handler.interest = after
        rig.reactor.refresh(handler)
        rig.reactor.refresh(handler)
        assert rig.selector.told == Counter(told)
        assert [key.events for key in rig.selector.get_map().values()] == ([after] if after else [])


def test_a_change_made_in_a_hook_is_seen_after_it() -> None:
    with Rig() as rig:
        handler = rig.add("a")
        handler.then["readable"] = lambda: setattr(handler, "interest", Interest.WRITE)
        handler.then["writable"] = lambda: setattr(handler, "interest", Interest.NONE)
        assert rig.turn() == ["a readable"]
        assert rig.turn() == ["a writable"]
        assert rig.turn() == []
        assert rig.selector.told == Counter(register=1, modify=1, unregister=1)


def test_a_change_made_on_a_deadline_is_seen_after_it() -> None:
    with Rig() as rig:
        handler = rig.add("a", Interest.NONE, deadline=rig.clock.now)
        handler.then["deadline"] = lambda: setattr(handler, "interest", Interest.READ)
        assert rig.turn() == ["a deadline"]
        assert rig.turn() == ["a readable"]


def test_several_changes_in_one_hook_are_told_as_one() -> None:
    with Rig() as rig:
        handler = rig.add("a")

        def waver() -> None:
            for interest in (Interest.WRITE, Interest.NONE, Interest.BOTH, Interest.READ):
                handler.interest = interest

        handler.then["readable"] = waver
        rig.turn()
        assert rig.selector.told == Counter(register=1)


# Stale events.


def test_a_handler_that_read_its_last_is_not_told_that_it_can_write() -> None:
    with Rig() as rig:
        handler = rig.add("a", Interest.BOTH)
        handler.then["readable"] = lambda: rig.reactor.remove(handler)
        assert rig.turn() == ["a readable"]


def test_a_handler_removed_earlier_in_the_turn_is_not_called() -> None:
    with Rig() as rig:
        first, second = rig.add("a"), rig.add("b")
        rig.add("c")

        def close_the_second() -> None:
            rig.reactor.remove(second)
            second.handle.close()

        first.then["readable"] = close_the_second
        assert rig.turn() == ["a readable", "c readable"]


def test_a_handler_that_no_longer_waits_for_the_event_is_not_called() -> None:
    with Rig() as rig:
        first, second = rig.add("a"), rig.add("b")
        first.then["readable"] = lambda: setattr(second, "interest", Interest.WRITE)
        assert rig.turn() == ["a readable"]
        assert rig.turn() == ["b writable"]


def test_a_number_reused_in_the_same_turn_does_not_inherit_its_predecessors_event() -> None:
    with Rig() as rig:
        first, second = rig.add("a"), rig.add("b")
        number = second.handle.fileno()
        ours, theirs = rig.pair()

        def replace_the_second() -> None:
            rig.reactor.remove(second)
            second.handle.close()
            os.dup2(ours.fileno(), number)
            reused = rig.own(socket.socket(fileno=number))
            reused.setblocking(False)
            rig.reactor.register(Recorder(rig, "c", reused, Interest.READ))

        first.then["readable"] = replace_the_second
        assert rig.turn() == ["a readable"]
        assert rig.turn() == []
        theirs.send(b"x")
        assert rig.turn() == ["c readable"]


def test_a_handler_registered_during_a_turn_is_called_in_the_next() -> None:
    with Rig() as rig:
        first = rig.add("a")
        first.then["readable"] = lambda: rig.add_later("b")
        assert rig.turn() == ["a readable"]
        assert rig.turn() == ["b readable"]


# Failures.


@pytest.mark.parametrize("hook", ["readable", "writable", "deadline"])
def test_an_exception_costs_its_handler_the_place_and_nobody_else(
    hook: str, caplog: pytest.LogCaptureFixture
) -> None:
    with Rig() as rig:
        now = rig.clock.now
        broken = rig.add("a", Interest.WRITE if hook == "writable" else Interest.READ, deadline=now)
        rig.add("b", Interest.BOTH, deadline=now)
        broken.then[hook] = breaks
        calls = rig.turn()
        assert f"a {hook}" in calls
        assert calls.count("a failure") == 1
        assert [call for call in calls if call[0] == "b"] == ["b readable", "b writable", "b deadline"]
        assert rig.turn() == ["b writable"]
        assert [record.getMessage() for record in caplog.records] == ["<a> failed, and is removed"]
        assert "RuntimeError: planted" in caplog.text


def test_a_handler_that_failed_hears_of_nothing_else_in_that_turn() -> None:
    with Rig() as rig:
        broken = rig.add("a", Interest.BOTH, deadline=rig.clock.now)
        broken.then["readable"] = breaks
        assert rig.turn() == ["a readable", "a failure"]
        assert rig.turn() == []


def test_a_handler_is_removed_before_it_is_told_of_its_failure() -> None:
    with Rig() as rig:
        broken = rig.add("a")
        broken.then["readable"] = breaks
        broken.then["failure"] = lambda: rig.calls.append(f"{len(rig.selector.get_map())} left")
        assert rig.turn() == ["a readable", "a failure", "0 left"]


def test_an_exception_on_the_way_out_is_logged_and_stops_nobody(caplog: pytest.LogCaptureFixture) -> None:
    with Rig() as rig:
        broken = rig.add("a")
        rig.add("b")
        broken.then = {"readable": breaks, "failure": breaks}
        assert rig.turn() == ["a readable", "a failure", "b readable"]
        assert rig.turn() == []
        assert "<a> failed again on its way out" in caplog.text


def test_a_handler_that_closed_its_handle_before_it_failed_is_removed_all_the_same() -> None:
    with Rig() as rig:
        broken = rig.add("a")
        rig.add("b")

        def close_and_break() -> None:
            broken.handle.close()
            breaks()

        broken.then["readable"] = close_and_break
        assert rig.turn() == ["a readable", "a failure", "b readable"]
        assert len(rig.selector.get_map()) == 1


def test_what_is_no_error_of_a_handler_comes_out_of_the_turn() -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    with Rig() as rig:
        rig.add("a").then["readable"] = interrupt
        with pytest.raises(KeyboardInterrupt):
            rig.turn()
        assert rig.calls == ["a readable"]
