"""The reactor: order of calls, calls to the selector, and the cost of a failure."""

import os
import socket
from collections import Counter

import pytest

from reactor.event_handler import Interest
from tests.support.loop import ReactorHarness, Recorder, breaks


def test_a_handler_is_called_for_what_it_waits_for() -> None:
    with ReactorHarness() as harness:
        harness.add("a", Interest.READ)
        harness.add("b", Interest.WRITE)
        harness.add("c", Interest.BOTH)
        harness.add("d", Interest.NONE)
        harness.add("e", Interest.READ, ready=False)
        assert harness.turn() == ["a readable", "b writable", "c readable", "c writable"]


@pytest.mark.parametrize("backwards", [False, True])
def test_handlers_are_called_in_the_order_of_the_selector(backwards: bool) -> None:
    with ReactorHarness() as harness:
        harness.selector.backwards = backwards
        for name in "abc":
            harness.add(name)
        expected = ["a readable", "b readable", "c readable"]
        assert harness.turn() == (expected[::-1] if backwards else expected)


def test_a_removed_handler_is_not_called_and_can_come_back() -> None:
    with ReactorHarness() as harness:
        handler = harness.add("a", deadline=harness.clock.now)
        harness.reactor.remove(handler)
        assert harness.turn() == []
        assert not harness.selector.get_map()
        handler.interest = Interest.READ
        harness.reactor.register(handler)
        assert harness.turn() == ["a readable"]


def test_to_remove_twice_is_to_remove_once() -> None:
    with ReactorHarness() as harness:
        handler = harness.add("a")
        harness.reactor.remove(handler)
        harness.reactor.remove(handler)
        assert harness.selector.told == Counter(register=1, unregister=1)


# Calls to the selector.


def test_being_called_tells_the_selector_nothing() -> None:
    with ReactorHarness() as harness:
        handler = harness.add("a", Interest.BOTH)
        handler.then["writable"] = lambda: setattr(handler, "deadline", harness.clock.now + 60)
        for _ in range(100):
            assert "a writable" in harness.turn()
        assert harness.selector.told == Counter(register=1)


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
    with ReactorHarness() as harness:
        handler = harness.add("a", before)
        harness.selector.told.clear()
        handler.interest = after
        harness.reactor.refresh(handler)
        harness.reactor.refresh(handler)
        assert harness.selector.told == Counter(told)
        assert [key.events for key in harness.selector.get_map().values()] == ([after] if after else [])


def test_a_change_made_in_a_hook_is_seen_after_it() -> None:
    with ReactorHarness() as harness:
        handler = harness.add("a")
        handler.then["readable"] = lambda: setattr(handler, "interest", Interest.WRITE)
        handler.then["writable"] = lambda: setattr(handler, "interest", Interest.NONE)
        assert harness.turn() == ["a readable"]
        assert harness.turn() == ["a writable"]
        assert harness.turn() == []
        assert harness.selector.told == Counter(register=1, modify=1, unregister=1)


def test_a_change_made_on_a_deadline_is_seen_after_it() -> None:
    with ReactorHarness() as harness:
        handler = harness.add("a", Interest.NONE, deadline=harness.clock.now)
        handler.then["deadline"] = lambda: setattr(handler, "interest", Interest.READ)
        assert harness.turn() == ["a deadline"]
        assert harness.turn() == ["a readable"]


def test_several_changes_in_one_hook_are_told_as_one() -> None:
    with ReactorHarness() as harness:
        handler = harness.add("a")

        def waver() -> None:
            for interest in (Interest.WRITE, Interest.NONE, Interest.BOTH, Interest.READ):
                handler.interest = interest

        handler.then["readable"] = waver
        harness.turn()
        assert harness.selector.told == Counter(register=1)


# Stale events.


def test_a_handler_that_read_its_last_is_not_told_that_it_can_write() -> None:
    with ReactorHarness() as harness:
        handler = harness.add("a", Interest.BOTH)
        handler.then["readable"] = lambda: harness.reactor.remove(handler)
        assert harness.turn() == ["a readable"]


def test_a_handler_removed_earlier_in_the_turn_is_not_called() -> None:
    with ReactorHarness() as harness:
        first, second = harness.add("a"), harness.add("b")
        harness.add("c")

        def close_the_second() -> None:
            harness.reactor.remove(second)
            second.handle.close()

        first.then["readable"] = close_the_second
        assert harness.turn() == ["a readable", "c readable"]


def test_a_handler_that_no_longer_waits_for_the_event_is_not_called() -> None:
    with ReactorHarness() as harness:
        first, second = harness.add("a"), harness.add("b")
        first.then["readable"] = lambda: setattr(second, "interest", Interest.WRITE)
        assert harness.turn() == ["a readable"]
        assert harness.turn() == ["b writable"]


def test_a_number_reused_in_the_same_turn_does_not_inherit_its_predecessors_event() -> None:
    with ReactorHarness() as harness:
        first, second = harness.add("a"), harness.add("b")
        number = second.handle.fileno()
        ours, theirs = harness.pair()

        def replace_the_second() -> None:
            harness.reactor.remove(second)
            second.handle.close()
            os.dup2(ours.fileno(), number)
            reused = harness.own(socket.socket(fileno=number))
            reused.setblocking(False)
            harness.reactor.register(Recorder(harness, "c", reused, Interest.READ))

        first.then["readable"] = replace_the_second
        assert harness.turn() == ["a readable"]
        assert harness.turn() == []
        theirs.send(b"x")
        assert harness.turn() == ["c readable"]


def test_a_handler_registered_during_a_turn_is_called_in_the_next() -> None:
    with ReactorHarness() as harness:
        first = harness.add("a")
        first.then["readable"] = lambda: harness.add_later("b")
        assert harness.turn() == ["a readable"]
        assert harness.turn() == ["b readable"]


# Failures.


@pytest.mark.parametrize("hook", ["readable", "writable", "deadline"])
def test_an_exception_costs_its_handler_the_place_and_nobody_else(
    hook: str, caplog: pytest.LogCaptureFixture
) -> None:
    with ReactorHarness() as harness:
        now = harness.clock.now
        broken = harness.add("a", Interest.WRITE if hook == "writable" else Interest.READ, deadline=now)
        harness.add("b", Interest.BOTH, deadline=now)
        broken.then[hook] = breaks
        calls = harness.turn()
        assert f"a {hook}" in calls
        assert calls.count("a failure") == 1
        assert [call for call in calls if call[0] == "b"] == ["b readable", "b writable", "b deadline"]
        assert harness.turn() == ["b writable"]
        assert [record.getMessage() for record in caplog.records] == [
            "unhandled exception in <a>; removing it from the loop"
        ]
        assert "RuntimeError: planted" in caplog.text


def test_a_handler_that_failed_hears_of_nothing_else_in_that_turn() -> None:
    with ReactorHarness() as harness:
        broken = harness.add("a", Interest.BOTH, deadline=harness.clock.now)
        broken.then["readable"] = breaks
        assert harness.turn() == ["a readable", "a failure"]
        assert harness.turn() == []


def test_a_handler_is_removed_before_it_is_told_of_its_failure() -> None:
    with ReactorHarness() as harness:
        broken = harness.add("a")
        broken.then["readable"] = breaks
        broken.then["failure"] = lambda: harness.calls.append(f"{len(harness.selector.get_map())} left")
        assert harness.turn() == ["a readable", "a failure", "0 left"]


def test_an_exception_on_the_way_out_is_logged_and_stops_nobody(caplog: pytest.LogCaptureFixture) -> None:
    with ReactorHarness() as harness:
        broken = harness.add("a")
        harness.add("b")
        broken.then = {"readable": breaks, "failure": breaks}
        assert harness.turn() == ["a readable", "a failure", "b readable"]
        assert harness.turn() == []
        assert "exception in on_failure() of <a>" in caplog.text


def test_a_handler_that_closed_its_handle_before_it_failed_is_removed_all_the_same() -> None:
    with ReactorHarness() as harness:
        broken = harness.add("a")
        harness.add("b")

        def close_and_break() -> None:
            broken.handle.close()
            breaks()

        broken.then["readable"] = close_and_break
        assert harness.turn() == ["a readable", "a failure", "b readable"]
        assert len(harness.selector.get_map()) == 1


def test_what_is_no_error_of_a_handler_comes_out_of_the_turn() -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    with ReactorHarness() as harness:
        harness.add("a").then["readable"] = interrupt
        with pytest.raises(KeyboardInterrupt):
            harness.turn()
        assert harness.calls == ["a readable"]
