"""The log of slow callbacks: a slow hook, a slow turn, and what is not slow."""

import logging

import pytest

from reactor.event_handler import Interest
from reactor.logs.slow_callbacks import SlowCallbackLog
from tests.support.loop import ReactorHarness


def slow_warnings(harness: ReactorHarness, caplog: pytest.LogCaptureFixture) -> list[str]:
    caplog.set_level(logging.WARNING, "reactor")
    SlowCallbackLog(harness.reactor, 0.05)
    harness.turn()
    return [record.getMessage() for record in caplog.records if record.getMessage().startswith("slow")]


@pytest.mark.parametrize(
    ("interest", "hooks"),
    [
        (Interest.READ, "on_readable"),
        (Interest.WRITE, "on_writable"),
        (Interest.BOTH, "on_readable and on_writable"),
    ],
)
def test_a_slow_hook_is_logged_with_its_handler(
    interest: Interest, hooks: str, caplog: pytest.LogCaptureFixture
) -> None:
    with ReactorHarness() as harness:
        slow = harness.add("a", interest)
        harness.add("b")
        hook = "writable" if interest == Interest.WRITE else "readable"
        slow.then[hook] = lambda: setattr(harness.clock, "now", harness.clock.now + 0.9)
        assert slow_warnings(harness, caplog) == [
            f"slow callback: {hooks} of <a> blocked the loop for 900 ms"
        ]


def test_a_slow_deadline_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with ReactorHarness() as harness:
        late = harness.add_deadline("d", 0)
        late.then["deadline"] = lambda: setattr(harness.clock, "now", harness.clock.now + 0.2)
        assert slow_warnings(harness, caplog) == [
            "slow callback: on_deadline of <d> blocked the loop for 200 ms"
        ]


def test_a_turn_of_many_hooks_that_is_slow_in_total_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with ReactorHarness() as harness:
        for name in "abc":
            handler = harness.add(name)
            handler.then["readable"] = lambda: setattr(harness.clock, "now", harness.clock.now + 0.003)
        harness.reactor.at_turn_end(lambda: setattr(harness.clock, "now", harness.clock.now + 0.056))
        assert slow_warnings(harness, caplog) == [
            "slow turn: 65 ms (9 in callbacks, 3 handles were ready; 56 at the end of the turn)"
        ]


def test_a_fast_callback_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    with ReactorHarness() as harness:
        handler = harness.add("a")
        handler.then["readable"] = lambda: setattr(harness.clock, "now", harness.clock.now + 0.049)
        harness.selector.while_waiting = lambda: setattr(harness.clock, "now", harness.clock.now + 10)
        assert slow_warnings(harness, caplog) == []
