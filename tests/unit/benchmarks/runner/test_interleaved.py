"""Peers are measured in turn, round by round; a peer with a wrong response is skipped with a reason."""

from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("psutil", reason="needs psutil (extra: test)")

from benchmarks.load import wrk
from benchmarks.load.histogram import Histogram
from benchmarks.questions import compression, files, throughput
from benchmarks.results.samples import Run, Sample
from benchmarks.runner import interleaved
from benchmarks.runner.config import QUICK_SECONDS, Config
from benchmarks.servers.peers import ECHO, FILES, PEERS, Adapter
from benchmarks.servers.process import RunningServer
from benchmarks.servers.verify import VerificationError
from benchmarks.servers.workloads import COMPRESSED, HOT, SMALL, WATCHED, WORKLOADS, Workload

THREE = Config(rounds=3, seconds=9, connections=4, peers=("bare loop",))
LARGE = WORKLOADS["file 100 MiB"]
Measured = list[tuple[str, str, int, float]]


def quiet(_: str) -> None:
    """Discard progress."""


@pytest.fixture(autouse=True)
def measured(monkeypatch: pytest.MonkeyPatch) -> Measured:
    """Replace wrk; return the calls."""
    rounds: Measured = []

    def measure(
        server: RunningServer, workload: Workload, connections: int, seconds: float, round: int, question: str
    ) -> Sample:
        rounds.append((server.name, workload.name, round, seconds))
        return Sample(question, workload.name, server.name, round, requests=1, latency=Histogram())

    monkeypatch.setattr(wrk, "measure", measure)
    monkeypatch.setattr(wrk, "run", lambda *_: None)
    monkeypatch.setattr(wrk, "missing", lambda: None)
    return rounds


@pytest.fixture
def wrong(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, int], None]:
    """Return a function that makes the n-th verification of a peer fail."""

    def arrange(name: str, time: int) -> None:
        looks = 0

        def verify(server: RunningServer, adapter: Adapter, workload: Workload) -> int:
            nonlocal looks
            looks += adapter.name == name
            if adapter.name == name and looks == time:
                raise VerificationError("unexpected status: 500")
            return 4

        monkeypatch.setattr(interleaved, "verify", verify)

    return arrange


def test_each_round_has_everybody_and_begins_with_another(measured: Measured) -> None:
    run = Run()
    interleaved.measure("throughput", [HOT], THREE, run, quiet)
    names = ["bare loop", "reactor", "reactor +log"]
    assert [(name, number) for name, _, number, _ in measured] == [
        *((name, 1) for name in names),
        *((name, 2) for name in names[1:] + names[:1]),
        *((name, 3) for name in names[2:] + names[:2]),
    ]
    assert {seconds for *_, seconds in measured} == {9}


def test_samples_tell_how_many_answers_were_compared() -> None:
    run = Run()
    interleaved.measure("throughput", [HOT], THREE, run, quiet)
    assert [each.verified for each in run.samples] == [4] * 9
    assert [each.round for each in run.samples] == [1, 1, 1, 2, 2, 2, 3, 3, 3]
    assert list(run.peers) == ["bare loop", "reactor", "reactor +log"]
    assert run.skipped == {}


@pytest.mark.parametrize("time", [1, 2, 3, 5])
def test_who_answers_wrong_has_no_figures(time: int, wrong: Callable[[str, int], None]) -> None:
    wrong("bare loop", time)
    run = Run()
    interleaved.measure("throughput", [HOT], THREE, run, quiet)
    assert run.skipped == {"bare loop: hot": "unexpected status: 500"}
    assert {each.peer for each in run.samples} == {"reactor", "reactor +log"}
    assert len(run.samples) == 6


def test_who_answers_wrong_is_measured_no_more(wrong: Callable[[str, int], None], measured: Measured) -> None:
    wrong("bare loop", 3)  # before warming up, after it, and after the first round
    interleaved.measure("throughput", [HOT], THREE, Run(), quiet)
    assert [number for name, _, number, _ in measured if name == "bare loop"] == [1]


def test_what_a_peer_does_not_serve_is_noted(tmp_path: Path) -> None:
    run = Run()
    config = Config(rounds=1, peers=("bare loop",), workloads=("pipelined", "hot"))
    throughput.measure(config, run, quiet)
    assert run.skipped["bare loop: pipelined"] == PEERS["bare loop"].why_not
    assert [each.peer for each in run.select(workload="pipelined")] == ["reactor"]
    assert len(run.select(workload="hot")) == 3


def test_a_peer_that_is_missing_is_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    absent = Adapter("absent", ["false"], ["no-such-distribution"], frozenset({ECHO}))
    monkeypatch.setitem(PEERS, "absent", absent)
    run = Run()
    interleaved.measure("throughput", [HOT], Config(rounds=1, peers=("absent",)), run, quiet)
    assert run.skipped == {"absent": "no-such-distribution is not installed (pip install '.[bench]')"}
    assert "absent" not in run.peers


def test_without_wrk_nothing_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wrk, "missing", lambda: "wrk is not installed")
    run = Run()
    throughput.measure(THREE, run, quiet)
    assert (run.samples, run.skipped) == ([], {"throughput": "wrk is not installed"})


def test_a_quick_run_is_one_short_round_without_large_files(measured: Measured) -> None:
    run = Run()
    config = Config(peers=("reactor",), workloads=("file 4 KiB", "file 100 MiB"), quick=True)
    files.measure(config, run, quiet)
    assert measured == [("reactor", "file 4 KiB", 1, QUICK_SECONDS)]
    assert run.skipped == {"file 100 MiB": "too large for a quick run"}


def test_rounds_of_large_files_are_longer(monkeypatch: pytest.MonkeyPatch, measured: Measured) -> None:
    monkeypatch.setattr(interleaved, "verify", lambda *_: 1)
    interleaved.measure("files", [LARGE], Config(rounds=1, peers=("reactor",)), Run(), quiet)
    assert measured == [("reactor", "file 100 MiB", 1, 5.0)]


def test_all_peers_share_the_same_files_and_store_their_own(tmp_path: Path) -> None:
    workloads = [WORKLOADS["file 4 KiB"], WORKLOADS["upload 4 KiB"]]
    files.share(tmp_path, workloads)
    shared = [tmp_path / name / "4-KiB" for name in PEERS]
    assert {path.stat().st_ino for path in shared} == {shared[0].stat().st_ino}
    assert shared[0].read_bytes() == workloads[0].content
    assert files.room(workloads, 64) == 4096 + 4096 * (16 * len(PEERS) + 64)


def test_files_and_compression_are_measured() -> None:
    run = Run()
    config = Config(rounds=1, peers=("reactor",), workloads=("file 4 KiB", "upload 4 KiB", "gzip different"))
    files.measure(config, run, quiet)
    compression.measure(config, run, quiet)
    assert [(each.question, each.workload, each.peer) for each in run.samples] == [
        ("files", "file 4 KiB", "reactor"),
        ("files", "upload 4 KiB", "reactor"),
        ("compression", "gzip different", "reactor"),
    ]


def test_the_questions_cover_all_workloads() -> None:
    asked = [*SMALL, *COMPRESSED, *files.WORKLOADS, WATCHED]
    assert {each.name for each in asked} == set(WORKLOADS)
    assert {each.needs for each in asked} >= {ECHO, FILES}


def test_rounds_that_were_measured_count_though_somebody_breaks_off(measured: Measured) -> None:
    def show_progress(line: str) -> None:
        if "round 3" in line:
            raise KeyboardInterrupt

    run = Run()
    with pytest.raises(KeyboardInterrupt):
        throughput.measure(THREE, run, show_progress)
    assert [each.round for each in run.samples] == [1, 1, 1, 2, 2, 2]
