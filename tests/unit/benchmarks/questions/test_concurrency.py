"""Sizes, rounds and the agreement of two clients; no test depends on speed."""

from collections.abc import Iterator
from typing import cast

import pytest

pytest.importorskip("psutil", reason="needs psutil (extra: test)")

from benchmarks.load import process, wrk
from benchmarks.load.process import LoadError
from benchmarks.load.round import Job
from benchmarks.questions import concurrency
from benchmarks.results.samples import Run, Sample
from benchmarks.runner.rounds import Config, Turn
from benchmarks.servers.peers import PEERS
from benchmarks.servers.process import RunningServer, run_server

QUICK = Config(1, 0.3, quick=True, peers=("reactor",))
needs_wrk = pytest.mark.skipif(wrk.missing() is not None, reason=f"{wrk.missing()}")


def quiet(_: str) -> None:
    """Discard progress."""


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with run_server(PEERS["reactor"]) as started:
        yield started


# The load process.


def test_a_sample_says_what_was_measured(server: RunningServer) -> None:
    sample = Turn(server, "question", 3, Config(seconds=0.1)).sample(
        "reactor", connections=8, name="workload", x=8.0
    )
    assert (sample.question, sample.workload, sample.peer) == ("question", "workload", "reactor")
    assert (sample.round, sample.x, sample.client) == (3, 8.0, "reactor")
    assert (sample.errors, sample.asked, sample.established) == (0, 8, 8)
    assert sample.requests == sample.verified == sample.latency.count > 0
    assert sample.intended is None
    assert sample.resident > 1 << 20
    assert sample.client_cpu > 0
    assert sample.transferred > sample.requests


def test_an_open_loop_says_what_it_meant_to_send(server: RunningServer) -> None:
    sample = process.measure(server, Job(8, 0.2, 500, target="/echo/x", expected=None))
    assert (sample.intended, sample.requests, sample.verified) == (500, 100, None)


def test_held_connections_are_there_and_are_seen_off(server: RunningServer) -> None:
    with process.hold_idle(server.address, 50) as held:
        assert (held.established, held.kept) == (50, 0)
    assert held.kept == 50


def test_connections_of_a_server_that_ends_are_not_kept() -> None:
    with run_server(PEERS["bare loop"]) as started, process.hold_idle(started.address, 5) as held:
        started.end()
    assert (held.established, held.kept) == (5, 0)


def test_a_failed_download_is_no_result(server: RunningServer) -> None:
    job = Job(1, 0.1, transfers=[("GET", "/files/none", 1)])
    with pytest.raises(LoadError, match="download: status 404"):
        process.measure(server, job)


def test_a_generator_that_breaks_says_why(server: RunningServer) -> None:
    with pytest.raises(LoadError, match="failed: TypeError"):
        process.measure(server, Job(8, "long"))  # type: ignore[arg-type]


# The question.


def test_sizes_above_the_open_file_limit_are_skipped_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(concurrency, "raise_open_file_limit", lambda: 1024)
    run = Run()
    assert concurrency.possible(concurrency.SIZES, run) == [1, 8, 64, 512]
    assert list(run.skipped) == ["4,096 connections", "10,000 connections"]


@needs_wrk
def test_each_size_is_measured_and_both_clients_measure_one_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(concurrency, "SLOW", ("reactor",))
    monkeypatch.setattr(concurrency, "WRK_FITS", 8)
    run = Run()
    concurrency.measure(QUICK, run, quiet)
    hot = run.select(workload="hot")
    assert [(each.x, each.client) for each in hot] == [(1, "wrk"), (8, "wrk"), (64, "reactor")]
    both = run.select(workload="agreement")
    assert [(each.x, each.client, each.round) for each in both] == [(64, "wrk", 1), (64, "reactor", 1)]
    assert all(each.requests and each.verified and not each.errors for each in run.samples)
    assert all(each.question == "concurrency" for each in run.samples)
    assert run.skipped == {}


def test_without_wrk_our_own_client_measures_all_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wrk, "missing", lambda: "wrk is not installed")
    run = Run()
    concurrency.measure(QUICK, run, quiet)
    assert [(each.x, each.client) for each in run.samples] == [(x, "reactor") for x in (1, 8, 64)]
    assert run.skipped == {"agreement": "wrk is not installed"}


@needs_wrk
def test_without_a_slow_server_the_clients_are_not_compared() -> None:
    run = Run()
    concurrency.measure(QUICK, run, quiet)
    assert run.skipped == {"agreement": "no server slower than both clients is installed and selected"}


def test_the_clients_take_turns_in_measuring_first(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[str] = []

    def sample(self: Turn, client: str, **rest: object) -> Sample:
        taken.append(client)
        return Sample("concurrency", "agreement", "reactor", self.round)

    monkeypatch.setattr(Turn, "sample", sample)
    for number in (1, 2):
        concurrency.agreement(Turn(cast(RunningServer, None), "concurrency", number, QUICK))
    assert taken == ["wrk", "reactor", "reactor", "wrk"]
