"""A selector that fails for one event handler: only that one is removed."""

import errno
import selectors
from collections.abc import Callable
from math import inf
from typing import Any

import pytest

from reactor.loop import Interest
from tests.support.loop import Recorder, Rig


def refuse(rig: Rig, step: str, name: str, drops: bool, error: Exception) -> Callable[[], None]:
    """Have the selector fail in a step for one event handler; return what mends it.

    Those of ``selectors`` drop a handle that they could not modify.
    """
    original: Callable[..., selectors.SelectorKey] = getattr(rig.selector, step)

    def fail(handle: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        if data.name != name:
            return original(handle, events, data)
        if drops:
            rig.selector.unregister(handle)
        raise error

    setattr(rig.selector, step, fail)
    return lambda: setattr(rig.selector, step, original)


def watched(rig: Rig) -> list[str]:
    return sorted(key.data.name for key in rig.selector.get_map().values())


def wants(handler: Recorder, interest: Interest) -> Callable[[], None]:
    def want() -> None:
        handler.interest = interest

    return want


@pytest.mark.parametrize("hook", ["readable", "deadline"])
@pytest.mark.parametrize("drops", [True, False], ids=["handle dropped", "handle kept"])
@pytest.mark.parametrize("error", [OSError(errno.ENOMEM, "planted"), ValueError("planted"), KeyError(7)])
def test_a_handle_that_cannot_be_modified_costs_its_handler_the_place(
    hook: str, drops: bool, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    with Rig() as rig:
        handler = rig.add(
            "a", ready=hook == "readable", deadline=rig.clock.now if hook == "deadline" else inf
        )
        other = rig.add("b")
        refuse(rig, "modify", "a", drops, error)
        handler.then[hook] = wants(handler, Interest.BOTH)
        assert set(rig.turn()) == {f"a {hook}", "a failure", "b readable"}
        assert watched(rig) == ["b"]
        assert "<a> failed" in caplog.text
        other.then["readable"] = lambda: None
        other.interest = Interest.WRITE
        rig.reactor.refresh(other)
        assert rig.turn() == ["b writable"]


def test_a_handler_that_lost_its_place_is_called_no_more_and_can_come_back() -> None:
    with Rig() as rig:
        handler = rig.add("a", deadline=rig.clock.now + 5)
        mend = refuse(rig, "modify", "a", True, OSError(errno.ENOMEM, "planted"))
        handler.then["readable"] = wants(handler, Interest.BOTH)
        rig.turn()
        rig.clock.now += 10
        assert rig.turn() == []
        mend()
        handler.then.clear()
        handler.interest = Interest.WRITE
        rig.reactor.register(handler)
        assert rig.turn() == ["a writable"]


def test_a_handle_that_cannot_be_registered_costs_its_handler_the_place() -> None:
    with Rig() as rig:
        ours, _ = rig.pair()
        handler = Recorder(rig, "a", ours, deadline=rig.clock.now)
        rig.reactor.register(handler)
        rig.add("b")
        refuse(rig, "register", "a", False, OSError(errno.ENOSPC, "planted"))
        handler.then["deadline"] = wants(handler, Interest.READ)
        assert sorted(rig.turn()) == ["a deadline", "a failure", "b readable"]
        assert watched(rig) == ["b"]
        rig.add("c")
        assert rig.turn() == ["c readable"]


def test_who_registers_what_cannot_be_registered_is_told() -> None:
    with Rig() as rig:
        rig.add("b")
        refuse(rig, "register", "a", False, OSError(errno.ENOSPC, "planted"))
        with pytest.raises(OSError, match="planted"):
            rig.add("a")
        assert rig.turn() == ["b readable"]
