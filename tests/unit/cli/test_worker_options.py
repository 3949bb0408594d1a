"""--workers: its values, and the options that need a single process."""

import os
import socket
from pathlib import Path

import pytest

from reactor.cli.option_types import variable
from reactor.cli.options import make_parser, parse_options
from reactor.cli.processes import WorkerProcess, supervise
from reactor.cli.worker_options import MAX_WORKERS
from reactor.logs.stderr import StderrHandler
from reactor.settings import Settings
from reactor.workers.balance import ConnectionCounts
from reactor.workers.supervisor import Supervisor
from reactor.workers.worker import Worker
from tests.support.command import run_main


@pytest.mark.parametrize(
    ("text", "expected"),
    [("1", 1), ("2", 2), (str(MAX_WORKERS), MAX_WORKERS), ("auto", len(os.sched_getaffinity(0)))],
)
def test_a_number_or_auto(text: str, expected: int) -> None:
    parser = make_parser()
    assert parse_options(parser, ["--workers", text], {}).workers == expected
    assert parse_options(parser, [], {"REACTOR_WORKERS": text}).workers == expected


def test_a_single_process_is_the_default() -> None:
    assert parse_options(make_parser(), [], {}).workers == 1


def test_a_worker_may_use_the_delay_and_the_timeout_of_a_shutdown(monkeypatch: pytest.MonkeyPatch) -> None:
    options = parse_options(make_parser(), ["--port", "0", "--workers", "2"], {})
    made: list[Supervisor] = []
    monkeypatch.setattr(Supervisor, "run", lambda self, on_ready: made.append(self))
    settings = Settings(shutdown_delay=7.0, shutdown_timeout=11.0)
    supervise(options, settings, StderrHandler(), lambda: None, lambda worker, inspector: 0)
    (supervisor,) = made
    supervisor.close()
    assert supervisor.stop_timeout == 18.0


@pytest.mark.parametrize(
    ("number", "restarts", "removes"), [(1, 0, True), (2, 0, False), (1, 1, True), (2, 1, True)]
)
def test_leftovers_are_removed_by_the_first_worker_and_by_successors(
    number: int, restarts: int, removes: bool
) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        worker = Worker(number, 2, restarts, theirs, [], ConnectionCounts(2))
        assert WorkerProcess(worker, None, lambda: None).removes_leftovers is removes


def test_auto_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: range(1000))
    assert parse_options(make_parser(), ["--workers", "auto"], {}).workers == MAX_WORKERS


@pytest.mark.parametrize("text", ["0", "-1", "257", "two", "1.5", "", "9" * 5000, "\u0662"])
def test_an_invalid_number_is_one_line(text: str) -> None:
    done = run_main(f"--workers={text}")
    assert done.returncode == 2
    assert f"invalid number of workers: {text!r} (expected 1 to 256, or auto)" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("source", ["line", "environment", "file"])
def test_resumable_uploads_need_a_single_process(tmp_path: Path, source: str) -> None:
    config = tmp_path / "config.toml"
    config.write_text('workers = 2\ndirectory = "."\nresumable = true\n')
    action = next(each for each in make_parser()._actions if each.dest == "workers")
    done = {
        "line": lambda: run_main("--workers", "2", "--resumable", str(tmp_path)),
        "environment": lambda: run_main("--resumable", str(tmp_path), **{variable(action): "2"}),
        "file": lambda: run_main("--config", str(config)),
    }[source]()
    assert done.returncode == 2
    assert " needs a single process, which keeps the state of the uploads: omit it, or " in done.stderr
    assert done.stderr.count("\n") == 1
