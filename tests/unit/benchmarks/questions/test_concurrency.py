"""Sizes, rounds and the agreement of two clients; no test depends on speed."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

pytest.importorskip("psutil", reason="needs psutil (extra: test)")

from benchmarks.load import process, wrk
from benchmarks.load.process import LoadError
from benchmarks.load.round import Job, RequestSpec
from benchmarks.questions import concurrency
from benchmarks.results.samples import Run
from benchmarks.runner.config import Config, only_peers, select_peers
from benchmarks.runner.interleaved import Rounds, RunningPeer
from benchmarks.servers.peers import PEERS
from benchmarks.servers.process import RunningServer, run_server

QUICK = Config(quick=True, peers=("reactor",))
needs_wrk = pytest.mark.skipif(wrk.missing() is not None, reason=f"{wrk.missing()}")


def quiet(_: str) -> None:
    """Discard progress."""


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with run_server(PEERS["reactor"]) as started:
        yield started


# Selection of peers.


def test_reactor_is_always_among_those_chosen_and_its_log_only_when_named() -> None:
    assert select_peers(Config(peers=("nginx",)), ("uvicorn",)).peers == ("reactor", "nginx")
    assert not select_peers(Config(), ("reactor",)).wants_peer("reactor +log")
    assert select_peers(Config(peers=("reactor +log",)), ()).wants_peer("reactor +log")


def test_a_quick_plan_has_one_short_round() -> None:
    config = only_peers(Config(rounds=7, seconds=100, quick=True), ["reactor"])
    assert (config.rounds, config.seconds < 1) == (1, True)


def test_who_has_failed_is_left_out_with_a_note() -> None:
    run = Run()
    rounds = Rounds(run, 3, "here")
    taken = []
    for number, name in rounds.in_order(["a", "b"]):
        taken.append((number, name))
        with rounds.skip_on_error(name):
            if (number, name) == (2, "a"):
                raise LoadError("gone")
    assert taken == [(1, "a"), (1, "b"), (2, "b"), (2, "a"), (3, "b")]
    assert run.skipped == {"a here": "gone"}


def test_a_fault_of_our_own_is_not_noted_but_seen() -> None:
    rounds = Rounds(Run(), 1, "here")
    with pytest.raises(ZeroDivisionError), rounds.skip_on_error("a"):
        raise ZeroDivisionError


# The load process.


def test_a_sample_says_what_was_measured(server: RunningServer) -> None:
    sample = process.measure(server, Job(8, 0.1), "question", "workload", 3, 8.0)
    assert (sample.question, sample.workload, sample.peer) == ("question", "workload", "reactor")
    assert (sample.round, sample.x, sample.client) == (3, 8.0, "reactor")
    assert (sample.errors, sample.asked, sample.established) == (0, 8, 8)
    assert sample.requests == sample.verified == sample.latency.count > 0
    assert sample.intended is None
    assert sample.resident > 1 << 20
    assert sample.client_cpu > 0
    assert sample.transferred > sample.requests


def test_an_open_loop_says_what_it_meant_to_send(server: RunningServer) -> None:
    sample = process.measure(server, Job(8, 0.2, rate=500), "question", spec=RequestSpec("/echo/x", None))
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
    job = Job(1, 0.1, downloads=1, download="/files/none", download_size=1)
    with pytest.raises(LoadError, match="download: status 404"):
        process.measure(server, job, "question")


def test_a_generator_that_breaks_says_why(server: RunningServer) -> None:
    with pytest.raises(LoadError, match="did not reach phase 'begin': TypeError"):
        process.measure(server, Job(8, "long"), "question")  # type: ignore[arg-type]


# The question.


def test_sizes_that_the_limit_does_not_allow_are_left_out_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(concurrency, "max_open_files", lambda: 1024)
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


def test_our_own_client_measures_everything_where_wrk_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wrk, "missing", lambda: "wrk is not installed")
    run = Run()
    concurrency.measure(QUICK, run, quiet)
    assert [(each.x, each.client) for each in run.samples] == [(x, "reactor") for x in (1, 8, 64)]
    assert run.skipped == {"agreement": "wrk is not installed"}


def test_who_fails_with_one_size_is_measured_with_the_next(
    server: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def measure_one(peer: RunningPeer, size: int, seconds: float, number: int) -> None:
        raise LoadError("no result")

    monkeypatch.setattr(concurrency, "measure_with_our_client", measure_one)
    run = Run()
    config = replace(QUICK, rounds=3)
    concurrency.measure_size(5000, [(PEERS["reactor"], server)], config, run, quiet)
    concurrency.measure_size(6000, [(PEERS["reactor"], server)], config, run, quiet)
    assert list(run.skipped) == ["reactor with 5,000 connections", "reactor with 6,000 connections"]
