"""Idle connections are kept open while active ones are measured; lost ones are errors."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

pytest.importorskip("psutil", reason="needs psutil (extra: test)")

from benchmarks.load import process, wrk
from benchmarks.load.process import LoadError
from benchmarks.questions import idle
from benchmarks.results.samples import Run, Sample
from benchmarks.runner.rounds import Config, Turn
from benchmarks.servers.process import RunningServer

QUICK = Config(1, 0.3, quick=True, peers=("reactor",))


def quiet(_: str) -> None:
    """Discard progress."""


def test_each_round_measures_a_fresh_server(monkeypatch: pytest.MonkeyPatch) -> None:
    pids: list[int] = []

    def sample(self: Turn, client: str, **rest: Any) -> Sample:
        pids.append(self.server.processes()[0].pid)
        return Sample("idle", "hot", "reactor", self.round)

    monkeypatch.setattr(Turn, "sample", sample)
    idle.measure(replace(QUICK, rounds=2), Run(), quiet)
    first, second = pids[0], pids[3]
    assert pids == [first] * 3 + [second] * 3, "after the warm-up, two sizes"
    assert first != second


@pytest.mark.parametrize("without_wrk", [False, True])
def test_each_size_is_measured_in_order(without_wrk: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if without_wrk:
        monkeypatch.setattr(wrk, "missing", lambda: "wrk is not installed")
    run = Run()
    idle.measure(QUICK, run, quiet)
    assert [(each.question, each.workload, each.peer, each.x) for each in run.samples] == [
        ("idle", "hot", "reactor", 0.0),
        ("idle", "hot", "reactor", 100.0),
    ]
    assert all(each.requests and each.verified and not each.errors for each in run.samples)
    assert {each.client for each in run.samples} == {"reactor" if without_wrk or wrk.missing() else "wrk"}
    assert list(run.peers) == ["reactor"]
    assert run.skipped == {}


def test_idle_connections_that_were_lost_are_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def hold_idle(server: RunningServer, connections: int) -> Iterator[Callable[[], int]]:
        yield lambda: max(0, connections - 3)

    monkeypatch.setattr(process, "hold_idle", hold_idle)
    run = Run()
    idle.measure(QUICK, run, quiet)
    assert [(each.errors, each.failures) for each in run.samples] == [
        (0, {}),
        (3, {"idle connection lost": 3}),
    ]


def test_a_server_that_cannot_hold_them_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    original = process.hold_idle

    def hold_idle(server: RunningServer, connections: int) -> object:
        if connections:
            raise LoadError("no result")
        return original(server, connections)

    monkeypatch.setattr(process, "hold_idle", hold_idle)
    run = Run()
    idle.measure(QUICK, run, quiet)
    assert [each.x for each in run.samples] == [0]
    assert run.skipped == {"reactor: idle connections": "no result"}
