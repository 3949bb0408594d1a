"""The reactor: order of calls, calls to the selector, and the cost of a failure."""

import os
import socket
from collections import Counter

import pytest

from reactor.event_handler import Interest
from tests.support.loop import ReactorHarness, Recorder, breaks


def test_a_handler_is_called_for_its_interest() -> None:
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


def test_removing_twice_is_harmless() -> None:
    with ReactorHarness() as harness:
        handler = harness.add("a")
        harness.reactor.remove(handler)
        harness.reactor.remove(handler)
        assert harness.selector.counts == Counter(register=1, unregister=1)


# Calls to the selector.


def test_unchanged_interest_makes_no_selector_call() -> None:
    with ReactorHarness() as harness:
        handler = harness.add("a", Interest.BOTH)
        handler.then["writable"] = lambda: setattr(handler, "deadline", harness.clock.now + 60)
        for _ in range(100):
            assert "a writable" in harness.turn()
        assert harness.selector.counts == Counter(register=1)


@pytest.mark.parametrize(
    ("before", "after", "calls_made"),
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
def test_a_refresh_modifies_the_selector(
    before: Interest, after: Interest, calls_made: dict[str, int]
) -> None:
    with ReactorHarness() as harness:
        handler = harness.add("a", before)
        harness.selector.counts.clear()
        handler.interest = after
        harness.reactor.refresh(handler)
        harness.reactor.refresh(handler)
        assert harness.selector.counts == Counter(calls_made)
        assert [key.events for key in harness.selector.get_map().values()] == ([after] if after else [])


def test_a_change_of_interest_in_a_hook_takes_effect() -> None:
    with ReactorHarness() as harness:
        handler = harness.add("a")
        handler.then["readable"] = lambda: setattr(handler, "interest", Interest.WRITE)
        handler.then["writable"] = lambda: setattr(handler, "interest", Interest.NONE)
        assert harness.turn() == ["a readable"]
        assert harness.turn() == ["a writable"]
        assert harness.turn() == []
        assert harness.selector.counts == Counter(register=1, modify=1, unregister=1)


def test_a_change_of_interest_on_a_deadline_takes_effect() -> None:
    with ReactorHarness() as harness:
        handler = harness.add("a", Interest.NONE, deadline=harness.clock.now)
        handler.then["deadline"] = lambda: setattr(handler, "interest", Interest.READ)
        assert harness.turn() == ["a deadline"]
        assert harness.turn() == ["a readable"]


def test_several_changes_in_one_hook_are_one_selector_call() -> None:
    with ReactorHarness() as harness:
        handler = harness.add("a")

        def toggle_interest() -> None:
            for interest in (Interest.WRITE, Interest.NONE, Interest.BOTH, Interest.READ):
                handler.interest = interest

        handler.then["readable"] = toggle_interest
        harness.turn()
        assert harness.selector.counts == Counter(register=1)


# Stale events.


def test_a_handler_removed_on_readable_gets_no_writable_event() -> None:
    with ReactorHarness() as harness:
        handler = harness.add("a", Interest.BOTH)
        handler.then["readable"] = lambda: harness.reactor.remove(handler)
        assert harness.turn() == ["a readable"]


def test_a_handler_removed_in_the_same_turn_is_not_called() -> None:
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


def test_a_reused_descriptor_does_not_get_an_old_event() -> None:
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
def test_an_exception_removes_only_its_handler(hook: str, caplog: pytest.LogCaptureFixture) -> None:
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


def test_a_failed_handler_is_not_called_again_in_that_turn() -> None:
    with ReactorHarness() as harness:
        broken = harness.add("a", Interest.BOTH, deadline=harness.clock.now)
        broken.then["readable"] = breaks
        assert harness.turn() == ["a readable", "a failure"]
        assert harness.turn() == []


def test_a_handler_is_removed_before_on_failure() -> None:
    with ReactorHarness() as harness:
        broken = harness.add("a")
        broken.then["readable"] = breaks
        broken.then["failure"] = lambda: harness.calls.append(f"{len(harness.selector.get_map())} left")
        assert harness.turn() == ["a readable", "a failure", "0 left"]


def test_an_exception_in_on_failure_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with ReactorHarness() as harness:
        broken = harness.add("a")
        harness.add("b")
        broken.then = {"readable": breaks, "failure": breaks}
        assert harness.turn() == ["a readable", "a failure", "b readable"]
        assert harness.turn() == []
        assert "exception in on_failure() of <a>" in caplog.text


def test_a_failed_handler_with_a_closed_handle_is_removed() -> None:
    with ReactorHarness() as harness:
        broken = harness.add("a")
        harness.add("b")

        def close_and_break() -> None:
            broken.handle.close()
            breaks()

        broken.then["readable"] = close_and_break
        assert harness.turn() == ["a readable", "a failure", "b readable"]
        assert len(harness.selector.get_map()) == 1


def test_a_keyboard_interrupt_is_raised_by_the_turn() -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    with ReactorHarness() as harness:
        harness.add("a").then["readable"] = interrupt
        with pytest.raises(KeyboardInterrupt):
            harness.turn()
        assert harness.calls == ["a readable"]
