"""Complete rounds against a running server, the precise selector, and the command line."""

import contextlib
import doctest
import importlib
import json
import selectors
import socket
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest

from benchmarks.load.pacing import precise_selector
from benchmarks.load.round import Job, RequestSpec, Result, Round, make_load
from tests.support.process import ROOT, ServerProcess, run_command

FOR_EVER = 20.0  # seconds, never reached
BRIEF = Job(connections=4, seconds=0.05)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    directory = tmp_path_factory.mktemp("shared")
    with (directory / "large").open("wb") as file:
        file.truncate(1 << 20)
    with ServerProcess("--no-access-log", "--directory", str(directory)) as process:
        yield process


def make_round(server: ServerProcess, job: Job, spec: RequestSpec | None = None) -> Round:
    spec = spec or RequestSpec()
    return Round(make_load(("127.0.0.1", server.port), spec, job), job)


# Rounds.


@pytest.mark.parametrize(
    ("job", "spec"),
    [
        (BRIEF, RequestSpec()),
        (BRIEF, RequestSpec("/echo/{n}", "{n}", ["X-Request-Id: {n}"])),
        (BRIEF, RequestSpec(lines=["Connection: close"])),
        (replace(BRIEF, depth=16), RequestSpec("/echo/{n}", "{n}")),
        (replace(BRIEF, connections=100), RequestSpec("/", "")),
    ],
    ids=["the same", "numbered", "new connections", "pipelined", "many"],
)
def test_a_closed_loop_counts_what_was_answered(server: ServerProcess, job: Job, spec: RequestSpec) -> None:
    result = make_round(server, job, spec).run()
    assert result.requests > 0
    assert (result.errors, result.established) == (0, job.connections)
    assert result.answers == result.requests == result.latency.count
    assert result.seconds >= job.seconds


def test_an_open_loop_sends_as_many_as_it_was_told(server: ServerProcess) -> None:
    result = make_round(server, replace(BRIEF, rate=1000, seconds=0.1)).run()
    assert (result.requests, result.errors, result.latency.count) == (100, 0, 100)


@pytest.mark.parametrize("spec", [RequestSpec(content="abd"), RequestSpec("/nothing", None)])
def test_wrong_answers_are_errors(server: ServerProcess, spec: RequestSpec) -> None:
    result = make_round(server, BRIEF, spec).run()
    assert result.requests == 0
    assert result.errors == result.answers > 0


def test_idle_connections_are_still_served_at_the_end(server: ServerProcess) -> None:
    result = make_round(server, replace(BRIEF, idle=100)).run()
    assert (result.idle_established, result.idle_kept, result.errors) == (100, 100, 0)


def test_idle_connections_that_were_closed_are_not_kept() -> None:
    with ServerProcess("--no-access-log", "--keep-alive-timeout", "0.1") as server:
        holding = make_round(server, Job(connections=0, seconds=FOR_EVER, idle=5))
        holding.stop_early = lambda: not holding.idle_held
        result = holding.run()
    assert (result.idle_established, result.idle_kept) == (5, 0)
    assert result.seconds < FOR_EVER


def test_large_files_are_carried_meanwhile(server: ServerProcess) -> None:
    job = replace(
        BRIEF,
        downloads=2,
        download="/files/large",
        download_size=1 << 20,
        uploads=2,
        upload="/files/upload-",
        upload_size=1 << 20,
    )
    result = make_round(server, job).run()
    assert (result.errors, result.failures) == (0, [])
    assert result.downloaded > 0
    assert result.uploaded > 0


@pytest.mark.parametrize(
    ("change", "failure"),
    [
        ({"downloads": 1, "download": "/files/none", "download_size": 1}, "download: status 404"),
        ({"downloads": 1, "download": "/files/large", "download_size": 1}, "download: status 200"),
        ({"uploads": 1, "upload": "/nowhere/", "upload_size": 1 << 20}, "upload: status 404"),
    ],
)
def test_who_cannot_carry_says_why(server: ServerProcess, change: dict[str, object], failure: str) -> None:
    result = make_round(server, replace(BRIEF, **change)).run()  # type: ignore[arg-type]
    assert [each[: len(failure)] for each in result.failures] == [failure]


def test_a_server_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CONNECT_TIMEOUT", "ANSWER_TIMEOUT"):
        monkeypatch.setattr(f"benchmarks.load.round.{name}", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        job = Job(connections=3, seconds=0.05, idle=2)
        result = Round(make_load(listener.getsockname(), RequestSpec(), job), job).run()
    assert (result.requests, result.established, result.idle_established) == (0, 0, 0)
    assert result.errors == 3


def test_a_result_survives_json(server: ServerProcess) -> None:
    result = make_round(server, BRIEF).run()
    again = Result.from_json(json.loads(json.dumps(result.to_json())))
    assert again.to_json() == result.to_json()
    assert again.latency.percentile(0.5) == result.latency.percentile(0.5)


# The selector.


@pytest.fixture
def selector() -> Iterator[selectors.BaseSelector]:
    selector = precise_selector()
    yield selector
    selector.close()


def test_it_wakes_by_itself_and_shows_no_timer(selector: selectors.BaseSelector) -> None:
    assert selector.select(0.0001) == []
    assert selector.select(0) == []


def test_a_ready_handle_ends_its_sleep_also_behind_a_timer(selector: selectors.BaseSelector) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        key = selector.register(ours, selectors.EVENT_READ)
        assert selector.select(0.0001) == []
        theirs.send(b"x")
        for timeout in (None, FOR_EVER, 0):
            assert selector.select(timeout) == [(key, selectors.EVENT_READ)]


def test_for_ever_is_not_until_an_old_timer_ends(selector: selectors.BaseSelector) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, contextlib.closing(precise_selector()) as other:
        key = selector.register(ours, selectors.EVENT_READ)
        theirs.send(b"x")
        assert selector.select(0.001) == [(key, selectors.EVENT_READ)]  # before the timer expires
        ours.recv(1)
        assert other.select(0.01) == []  # now it has expired

        def send_later() -> None:
            other.select(0.01)
            theirs.send(b"x")

        thread = threading.Thread(target=send_later)
        thread.start()
        assert selector.select(None) == [(key, selectors.EVENT_READ)]
        thread.join()


# The command line.


def load(*words: str) -> tuple[int, str, str]:
    done = run_command(sys.executable, "-m", "benchmarks.load", *words)
    return done.returncode, done.stdout, done.stderr


def test_a_person_reads_what_came_of_it(server: ServerProcess) -> None:
    code, said, _ = load(f"{server.url}/echo/abc", "--expect", "abc", "--seconds", "0.05", "--idle", "5")
    assert code == 0
    assert " 0 errors" in said
    assert "64 of 64 connections" in said
    assert "5 of 5 established, 5 kept" in said


def test_a_program_reads_json(server: ServerProcess) -> None:
    words = ("--rate", "500", "--seconds", "0.1", "--json", "--expect", "text")
    code, said, _ = load(server.url, "--path", "/user-agent", "--header", "User-Agent: text", *words)
    result = Result.from_json(json.loads(said))
    assert (code, result.requests, result.errors) == (0, 50, 0)


def test_errors_are_in_the_exit_code(server: ServerProcess) -> None:
    assert load(f"{server.url}/nothing", "--seconds", "0.05")[0] == 1


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["http://192.0.2.1/"], "unsupported URL"),
        (["https://127.0.0.1/"], "unsupported URL"),
        (["http://127.0.0.1:1/"], "refused"),
        (["http://127.0.0.1/", "--seconds", "0"], "must be greater than 0"),
        (["http://127.0.0.1/", "--idle", "100000000"], "open-file limit too low"),
    ],
)
def test_what_cannot_be_is_refused(words: list[str], reason: str) -> None:
    code, _, said = load(*words)
    assert code == 2
    assert reason in said


@pytest.mark.parametrize(
    "name", ["load.__main__", "load.responses", "load.histogram", "runner.config", "runner.interleaved"]
)
def test_examples_in_docstrings_are_right(name: str) -> None:
    failed, attempted = doctest.testmod(importlib.import_module(f"benchmarks.{name}"))
    assert attempted
    assert not failed


def test_each_part_is_named_in_the_reading_order() -> None:
    folder = ROOT / "benchmarks" / "load"
    parts = {path.name for path in folder.glob("*.py") if not path.name.startswith("__")}
    assert parts
    assert {name for name in parts if name not in (folder / "__main__.py").read_text()} == set()
