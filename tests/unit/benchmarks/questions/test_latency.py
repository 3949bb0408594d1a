"""Rates are shares of a capacity; rates that our client cannot send are skipped."""

from dataclasses import replace
from typing import cast

import pytest

pytest.importorskip("psutil", reason="needs psutil (extra: test)")

from benchmarks.load import process, wrk
from benchmarks.load.process import LoadError
from benchmarks.questions import latency
from benchmarks.questions.latency import Capacity, find_capacity, share_of
from benchmarks.results.samples import Run, Sample
from benchmarks.runner.rounds import Config, Turn
from benchmarks.servers.process import RunningServer

QUICK = Config(1, 0.3, quick=True, peers=("reactor",))


def quiet(_: str) -> None:
    """Discard progress."""


def test_the_capacity_is_the_highest_rate_of_any_client(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wrk, "missing", lambda: None)
    rates = iter([100, 150, 120, 110])

    def sample(self: Turn, client: str, name: str) -> Sample:
        return Sample("latency", name, "reactor", 1, requests=next(rates), seconds=1, client=client)

    monkeypatch.setattr(Turn, "sample", sample)
    capacity: Capacity = {}
    turn = Turn(cast(RunningServer, None), 1, QUICK)
    assert len([*find_capacity(turn, capacity), *find_capacity(turn, capacity)]) == 4
    assert capacity == {"reactor": 120, "wrk": 150}


@pytest.mark.parametrize(
    ("capacity", "share", "result"),
    [
        ({"wrk": 1000, "reactor": 900}, 0.7, "700"),
        ({"wrk": 1000, "reactor": 900}, 0.9, "rate too high for our client: 900 requests/s"),
        ({}, 0.5, "unknown capacity"),
    ],
)
def test_a_rate_is_a_share_of_the_capacity_if_our_client_can_send_it(
    capacity: Capacity, share: float, result: str
) -> None:
    try:
        rate = f"{share_of(capacity, share):.0f}"
    except LoadError as error:
        rate = str(error)
    assert rate == result


def test_each_share_is_measured_in_an_open_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    # Independent of the speed of this machine; another test covers the limit.
    monkeypatch.setattr(latency, "OURS_AT_MOST", 1000.0)
    run = Run()
    latency.measure(replace(QUICK, rounds=4, seconds=0.1), run, quiet)
    found = run.select(workload="capacity")
    assert max(each.round for each in found) == latency.TRIES
    capacity = max(each.rate for each in found)
    hot = run.select(workload="hot")
    assert [each.x for each in hot] == [0.5] * 4 + [0.7] * 4 + [0.9] * 4
    assert [each.intended for each in hot] == pytest.approx([(each.x or 0) * capacity for each in hot])
    assert all(each.client == "reactor" and each.verified for each in hot)
    assert run.skipped == {}


def test_both_clients_find_the_capacity_if_wrk_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latency, "SHARES", ())
    clients = ["reactor"] if wrk.missing() else ["reactor", "wrk"]
    run = Run()
    latency.measure(QUICK, run, quiet)
    assert [each.client for each in run.samples] == clients
    monkeypatch.setattr(wrk, "missing", lambda: "wrk is not installed")
    run = Run()
    latency.measure(QUICK, run, quiet)
    assert [each.client for each in run.samples] == ["reactor"]


def test_a_server_without_a_capacity_is_skipped_at_each_share(monkeypatch: pytest.MonkeyPatch) -> None:
    def measure(*_: object) -> Sample:
        raise LoadError("no result")

    monkeypatch.setattr(process, "measure", measure)
    run = Run()
    latency.measure(replace(QUICK, rounds=5), run, quiet)
    assert run.samples == []
    assert run.skipped == {
        "reactor: capacity": "no result",
        **{f"reactor: {share}% of capacity": "unknown capacity" for share in (50, 70, 90)},
    }
