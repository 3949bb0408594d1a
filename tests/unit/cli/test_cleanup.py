"""The cleanup after the start: nothing is searched before the port is open, and little in each turn."""

import logging
import os
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from reactor.cli import main
from reactor.cli.cleanup import TURN_SHARE, Cleanup
from reactor.handlers.files.directory import BATCH
from reactor.handlers.files.paths import TEMPORARY_PREFIX
from reactor.handlers.files.store import Store
from reactor.loop import Reactor
from tests.support.command import CommandServer, clean_process
from tests.support.in_process import Clock, EagerSelector


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def reactor(clock: Clock) -> Iterator[Reactor]:
    one = Reactor(EagerSelector(), clock)
    yield one
    one.close()


class Steps:
    """Steps that take some time and remove a file each."""

    def __init__(self, clock: Clock, count: int, seconds: float) -> None:
        self.done = 0
        self.closed = False
        self._clock, self._count, self._seconds = clock, count, seconds

    def run(self) -> Generator[int, None, None]:
        try:
            for _ in range(self._count):
                self.done += 1
                self._clock.now += self._seconds
                yield 1
        finally:
            self.closed = True


@pytest.mark.parametrize(
    ("seconds", "steps"), [(TURN_SHARE * 2, 1), (TURN_SHARE, 1), (TURN_SHARE / 2, 2), (TURN_SHARE / 8, 8)]
)
def test_a_turn_runs_steps_for_its_share_of_time(
    reactor: Reactor, clock: Clock, seconds: float, steps: int
) -> None:
    work = Steps(clock, 16, seconds)
    reactor.soon(Cleanup(reactor, work.run()))
    assert work.done == 0
    for turn in range(1, 4):
        reactor.turn()
        assert work.done == min(16, turn * steps)


def test_the_number_of_files_is_logged_once(
    reactor: Reactor, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "reactor")
    for count in (0, 1, 3):
        work = Steps(clock, count, TURN_SHARE)
        cleanup = Cleanup(reactor, work.run())
        reactor.soon(cleanup)
        for _ in range(5):
            reactor.turn()
        cleanup.close()
        assert work.closed or not count
    assert [record.getMessage() for record in caplog.records] == [
        "removed 1 unfinished upload",
        "removed 3 unfinished uploads",
    ]


def test_the_steps_end_with_the_server(
    reactor: Reactor, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "reactor")
    work = Steps(clock, 9, TURN_SHARE)
    cleanup = Cleanup(reactor, work.run())
    reactor.soon(cleanup)
    reactor.turn()
    cleanup.close()
    reactor.turn()
    assert (work.done, work.closed) == (1, True)
    assert [record.getMessage() for record in caplog.records] == ["removed 1 unfinished upload"]


def test_no_entry_is_read_before_the_port_is_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    searched: list[Any] = []
    scandir = os.scandir

    def record(path: Any) -> Any:
        searched.append(path)
        return scandir(path)

    (tmp_path / f"{TEMPORARY_PREFIX}1-1").touch()
    monkeypatch.setattr(os, "scandir", record)
    monkeypatch.setattr(os, "listdir", record)
    before: list[int] = []
    with clean_process({}):
        monkeypatch.setattr(main, "serve", lambda *values, **named: before.append(len(searched)))
        assert main.main([str(tmp_path)]) == 0
    assert before == [0]
    assert os.path.exists(tmp_path / f"{TEMPORARY_PREFIX}1-1")


NAMES = {
    "plain": b"below",
    "not UTF-8": b"\xff\xfe",
    "ESC": b"a\x1b]0;owned\x07",
    "line break": b"a\nreactor: error: b",
}


@pytest.mark.parametrize("refused", [False, True])
@pytest.mark.parametrize("kind", NAMES)
def test_leftovers_are_removed_while_requests_are_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, refused: bool
) -> None:
    """Also if a directory cannot be read, or its name is not UTF-8."""
    directory = os.fsencode(tmp_path) + b"/" + NAMES[kind]
    os.mkdir(directory)
    first, second = os.fsencode(TEMPORARY_PREFIX) + b"1-1", os.fsencode(TEMPORARY_PREFIX) + b"1-2"
    paths = [os.fsencode(tmp_path) + b"/" + first, directory + b"/" + second]
    for path in paths:
        os.close(os.open(path, os.O_CREAT))
    if refused:
        real_open = os.open

        def refuse(path: Any, *values: Any, **named: Any) -> int:
            if path == NAMES[kind]:
                raise PermissionError(13, "Permission denied")
            return real_open(path, *values, **named)

        monkeypatch.setattr(os, "open", refuse)
    with CommandServer(str(tmp_path)) as server:
        server.keep_asking_until(lambda: [os.path.exists(path) for path in paths] == [False, refused])
        server.terminate()
        lines = server.stderr.rest()
    count = "1 unfinished upload" if refused else "2 unfinished uploads"
    assert f"reactor: removed {count}" in lines
    assert all(line.isprintable() for line in lines)
    warnings = [line for line in lines if "cannot search" in line]
    assert len(warnings) == refused
    if refused:
        shown = repr(os.fsdecode(NAMES[kind])).replace("\\\\", "\\")
        assert warnings == [
            "reactor: warning: cannot search 1 of the directories for unfinished uploads, "
            f"the first is {shown}: Permission denied"
        ]


@pytest.mark.parametrize("options", [(), ("--read-only",)])
def test_a_read_only_start_removes_nothing(tmp_path: Path, options: tuple[str, ...]) -> None:
    leftover = tmp_path / f"{TEMPORARY_PREFIX}1-1"
    leftover.touch()
    with CommandServer(str(tmp_path), *options) as server:
        server.keep_asking_until(lambda: bool(options) or not leftover.exists())
        server.get("/")
    assert leftover.exists() is bool(options)


@pytest.mark.parametrize("options", [(), ("--inspect", "0"), ("--explain",)])
def test_the_cleanup_does_not_wait_for_a_request(tmp_path: Path, options: tuple[str, ...]) -> None:
    (tmp_path / f"{TEMPORARY_PREFIX}1-1").touch()
    with CommandServer(str(tmp_path), *options) as server:
        while (line := server.stderr.next()) != "reactor: removed 1 unfinished upload":
            assert line is not None


def test_a_stop_ends_the_cleanup_and_logs_what_was_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / f"{TEMPORARY_PREFIX}1-1").touch()

    def run_until_the_first_is_removed(self: Cleanup) -> None:
        while not self._removed:
            self._removed += next(self._steps)

    monkeypatch.setattr(Cleanup, "on_soon", run_until_the_first_is_removed)
    with CommandServer(str(tmp_path)) as server:
        server.get("/")
        server.terminate()
        assert "reactor: removed 1 unfinished upload" in server.stderr.rest()
    assert len(list(tmp_path.glob("*/.*"))) == 2


def test_each_directory_is_a_step_even_if_it_is_empty(tmp_path: Path) -> None:
    for number in range(9):
        (tmp_path / str(number)).mkdir()
    store = Store(tmp_path)
    assert len(list(store.remove_leftovers())) >= 10
    store.close()


def test_a_large_directory_is_searched_in_batches(tmp_path: Path) -> None:
    for number in range(BATCH * 2 + 1):
        (tmp_path / f"{TEMPORARY_PREFIX}1-{number}").touch()
    store = Store(tmp_path)
    steps = list(store.remove_leftovers())
    store.close()
    assert sum(steps) == BATCH * 2 + 1
    assert max(steps) == BATCH
