"""Complete rounds against a running server, and the precise selector."""

import doctest
import importlib
import selectors
import socket
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from benchmarks.load.pacing import PreciseSelector
from benchmarks.load.round import Job, Round
from benchmarks.results.samples import Sample
from tests.support.process import ROOT, ServerProcess

FOR_EVER = 20.0  # seconds, never reached
BRIEF = Job(connections=4, seconds=0.05)
IDLE = Job(connections=5, idle=True)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, int]]:
    with ServerProcess("--no-access-log", "--directory", str(tmp_path_factory.mktemp("shared"))) as process:
        yield "127.0.0.1", process.port


def run(address: tuple[str, int], job: Job) -> Sample:
    """Run all phases of a job."""
    with Round(address, job) as running:
        running.connect()
        running.warm_up()
        return running.measure()


# Rounds.


@pytest.mark.parametrize(
    "job",
    [
        BRIEF,
        replace(BRIEF, target="/echo/{n}", expected=b"{n}"),
        replace(BRIEF, connections=100, target="/", expected=b""),
    ],
    ids=["the same", "numbered", "many"],
)
def test_a_closed_loop_counts_responses(address: tuple[str, int], job: Job) -> None:
    sample = run(address, job)
    assert sample.requests > 0
    assert (sample.errors, sample.failures) == (0, {})
    assert (sample.asked, sample.established) == (job.connections, job.connections)
    assert sample.requests == sample.latency.count
    assert sample.verified == sample.requests
    assert sample.seconds >= job.seconds


def test_an_open_loop_sends_rate_times_seconds_requests(address: tuple[str, int]) -> None:
    sample = run(address, replace(BRIEF, rate=1000, seconds=0.1))
    assert (sample.requests, sample.errors, sample.latency.count) == (100, 0, 100)
    assert sample.intended == 1000


@pytest.mark.parametrize(
    ("change", "failure"),
    [({"expected": b"abd"}, "wrong body"), ({"target": "/nothing"}, "404")],
)
def test_wrong_responses_are_errors_by_reason(
    address: tuple[str, int], change: dict[str, object], failure: str
) -> None:
    sample = run(address, replace(BRIEF, **change))  # type: ignore[arg-type]
    assert sample.requests == 0
    assert sample.failures == {failure: sample.errors}
    assert sample.errors > 0


@pytest.fixture
def brief_timeouts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give up soon."""
    for name in ("CONNECT_TIMEOUT", "ANSWER_TIMEOUT"):
        monkeypatch.setattr(f"benchmarks.load.round.{name}", 0.05)


@pytest.mark.usefixtures("brief_timeouts")
@pytest.mark.parametrize("rate", [0, 100])
def test_requests_to_a_silent_server_time_out(rate: float) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        sample = run(listener.getsockname(), Job(connections=3, seconds=0.05, rate=rate))
    assert (sample.requests, sample.established) == (0, 0)
    assert sample.failures == {"timeout": sample.errors}
    assert sample.errors >= 3


@pytest.mark.usefixtures("brief_timeouts")
def test_refused_connections_are_errors() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = listener.getsockname()
    sample = run(address, BRIEF)
    assert sample.established == 0
    assert sample.failures == {"refused": sample.errors}
    assert sample.errors > 0


# Idle connections.


def test_idle_connections_are_still_served_at_the_end(address: tuple[str, int]) -> None:
    with Round(address, replace(IDLE, connections=100)) as running:
        assert (running.connect(), running.still_served()) == (100, 100)


def test_closed_idle_connections_are_not_kept() -> None:
    with (
        ServerProcess("--no-access-log", "--keep-alive-timeout", "0.1") as server,
        Round(("127.0.0.1", server.port), IDLE) as running,
    ):
        assert running.connect() == 5
        assert running.group.run(lambda: not any(each.connected for each in running.requesters), FOR_EVER)
        assert not any(each.connecting for each in running.requesters)
        assert running.still_served() == 0


# The selector of open loops.


def test_a_precise_selector_waits_for_handles_and_for_its_timeout() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, PreciseSelector() as selector:
        selector.register(ours, selectors.EVENT_READ)
        assert selector.select(0) == []
        began = time.monotonic()
        assert selector.select(0.0001) == []
        assert time.monotonic() - began >= 0.0001
        theirs.send(b"x")
        assert [key.fileobj for key, _ in selector.select(FOR_EVER)] == [ours]
        assert selector.select()


@pytest.mark.parametrize("name", ["load.responses", "load.histogram", "servers.own", "servers.workloads"])
def test_examples_in_docstrings_are_right(name: str) -> None:
    failed, attempted = doctest.testmod(importlib.import_module(f"benchmarks.{name}"))
    assert attempted
    assert not failed


def test_each_part_is_named_in_the_reading_order() -> None:
    folder = ROOT / "benchmarks" / "load"
    parts = {path.name for path in folder.glob("*.py") if not path.name.startswith("__")}
    assert parts
    assert {name for name in parts if name not in (folder.parent / "README.md").read_text()} == set()
