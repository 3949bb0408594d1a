"""Signals before and after serving: the exit code of the process is 0."""

import signal
from collections.abc import Iterator

import pytest

from reactor.cli import main
from reactor.cli.main import ENDING_SIGNALS, SignalsOutsideServing, StoppedError


@pytest.fixture(autouse=True)
def _restore_signals(no_ignored_signals: None) -> Iterator[None]:
    handlers = {number: signal.getsignal(number) for number in ENDING_SIGNALS}
    yield
    # Unblock first, so that pending signals are ignored, as they are now.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING_SIGNALS)
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_before_serving_stops(number: signal.Signals) -> None:
    signals = SignalsOutsideServing()
    with pytest.raises(StoppedError):
        signal.raise_signal(number)
    signal.raise_signal(number)  # a second one changes nothing
    with pytest.raises(StoppedError):
        signals.note_ready()


def test_sigusr1_before_serving_does_nothing() -> None:
    signals = SignalsOutsideServing()
    signal.raise_signal(signal.SIGUSR1)
    signals.note_ready()


def test_an_ignored_signal_stays_ignored() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    SignalsOutsideServing()
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


def test_after_serving_signals_are_ignored() -> None:
    signals = SignalsOutsideServing()
    signals.note_ready()
    signal.raise_signal(signal.SIGTERM)
    signals.ignore()
    for number in ENDING_SIGNALS:
        assert signal.getsignal(number) is signal.SIG_IGN
        signal.raise_signal(number)


def test_the_exit_code_of_a_stopped_start_is_0(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(main, "main", lambda on_ready: signal.raise_signal(signal.SIGTERM))
    assert main.command() == 0


def test_the_exit_code_is_that_of_main(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(main, "main", lambda on_ready: on_ready() or 3)
    assert main.command() == 3
