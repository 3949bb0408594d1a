"""Sizes, rounds and the agreement of two clients; no test depends on speed."""

from collections.abc import Iterator
from typing import cast

import pytest

pytest.importorskip("psutil", reason="needs psutil (extra: test)")

from benchmarks.load import wrk
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
        concurrency.agreement(Turn(cast(RunningServer, None), number, QUICK))
    assert taken == ["wrk", "reactor", "reactor", "wrk"]
