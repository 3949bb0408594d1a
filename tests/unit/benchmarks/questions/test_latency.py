"""Rates are shares of a capacity; rates that our client cannot send are skipped."""

from dataclasses import replace

import pytest

pytest.importorskip("psutil", reason="needs psutil (extra: test)")

from benchmarks.load import process, wrk
from benchmarks.load.process import LoadError
from benchmarks.questions import latency
from benchmarks.questions.latency import Capacity, rate_of
from benchmarks.results.samples import Run, Sample
from benchmarks.runner.config import Config

QUICK = Config(quick=True, peers=("reactor",))


def quiet(_: str) -> None:
    """Discard progress."""


def sample(requests: int) -> Sample:
    return Sample("latency", "capacity", "reactor", 1, requests=requests, seconds=1)


def test_the_capacity_is_the_most_that_any_client_has_seen() -> None:
    capacity = Capacity()
    capacity.add([sample(100), sample(150)])
    capacity.add([sample(120), sample(110)])
    assert (capacity.server, capacity.client) == (150, 120)


def test_a_rate_is_a_share_of_the_capacity() -> None:
    assert rate_of(Capacity(server=1000, client=900), 0.7) == 700


def test_a_rate_that_our_client_cannot_send_is_refused() -> None:
    with pytest.raises(LoadError, match="too high for our client: 900 requests/s"):
        rate_of(Capacity(server=1000, client=900), 0.9)


def test_without_a_capacity_there_is_no_rate() -> None:
    with pytest.raises(LoadError, match="unknown capacity"):
        rate_of(Capacity(), 0.5)


def test_each_share_is_measured_in_an_open_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    # Independent of the speed of this machine; another test covers the limit.
    monkeypatch.setattr(latency, "OURS_AT_MOST", 1000.0)
    run = Run()
    latency.measure(QUICK, run, quiet)
    capacity = max(each.rate for each in run.select(workload="capacity"))
    hot = run.select(workload="hot")
    assert [each.x for each in hot] == [0.5, 0.7, 0.9]
    assert [each.intended for each in hot] == pytest.approx([x * capacity for x in (0.5, 0.7, 0.9)])
    assert all(each.client == "reactor" and each.verified for each in hot)
    assert run.skipped == {}


def test_clients_of_the_capacity_are_both_and_ours_alone_without_wrk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latency, "SHARES", ())
    clients = ["reactor"] if wrk.missing() else ["reactor", "wrk"]
    run = Run()
    latency.measure(QUICK, run, quiet)
    assert [each.client for each in run.samples] == clients
    monkeypatch.setattr(wrk, "missing", lambda: "wrk is not installed")
    run = Run()
    latency.measure(QUICK, run, quiet)
    assert [each.client for each in run.samples] == ["reactor"]


def test_who_has_no_capacity_is_left_out_at_each_share(monkeypatch: pytest.MonkeyPatch) -> None:
    def measure(*_: object) -> Sample:
        raise LoadError("no result")

    monkeypatch.setattr(process, "measure", measure)
    run = Run()
    latency.measure(replace(QUICK, rounds=5), run, quiet)
    assert run.samples == []
    assert run.skipped == {
        "reactor at its capacity": "no result",
        **{f"reactor at {share}% of its capacity": "unknown capacity" for share in (50, 70, 90)},
    }
