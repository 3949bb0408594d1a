"""The watchdog: the stack of a callback is logged while it blocks the loop, and nothing else is."""

import re
import threading
from collections.abc import Callable, Iterator

import pytest

from reactor.logs.watchdog import Watchdog
from reactor.loop import Reactor
from reactor.server.server import Server
from reactor.settings import Settings
from tests.support.loop import ReactorHarness
from tests.unit.server.test_server import routes

LIMIT = 5.0


class Watched(ReactorHarness):
    """A reactor with a watchdog, which checks only when the test calls ``pass_time``."""

    def __init__(self) -> None:
        super().__init__()
        self.watchdog = Watchdog(self.reactor, LIMIT)

    def pass_time(self, *seconds: float) -> Callable[[], None]:
        """Return a function during which time passes, with a check by the watchdog after each part."""

        def blocking_function() -> None:
            for each in seconds:
                self.clock.now += each
                self.watchdog.check(threading.get_ident())

        return blocking_function


@pytest.fixture
def watched() -> Iterator[Watched]:
    with Watched() as harness:
        harness.clock.now += 1
        yield harness


@pytest.mark.parametrize("callback", ["readable", "soon", "deadline"])
def test_the_stack_of_a_blocked_callback_is_logged_once(
    watched: Watched, callback: str, caplog: pytest.LogCaptureFixture
) -> None:
    handler = watched.add("a", ready=callback == "readable")
    if callback == "soon":
        watched.reactor.soon(handler)
    if callback == "deadline":
        handler = watched.add_deadline("d", 0)
    handler.then[callback] = watched.pass_time(LIMIT, 1, 1, 100)
    watched.turn()
    (record,) = caplog.records
    first, *stack = record.getMessage().split("\n")
    assert (record.levelname, first) == ("WARNING", "event loop blocked for 6 s (most recent call last):")
    functions = [match[1] for line in stack if (match := re.search(r", line \d+, in (\w+)$", line))]
    assert functions[-5:] == ["_dispatch", f"on_{callback}", "_called", "blocking_function", "check"]


def test_each_blocked_callback_is_logged(watched: Watched, caplog: pytest.LogCaptureFixture) -> None:
    for name in ("a", "b"):
        watched.add(name).then["readable"] = watched.pass_time(LIMIT + 1, 1)
    assert [len(watched.turn()) for _ in range(2)] == [1, 1]
    assert len(caplog.records) == 2


def test_a_function_at_the_end_of_a_turn_is_watched(caplog: pytest.LogCaptureFixture) -> None:
    with ReactorHarness() as harness:
        harness.clock.now += 1
        watchdogs: list[Watchdog] = []

        def flush() -> None:
            harness.clock.now += LIMIT + 1
            watchdogs[0].check(threading.get_ident())

        harness.reactor.at_turn_end(flush)
        watchdogs.append(Watchdog(harness.reactor, LIMIT))
        harness.clock.now += 1
        harness.turn()
    assert len(caplog.records) == 1


def test_a_loop_that_sleeps_is_not_blocked(watched: Watched, caplog: pytest.LogCaptureFixture) -> None:
    watched.selector.while_waiting = watched.pass_time(1000)
    for _ in range(3):
        watched.pass_time(1000)()  # between two turns
        watched.turn()
    assert caplog.records == []


def test_a_loop_that_wakes_up_during_a_check_is_not_blocked(
    watched: Watched, caplog: pytest.LogCaptureFixture
) -> None:
    reactor = watched.reactor
    watched.turn()
    watched.clock.now += 1000

    def clock_while_waking_up() -> float:
        reactor.began = reactor.returned = watched.clock.now
        return watched.clock.now

    reactor.clock = clock_while_waking_up
    watched.watchdog.check(threading.get_ident())
    assert caplog.records == []


def test_many_short_callbacks_are_not_reported(watched: Watched, caplog: pytest.LogCaptureFixture) -> None:
    for name in "abc":
        watched.add(name).then["readable"] = watched.pass_time(LIMIT)
    assert len([call for _ in range(3) for call in watched.turn()]) == 3
    assert caplog.records == []


def watching_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "watchdog"]


@pytest.mark.parametrize(("limit", "threads"), [(0, 0), (1e-9, 1), (5, 1), (9e15, 1)])
def test_a_thread_checks_only_while_a_server_with_a_limit_runs(limit: float, threads: int) -> None:
    seen = []

    def note() -> None:
        seen.append(len(watching_threads()))
        server.stop()

    with Server(routes(), port=0, settings=Settings(watchdog=limit)) as server:
        for _ in range(2):
            assert watching_threads() == []
            server.call_soon(note)
            if not seen:
                server.run()
    assert seen == [threads]
    assert watching_threads() == []


def test_the_watchdog_is_off_by_default() -> None:
    assert Settings().watchdog == 0
    reactor = Reactor()
    Watchdog(reactor, 0)
    assert reactor._turn_ends == []  # costs nothing
    reactor.close()
