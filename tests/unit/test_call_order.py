"""An overloaded loop: turns of bounded length, and the order of the calls that are left over."""

import itertools

import pytest

from reactor import call_order
from reactor.call_order import MAX_SHORT, TURN_SHARE
from reactor.event_handler import EventHandler, Interest
from reactor.loop import Reactor
from tests.support.in_process import Clock
from tests.support.loop import ReactorHarness, Recorder

LONG = TURN_SHARE * 0.7  # two such calls use the share of a turn
SHORT = TURN_SHARE / 100


def lasting(harness: ReactorHarness, name: str, seconds: float, again: bool = True) -> Recorder:
    """Add a ready handler whose calls last this long; with ``again``, each makes it ready again."""
    handler = harness.add(name)

    def call() -> None:
        harness.clock.now += seconds
        if again:
            harness.peer_of(handler).send(b"x")

    handler.then["readable"] = call
    return handler


def names(calls: list[str]) -> str:
    return "".join(call.split()[0] for call in calls)


def overload(harness: ReactorHarness, count: int = 4) -> list[Recorder]:
    """Overload the loop by ready handlers with long calls: a, b, c, ..."""
    handlers = [lasting(harness, name, LONG) for name in "abcdefgh"[:count]]
    assert names(harness.turn()) == "ab"
    for _ in range(count):  # until each has been called
        harness.turn()
    return handlers


def test_a_turn_ends_when_its_share_is_used_and_the_next_does_not_sleep() -> None:
    with ReactorHarness() as harness:
        for name in "abc":
            lasting(harness, name, LONG, again=False)
        assert [names(harness.turn()) for _ in range(2)] == ["ab", "c"]
        assert harness.selector.timeout == 0 or names(harness.turn()) == ""


def test_calls_within_the_share_are_all_in_one_turn() -> None:
    with ReactorHarness() as harness:
        for name in "abcdefgh":
            lasting(harness, name, TURN_SHARE / 10)
        assert [names(harness.turn()) for _ in range(3)] == ["abcdefgh"] * 3


def test_long_calls_take_turns() -> None:
    with ReactorHarness() as harness:
        overload(harness)
        calls = "".join(names(harness.turn()) for _ in range(40))
        counts = [calls.count(name) for name in "abcd"]
        assert max(counts) - min(counts) <= 1, calls


def measure(harness: ReactorHarness, handler: Recorder) -> None:
    """Let a handler be called once while the loop is overloaded."""
    harness.peer_of(handler).send(b"x")
    assert any(handler.name in names(harness.turn()) for _ in range(20))


@pytest.mark.parametrize("clients", [4, 8])
def test_a_short_call_waits_for_one_turn_only(clients: int) -> None:
    with ReactorHarness() as harness:
        overload(harness, clients)
        short = lasting(harness, "x", SHORT, again=False)
        measure(harness, short)
        for _ in range(20):
            harness.peer_of(short).send(b"x")
            assert names(harness.turn())[0] == "x"


def test_the_first_call_is_measured_without_the_time_to_order_the_calls(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with ReactorHarness() as harness:

        def slow_groups(waiting: dict[EventHandler, int]) -> object:
            harness.clock.now += 2 * LONG
            return groups(waiting)

        groups = call_order._groups
        monkeypatch.setattr(call_order, "_groups", slow_groups)
        overload(harness)
        short = lasting(harness, "x", SHORT, again=False)
        measure(harness, short)
        for _ in range(20):
            harness.peer_of(short).send(b"x")
            assert names(harness.turn())[0] == "x"


def test_calls_have_twice_the_time_of_a_long_poll(monkeypatch: pytest.MonkeyPatch) -> None:
    with ReactorHarness() as harness:
        overload(harness, 8)
        select = harness.selector.select

        def poll(timeout: float | None = None) -> object:
            harness.clock.now += 4 * LONG
            return select(timeout)

        monkeypatch.setattr(harness.selector, "select", poll)
        assert sorted(names(harness.turn())) == list("abcdefgh")


def test_calls_after_a_long_poll_are_bounded_and_deadlines_follow(monkeypatch: pytest.MonkeyPatch) -> None:
    with ReactorHarness() as harness:
        overload(harness, 8)
        for name in "ijklmnop":
            lasting(harness, name, LONG)
        for number in range(20):
            name = f"d{number:02}"
            timer = harness.add(name, ready=False, deadline=harness.clock.now)
            timer.then["deadline"] = lambda: setattr(harness.clock, "now", harness.clock.now + SHORT)
        select = harness.selector.select

        def poll(timeout: float | None = None) -> object:
            harness.clock.now += 1.0
            return select(timeout)

        monkeypatch.setattr(harness.selector, "select", poll)
        began = harness.clock.now + 1.0
        calls = harness.turn()
        assert sum(call.endswith("deadline") for call in calls) == 20
        assert harness.clock.now - began < 2 * call_order.MAX_SHARE + LONG


def test_calls_before_the_overload_count() -> None:
    with ReactorHarness() as harness:
        short = lasting(harness, "x", SHORT, again=False)
        assert names(harness.turn()) == "x"
        for name in "abcdefgh":
            lasting(harness, name, LONG)
        harness.peer_of(short).send(b"x")
        assert names(harness.turn()) == "ab"
        assert names(harness.turn())[0] == "x"


def test_many_that_write_with_shorter_calls_do_not_delay_a_short_request() -> None:
    with ReactorHarness() as harness:
        overload(harness)
        for number in range(2 * MAX_SHORT):
            writer = harness.add(f"w{number}", ready=False)
            writer.then["writable"] = lambda: setattr(harness.clock, "now", harness.clock.now + SHORT / 2)
            writer.interest = Interest.WRITE
            harness.reactor.refresh(writer)
        short = lasting(harness, "x", SHORT, again=False)
        measure(harness, short)
        calls = []
        for _ in range(60):
            harness.peer_of(short).send(b"x")
            calls += harness.turn()
        assert calls.count("x readable") == 60
        assert sum(call.startswith("w") for call in calls) > 2 * MAX_SHORT, "they are called, too"


@pytest.mark.parametrize("durations", [[SHORT, SHORT, 50 * SHORT], [SHORT, 3 * SHORT, 3 * SHORT, 3 * SHORT]])
def test_single_longer_calls_do_not_make_a_client_slow(durations: list[float]) -> None:
    with ReactorHarness() as harness:
        overload(harness)
        each = itertools.chain(durations, itertools.repeat(SHORT))
        short = harness.add("x", ready=False)
        short.then["readable"] = lambda: setattr(harness.clock, "now", harness.clock.now + next(each))
        measure(harness, short)
        for _ in range(10):
            harness.peer_of(short).send(b"x")
            assert names(harness.turn())[0] == "x"


def test_a_client_whose_calls_become_long_waits_like_others() -> None:
    with ReactorHarness() as harness:
        overload(harness)
        changed = lasting(harness, "x", SHORT, again=False)
        measure(harness, changed)
        changed.then["readable"] = lambda: setattr(harness.clock, "now", harness.clock.now + 1.2 * LONG)
        first = []
        for _ in range(60):
            harness.peer_of(changed).send(b"x")
            first.append(names(harness.turn())[0] == "x")
        assert first[0], "its average is still short"
        assert sum(first[30:]) <= 10, "once in four calls"


def test_a_client_is_not_short_because_of_one_short_call() -> None:
    with ReactorHarness() as harness:
        overload(harness)
        long = lasting(harness, "x", LONG, again=False)
        short = lasting(harness, "y", LONG / 2, again=False)
        for handler in (long, short):
            measure(harness, handler)
        long.then["readable"] = lambda: setattr(harness.clock, "now", harness.clock.now + SHORT)
        measure(harness, long)
        for handler in (long, short):
            harness.peer_of(handler).send(b"x")
        assert names(harness.turn())[0] == "y"


def test_the_length_of_a_call_is_its_processor_time() -> None:
    other = Clock(0.0)  # the time in which other processes have run
    with ReactorHarness(
        lambda selector, clock: Reactor(selector, clock, None, lambda: clock() - other())
    ) as harness:
        overload(harness)
        long, interrupted = (lasting(harness, name, LONG, again=False) for name in "xy")
        call = interrupted.then["readable"]

        def be_interrupted() -> None:
            other.advance(LONG - SHORT)
            call()

        interrupted.then["readable"] = be_interrupted
        for handler in (long, interrupted):
            measure(harness, handler)
        for handler in (long, interrupted):
            harness.peer_of(handler).send(b"x")
        assert names(harness.turn())[0] == "y"


def test_a_new_client_does_not_wait_for_all_long_calls() -> None:
    with ReactorHarness() as harness:
        overload(harness, 8)
        harness.add("x")
        assert "x" in names(harness.turn())


def test_new_clients_do_not_stop_the_others() -> None:
    with ReactorHarness() as harness:
        overload(harness, 3)
        calls = ""
        for number in range(20):
            lasting(harness, f"n{number}", LONG, again=False)
            calls += "".join(name[0] for name in harness.turn())
        assert min(calls.count(name) for name in "abc") >= 4, calls


class Urgent(Recorder):
    is_urgent = True


def test_an_urgent_handler_is_called_first_whatever_its_calls_take(monkeypatch: pytest.MonkeyPatch) -> None:
    with ReactorHarness() as harness:
        monkeypatch.setattr("tests.support.loop.Recorder", Urgent)
        lasting(harness, "z", 2 * LONG)
        monkeypatch.undo()
        overload(harness)
        assert [names(harness.turn())[0] for _ in range(5)] == ["z"] * 5


def test_a_deadline_waits_for_the_bytes_that_are_left_over() -> None:
    with ReactorHarness() as harness:
        handlers = overload(harness)
        left_over = handlers[3]
        left_over.deadline = harness.clock.now
        harness.reactor.refresh(left_over)
        calls = [call for _ in range(4) for call in harness.turn() if call.startswith("d")]
        assert calls[0] == "d readable"
        assert "d deadline" in calls


def test_soon_shares_the_turn_and_is_not_lost() -> None:
    with ReactorHarness() as harness:
        overload(harness)
        handler = harness.add("s", ready=False)
        harness.reactor.soon(handler)
        assert [call for _ in range(3) for call in harness.turn() if call.startswith("s")] == ["s soon"]


def test_long_calls_of_soon_end_a_turn() -> None:
    with ReactorHarness() as harness:
        for name in "stu":
            handler = harness.add(name, ready=False)
            handler.then["soon"] = lambda: setattr(harness.clock, "now", harness.clock.now + LONG)
            harness.reactor.soon(handler)
        assert [names(harness.turn()) for _ in range(2)] == ["st", "u"]


def test_a_removed_handler_that_was_left_over_is_not_called() -> None:
    with ReactorHarness() as harness:
        handlers = overload(harness)
        harness.reactor.remove(handlers[2])
        assert handlers[2] not in harness.reactor._order.left_over
        assert "c" not in "".join(names(harness.turn()) for _ in range(6))


@pytest.mark.parametrize("count", [7, 40])
def test_passed_deadlines_are_divided_among_turns(count: int) -> None:
    with ReactorHarness() as harness:
        for number in range(count):
            handler = harness.add_deadline(f"d{number:02}", 0)
            handler.then["deadline"] = lambda: setattr(harness.clock, "now", harness.clock.now + LONG)
        turns: list[list[str]] = []
        while sum(map(len, turns)) < count:
            turns.append(harness.turn())
            assert 0 < len(turns[-1]) <= 3
        called = [call for calls in turns for call in calls]
        assert called == [f"d{number:02} deadline" for number in range(count)]


def test_without_overload_the_order_is_that_of_the_selector() -> None:
    with ReactorHarness() as harness:
        long = overload(harness, 3)
        for name in "xy":
            lasting(harness, name, SHORT)
        for _ in range(8):
            harness.turn()
        for handler in long:
            harness.reactor.remove(handler)
        harness.turn()
        assert [names(harness.turn()) for _ in range(2)] == ["xy", "xy"]
        assert harness.reactor._order.left_over == {}
