"""``Reactor.soon``: handlers are called once, in the next turn, in order."""

from functools import partial

import pytest

from tests.support.loop import ReactorHarness, breaks


def test_soon_calls_once_in_the_next_turn_without_sleeping() -> None:
    with ReactorHarness() as harness:
        first, second = harness.add("a"), harness.add("b", ready=False, deadline=harness.clock.now + 5)
        first.then["readable"] = partial(harness.reactor.soon, second)
        assert harness.turn() == ["a readable"]
        assert harness.turn() == ["b soon"]
        assert harness.selector.timeout == 0
        assert harness.turn() == []
        assert harness.selector.timeout == 5


def test_soon_is_called_after_ready_handles_and_before_deadlines() -> None:
    with ReactorHarness() as harness:
        harness.add("a")
        harness.add_deadline("d", 0)
        harness.reactor.soon(harness.add("b", ready=False))
        assert harness.turn() == ["a readable", "b soon", "d deadline"]


def test_soon_calls_keep_their_order() -> None:
    with ReactorHarness() as harness:
        handlers = [harness.add(name, ready=False) for name in "cab"]
        for handler in (*handlers, *handlers):
            harness.reactor.soon(handler)
        assert harness.turn() == ["c soon", "a soon", "b soon"]


def test_soon_within_on_soon_is_for_the_next_turn() -> None:
    with ReactorHarness() as harness:
        handler = harness.add("a", ready=False)
        handler.then["soon"] = partial(harness.reactor.soon, handler)
        harness.reactor.soon(handler)
        assert [harness.turn() for _ in range(3)] == [["a soon"]] * 3


@pytest.mark.parametrize("remover", ["before the turn", "a ready handler", "an earlier soon call"])
def test_a_removed_handler_gets_no_on_soon(remover: str) -> None:
    with ReactorHarness() as harness:
        other, handler = harness.add("a", ready=remover == "a ready handler"), harness.add("b", ready=False)
        other.then["readable"] = other.then["soon"] = partial(harness.reactor.remove, handler)
        if remover == "an earlier soon call":
            harness.reactor.soon(other)
        harness.reactor.soon(handler)
        if remover == "before the turn":
            harness.reactor.remove(handler)
        assert [call for call in (*harness.turn(), *harness.turn()) if call.startswith("b")] == []


def test_a_failing_on_soon_removes_only_its_handler() -> None:
    with ReactorHarness() as harness:
        broken, other = harness.add("a", ready=False), harness.add("b", ready=False)
        broken.then["soon"] = breaks
        for handler in (broken, other):
            harness.reactor.soon(handler)
        assert harness.turn() == ["a soon", "a failure", "b soon"]
        assert [key.data for key in harness.selector.get_map().values()] == [other]
