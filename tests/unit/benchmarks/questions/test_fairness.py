"""Small requests during transfers of large files: situations, directories, cleanup."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("psutil", reason="needs psutil (extra: test)")

from benchmarks.attack.attackers import AttackSettings
from benchmarks.attack.process import MAX_SECONDS, Report
from benchmarks.load import process
from benchmarks.load.round import Job
from benchmarks.questions import fairness
from benchmarks.questions.fairness import transfers
from benchmarks.results.samples import Run, Sample
from benchmarks.runner.rounds import Config
from benchmarks.servers.peers import PEERS, UPLOADS
from benchmarks.servers.process import RunningServer

QUICK = Config(1, 0.3, quick=True, peers=("reactor",))
SITUATIONS = ["alone", "during downloads", "during uploads", "during both"]


def quiet(_: str) -> None:
    """Discard progress."""


def test_each_situation_is_what_its_name_says() -> None:
    methods = {
        name: [plan.sends.split()[0].decode() for plans in transfers(name, 9) for plan in plans]
        for name in SITUATIONS
    }
    carried = {name: (some.count("GET"), some.count("POST")) for name, some in methods.items()}
    assert carried == dict(zip(SITUATIONS, [(0, 0), (8, 0), (0, 4), (8, 4)], strict=True))


def test_the_large_file_takes_no_space(tmp_path: Path) -> None:
    fairness.write_large(QUICK, tmp_path)
    large = (tmp_path / fairness.NAME).stat()
    assert (large.st_size, large.st_blocks) == (16 << 20, 0)


def test_small_requests_are_measured_in_all_situations() -> None:
    run = Run()
    fairness.measure(QUICK, run, quiet)
    assert [(each.question, each.workload, each.peer) for each in run.samples] == [
        ("fairness", name, "reactor") for name in SITUATIONS
    ]
    assert all((each.requests, each.errors, each.intended) == (150, 0, 500) for each in run.samples)
    assert run.skipped == {}


def test_failed_transfers_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fairness, "GET", fairness.GET.replace(b"/files/", b"/nowhere/"))
    run = Run()
    fairness.measure(replace(QUICK, workloads=("during downloads",)), run, quiet)
    assert run.skipped == {"reactor: during downloads": "failed transfers: 404"}


def test_transfers_do_not_end_before_a_long_round(monkeypatch: pytest.MonkeyPatch) -> None:
    limits: list[float] = []

    @contextmanager
    def attack(_: RunningServer, settings: AttackSettings, count: int, seconds: float = 0) -> Iterator[Any]:
        limits.append(seconds)
        yield lambda *_: Report(Counter(), False, 0, 0)

    monkeypatch.setattr(fairness, "attack_process", attack)
    monkeypatch.setattr(process, "measure", lambda server, job: Sample("", "", server.name, 0))
    fairness.measure(replace(QUICK, seconds=500.0, workloads=("during both",)), Run(), quiet)
    assert limits == [500.0 + MAX_SECONDS] * 2


def test_uploads_are_removed_after_each_round(monkeypatch: pytest.MonkeyPatch) -> None:
    def measure(server: RunningServer, *_: object) -> Sample:
        assert [path.name for path in server.directory.iterdir()] == [fairness.NAME]
        (server.directory / "upload-1").touch()
        return Sample("", "", server.name, 0)

    monkeypatch.setattr(process, "measure", measure)
    run = Run()
    fairness.measure(replace(QUICK, rounds=2), run, quiet)
    assert len(run.samples) == 8


def test_a_server_without_uploads_is_measured_in_the_other_situations(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def measure(server: RunningServer, job: Job) -> Sample:
        return Sample("", "", server.name, 0)

    monkeypatch.setattr(process, "measure", measure)
    reactor = PEERS["reactor"]
    monkeypatch.setitem(PEERS, "reactor", replace(reactor, serves=reactor.serves - {UPLOADS}))
    run = Run()
    fairness.measure(QUICK, run, quiet)
    assert [each.workload for each in run.samples] == SITUATIONS[:2]
    assert list(run.skipped) == ["reactor: during uploads", "reactor: during both"]
