"""A selector that fails for one event handler: only that one is removed."""

import errno
import selectors
from collections.abc import Callable
from math import inf
from typing import Any

import pytest

from reactor.event_handler import Interest
from tests.support.loop import ReactorHarness, Recorder


def refuse(
    harness: ReactorHarness, step: str, name: str, drops: bool, error: Exception
) -> Callable[[], None]:
    """Make the selector fail in a step for one event handler; return a function that repairs it.

    The selectors of ``selectors`` unregister a handle that they could not modify.
    """
    original: Callable[..., selectors.SelectorKey] = getattr(harness.selector, step)

    def fail(handle: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        if data.name != name:
            return original(handle, events, data)
        if drops:
            harness.selector.unregister(handle)
        raise error

    setattr(harness.selector, step, fail)
    return lambda: setattr(harness.selector, step, original)


def registered_names(harness: ReactorHarness) -> list[str]:
    return sorted(key.data.name for key in harness.selector.get_map().values())


def change_interest(handler: Recorder, interest: Interest) -> Callable[[], None]:
    def change() -> None:
        handler.interest = interest

    return change


@pytest.mark.parametrize("hook", ["readable", "deadline"])
@pytest.mark.parametrize("drops", [True, False], ids=["handle dropped", "handle kept"])
@pytest.mark.parametrize("error", [OSError(errno.ENOMEM, "planted"), ValueError("planted"), KeyError(7)])
def test_a_handler_that_cannot_be_modified_is_removed(
    hook: str, drops: bool, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    with ReactorHarness() as harness:
        handler = harness.add(
            "a", ready=hook == "readable", deadline=harness.clock.now if hook == "deadline" else inf
        )
        other = harness.add("b")
        refuse(harness, "modify", "a", drops, error)
        handler.then[hook] = change_interest(handler, Interest.BOTH)
        assert set(harness.turn()) == {f"a {hook}", "a failure", "b readable"}
        assert registered_names(harness) == ["b"]
        assert "unhandled exception in <a>" in caplog.text
        other.then["readable"] = lambda: None
        other.interest = Interest.WRITE
        harness.reactor.refresh(other)
        assert harness.turn() == ["b writable"]


def test_a_removed_handler_can_be_registered_again() -> None:
    with ReactorHarness() as harness:
        handler = harness.add("a", deadline=harness.clock.now + 5)
        mend = refuse(harness, "modify", "a", True, OSError(errno.ENOMEM, "planted"))
        handler.then["readable"] = change_interest(handler, Interest.BOTH)
        harness.turn()
        harness.clock.now += 10
        assert harness.turn() == []
        mend()
        handler.then.clear()
        handler.interest = Interest.WRITE
        harness.reactor.register(handler)
        assert harness.turn() == ["a writable"]


def test_a_handler_that_cannot_be_registered_is_removed() -> None:
    with ReactorHarness() as harness:
        ours, _ = harness.pair()
        handler = Recorder(harness, "a", ours, deadline=harness.clock.now)
        harness.reactor.register(handler)
        harness.add("b")
        refuse(harness, "register", "a", False, OSError(errno.ENOSPC, "planted"))
        handler.then["deadline"] = change_interest(handler, Interest.READ)
        assert sorted(harness.turn()) == ["a deadline", "a failure", "b readable"]
        assert registered_names(harness) == ["b"]
        harness.add("c")
        assert harness.turn() == ["c readable"]


def test_a_failed_registration_raises() -> None:
    with ReactorHarness() as harness:
        harness.add("b")
        refuse(harness, "register", "a", False, OSError(errno.ENOSPC, "planted"))
        with pytest.raises(OSError, match="planted"):
            harness.add("a")
        assert harness.turn() == ["b readable"]
