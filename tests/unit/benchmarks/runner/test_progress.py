"""Progress of a run, with a fake clock."""

import io

import pytest

from benchmarks.runner.progress import LINE_INTERVAL, START, Progress


class Clock:
    """A clock that is advanced by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Terminal(io.StringIO):
    """An output whose isatty() is True."""

    def isatty(self) -> bool:
        return True


def progress(out: io.StringIO, clock: Clock) -> Progress:
    return Progress(out, ["a", "b"], clock)


def test_a_terminal_has_one_line_that_is_rewritten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    out, clock = Terminal(), Clock()
    shown = progress(out, clock)
    shown.begin("b")
    clock.now += 30
    shown.show("round 1")
    assert "\n" not in out.getvalue()
    assert out.getvalue().split(START)[-1] == "[2/2 b] round 1; 30 s"
    shown.end()
    assert out.getvalue().endswith(START)


def test_a_line_is_never_wider_than_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    out = Terminal()
    shown = progress(out, Clock())
    shown.begin("a")
    shown.show("word " * 100)
    assert len(out.getvalue().split(START)[-1]) < 60


def test_a_file_gets_a_line_every_few_seconds() -> None:
    out, clock = io.StringIO(), Clock()
    shown = progress(out, clock)
    shown.begin("a")
    shown.show("too soon")
    clock.now += LINE_INTERVAL
    shown.show("late enough")
    assert [line.split(";")[0] for line in out.getvalue().splitlines()] == [
        "[1/2 a] starting",
        "[1/2 a] late enough",
    ]
