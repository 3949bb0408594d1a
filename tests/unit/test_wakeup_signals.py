"""The signal handle: signals arrive as events, and the previous handlers are restored."""

import gc
import os
import signal
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from functools import partial
from operator import contains
from select import select

import pytest

from reactor.event_handler import EventHandler
from reactor.loop import Reactor
from reactor.wakeup import BLOCKED_AFTER, SignalHandle

OURS = (signal.SIGUSR1, signal.SIGUSR2)


class Timeout(EventHandler):
    """Fails a test that waits for a signal that never arrives."""

    def on_deadline(self) -> None:
        raise AssertionError("no signal arrived in time")


@pytest.fixture(autouse=True)
def _signals_as_before() -> Iterator[None]:
    before = [signal.getsignal(number) for number in OURS]
    yield
    for number, handler in zip(OURS, before, strict=True):
        signal.signal(number, handler)
    signal.set_wakeup_fd(-1)


def wakeup_descriptor() -> int:
    descriptor = signal.set_wakeup_fd(-1)
    signal.set_wakeup_fd(descriptor)
    return descriptor


def catching(numbers: Iterable[int]) -> SignalHandle:
    signals = SignalHandle(lambda number: None)
    signals.catch(numbers)
    return signals


def turns_until(reactor: Reactor, done: Callable[[], bool]) -> None:
    timeout = Timeout(deadline=reactor.now + 20)
    reactor.register(timeout)
    while not done() and timeout.deadline < float("inf"):
        reactor.turn()
    assert done()


def read_signals(*numbers: int) -> list[int]:
    """Send these signals to this process; return those that a reactor reports."""
    came: list[int] = []
    reactor = Reactor()
    signals = SignalHandle(came.append)
    try:
        reactor.register(signals)
        signals.catch(OURS)
        for number in numbers:
            os.kill(os.getpid(), number)
        assert came == [], "a signal was handled outside the reactor's turn"
        turns_until(reactor, lambda: len(came) >= len(numbers))
        assert not select([signals.handle], [], [], 0)[0], "the loop would not sleep"
    finally:
        reactor.remove(signals)
        signals.close()
        reactor.close()
    return came


def test_a_signal_arrives_as_an_event() -> None:
    assert read_signals(signal.SIGUSR1) == [signal.SIGUSR1]


def test_a_second_restore_changes_nothing() -> None:
    signals = SignalHandle(lambda number: None)
    before = signal.getsignal(signal.SIGUSR1)
    try:
        signals.catch([signal.SIGUSR1])
        signals.restore()
        assert signal.getsignal(signal.SIGUSR1) == before
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)
        signals.close()
        assert signal.getsignal(signal.SIGUSR1) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGUSR1, before)
        signals.close()


def test_several_signals_arrive_in_order() -> None:
    numbers = [signal.SIGUSR2, signal.SIGUSR1, signal.SIGUSR2]
    assert read_signals(*numbers) == numbers


def test_no_signal_is_lost_or_reported_when_the_wakeup_buffer_is_full(
    capfd: pytest.CaptureFixture[str],
) -> None:
    numbers = [signal.SIGUSR1] * 3000
    assert read_signals(*numbers) == numbers
    assert capfd.readouterr() == ("", "")


def test_a_signal_wakes_a_sleeping_reactor() -> None:
    came: list[int] = []
    reactor = Reactor()
    signals = SignalHandle(came.append)
    main = threading.main_thread().ident
    assert main is not None
    sender = threading.Thread(target=signal.pthread_kill, args=(main, signal.SIGUSR1))
    try:
        reactor.register(signals)
        signals.catch(OURS)
        sender.start()
        turns_until(reactor, lambda: bool(came))
    finally:
        sender.join()
        reactor.remove(signals)
        signals.close()
        reactor.close()
    assert came == [signal.SIGUSR1]


def test_other_signals_are_not_handled() -> None:
    own: list[int] = []
    signal.signal(signal.SIGUSR2, lambda number, frame: own.append(number))
    came: list[int] = []
    reactor = Reactor()
    signals = SignalHandle(came.append)
    try:
        reactor.register(signals)
        signals.catch([signal.SIGUSR1])
        os.kill(os.getpid(), signal.SIGUSR2)
        os.kill(os.getpid(), signal.SIGUSR1)
        turns_until(reactor, lambda: bool(came))
    finally:
        reactor.remove(signals)
        signals.close()
        reactor.close()
    assert came == [signal.SIGUSR1]
    assert own == [signal.SIGUSR2]


@pytest.mark.parametrize("before", [signal.SIG_IGN, signal.SIG_DFL, lambda number, frame: None])
def test_closing_restores_the_previous_signal_handler(before: signal.Handlers) -> None:
    signal.signal(signal.SIGUSR1, before)
    signals = catching(OURS)
    assert signal.getsignal(signal.SIGUSR1) is not before
    signals.close()
    assert signal.getsignal(signal.SIGUSR1) is before


def test_closing_restores_the_wakeup_descriptor() -> None:
    outer = catching([signal.SIGUSR2])
    descriptor = wakeup_descriptor()
    inner = catching([signal.SIGUSR1])
    assert wakeup_descriptor() not in (descriptor, -1)
    inner.close()
    assert wakeup_descriptor() == descriptor
    outer.close()
    assert wakeup_descriptor() == -1


def test_closing_closes_both_ends() -> None:
    signals = catching(OURS)
    ends = signals.handle.fileno(), wakeup_descriptor()
    signals.close()
    for descriptor in ends:
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(descriptor)


def test_outside_the_main_thread_it_fails_and_leaves_nothing_open() -> None:
    faults: list[str] = []

    def construct() -> None:
        signals = SignalHandle(lambda number: None)
        try:
            signals.catch(OURS)
        except ValueError as error:
            faults.append(str(error))
        signals.close()

    thread = threading.Thread(target=construct)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ResourceWarning)
        thread.start()
        thread.join(20)
        gc.collect()
    assert len(faults) == 1
    assert wakeup_descriptor() == -1
    assert [str(each.message) for each in caught] == []


def test_an_exception_is_logged_and_the_next_signal_is_handled(caplog: pytest.LogCaptureFixture) -> None:
    came: list[int] = []

    def fail_once(number: int) -> None:
        came.append(number)
        if len(came) == 1:
            raise RuntimeError("planted")

    reactor = Reactor()
    signals = SignalHandle(fail_once)
    try:
        reactor.register(signals)
        signals.catch(OURS)
        for number in OURS:
            os.kill(os.getpid(), number)
            turns_until(reactor, partial(contains, came, number))
    finally:
        reactor.remove(signals)
        signals.close()
        reactor.close()
    assert came == list(OURS)
    assert f"unhandled exception while handling signal {OURS[0]:d}" in caplog.text


def test_a_closed_wakeup_descriptor_is_not_restored() -> None:
    outer = catching([signal.SIGUSR2])
    inner = catching([signal.SIGUSR1])
    signal.set_wakeup_fd(-1)
    outer.restore()
    outer.close()
    inner.close()
    assert wakeup_descriptor() == -1


@pytest.mark.parametrize(
    ("numbers", "seconds", "interrupted"),
    [
        ((signal.SIGTERM, signal.SIGTERM), BLOCKED_AFTER, True),
        ((signal.SIGINT, signal.SIGUSR1, signal.SIGTERM), BLOCKED_AFTER / 2, True),
        ((signal.SIGTERM, signal.SIGTERM), BLOCKED_AFTER * 0.9, False),
        ((signal.SIGTERM, signal.SIGUSR1), BLOCKED_AFTER, False),
        ((signal.SIGUSR1, signal.SIGUSR1, signal.SIGTERM), BLOCKED_AFTER, False),
        ((signal.SIGTERM,), BLOCKED_AFTER, False),
    ],
)
def test_a_second_signal_interrupts_a_callback_that_blocks_the_loop(
    numbers: tuple[signal.Signals, ...], seconds: float, interrupted: bool
) -> None:
    now = 100.0
    handled: list[int] = []
    signals = SignalHandle(handled.append, lambda number: number != signal.SIGUSR1, lambda: now)
    try:
        with pytest.raises(KeyboardInterrupt) if interrupted else nullcontext():
            for number in numbers:
                signals._note(number, None)
                now += seconds
        signals.on_readable()
        assert handled == list(numbers[:-1] if interrupted else numbers)
        signals._note(signal.SIGTERM, None)  # the loop has run, or it was interrupted once
        now += BLOCKED_AFTER / 2
        signals.on_readable()
        for _ in range(2):
            signals._note(signal.SIGTERM, None)
    finally:
        signals.close()
