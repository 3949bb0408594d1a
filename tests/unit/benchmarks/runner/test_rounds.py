"""Peers are measured in turn, round by round; a peer that fails is left out with a reason."""

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

import pytest

pytest.importorskip("psutil", reason="needs psutil (extra: test)")

from benchmarks.load import wrk
from benchmarks.load.histogram import Histogram
from benchmarks.load.process import LoadError
from benchmarks.questions import comparisons
from benchmarks.questions.comparisons import COMPARISONS
from benchmarks.results.samples import Run, Sample
from benchmarks.runner import rounds
from benchmarks.runner.rounds import Config, Place, Question, Turn, shared_files
from benchmarks.servers.own import WHY_NOT, by_command
from benchmarks.servers.peers import ECHO, PEERS, Adapter
from benchmarks.servers.process import RunningServer
from benchmarks.servers.verify import VerificationError
from benchmarks.servers.workloads import BY_QUESTION, WORKLOADS, Workload

HOT = Config(rounds=3, seconds=9, connections=4, peers=("bare loop",), workloads=("hot",))
ONE = Config(rounds=1, peers=("reactor",))
Measured = list[tuple[str, str, int, float]]


def quiet(_: str) -> None:
    """Discard progress."""


@pytest.fixture(autouse=True)
def measured(monkeypatch: pytest.MonkeyPatch) -> Measured:
    """Replace wrk; return the calls, without those that warm up."""
    calls: Measured = []

    def measure(server: RunningServer, workload: Workload, connections: int, seconds: float) -> Sample:
        return Sample("", "", server.name, 0, requests=1, latency=Histogram())

    def sample(turn: Turn, client: str, workload: Workload, seconds: float) -> Sample:
        if turn.round:
            calls.append((turn.server.name, workload.name, turn.round, seconds))
        return original(turn, client, workload, seconds=seconds)

    original = Turn.sample
    monkeypatch.setattr(Turn, "sample", sample)
    monkeypatch.setattr(wrk, "measure", measure)
    monkeypatch.setattr(wrk, "missing", lambda: None)
    return calls


@pytest.fixture
def wrong(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, int], None]:
    """Return a function that makes the n-th verification of a peer fail."""

    def arrange(name: str, time: int) -> None:
        looks = 0

        def verify(server: RunningServer, workload: Workload) -> int:
            nonlocal looks
            looks += server.name == name
            if server.name == name and looks == time:
                raise VerificationError("status 500 (expected 2xx)")
            return 4

        monkeypatch.setattr(rounds, "verify", verify)
        monkeypatch.setattr(comparisons, "verify", verify)

    return arrange


def ask(question: str, config: Config) -> Run:
    run = Run()
    COMPARISONS[question].measure(config, run, quiet)
    return run


def test_each_round_measures_all_peers_and_starts_with_another(
    measured: Measured, monkeypatch: pytest.MonkeyPatch
) -> None:
    seeds, stub = [], wrk.measure

    def measure(server: RunningServer, workload: Workload, connections: int, seconds: float) -> Sample:
        seeds.append(workload.seed)
        return stub(server, workload, connections, seconds)

    monkeypatch.setattr(wrk, "measure", measure)
    run = ask("throughput", replace(HOT, seed=5))
    places = [
        ("bare loop", 1),
        ("reactor", 1),
        ("reactor", 2),
        ("bare loop", 2),
        ("bare loop", 3),
        ("reactor", 3),
    ]
    assert [(name, number) for name, _, number, _ in measured] == places
    assert {seconds for *_, seconds in measured} == {9}
    assert [(each.peer, each.round) for each in run.samples] == places
    assert [each.verified for each in run.samples] == [4] * 6
    assert seeds == ["5 0", "5 0", "5 1", "5 1", "5 2", "5 2", "5 3", "5 3"]
    assert list(run.peers) == ["bare loop", "reactor"]
    assert run.skipped == {}


@pytest.mark.parametrize(("time", "turns"), [(1, []), (2, []), (3, [1]), (5, [1, 2, 3])])
def test_a_peer_with_a_wrong_response_has_no_figures(
    time: int, turns: list[int], wrong: Callable[[str, int], None], measured: Measured
) -> None:
    wrong("bare loop", time)  # before and after warming up; after the first and the last round
    run = ask("throughput", HOT)
    assert run.skipped == {"bare loop: hot": "status 500 (expected 2xx)"}
    assert [each.peer for each in run.samples] == ["reactor"] * 3
    assert [number for name, _, number, _ in measured if name == "bare loop"] == turns


def places_of(*names: str, fails: Callable[[Turn], None]) -> Question:
    def measure(turn: Turn) -> Iterator[Sample]:
        fails(turn)
        yield Sample("q", "w", turn.server.name, turn.round)

    return Question(
        "q", lambda config, run: [Place(name, measure) for name in names], ("bare loop", "reactor")
    )


def test_a_peer_that_fails_keeps_its_earlier_rounds_and_is_measured_at_the_next_place() -> None:
    def fails(turn: Turn) -> None:
        if turn.server.name == "reactor" and turn.round == 2:
            raise LoadError("gone")

    run = Run()
    places_of("a", "b", fails=fails).measure(replace(HOT, peers=()), run, quiet)
    assert run.skipped == {"reactor: a": "gone", "reactor: b": "gone"}
    assert [(each.peer, each.round) for each in run.samples] == 2 * [
        *(("bare loop", 1), ("reactor", 1), ("bare loop", 2), ("bare loop", 3))
    ]


def test_an_unexpected_exception_is_not_a_note() -> None:
    def fails(turn: Turn) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        places_of("a", fails=fails).measure(HOT, Run(), quiet)


def test_a_peer_without_the_feature_is_noted() -> None:
    run = ask("throughput", Config(rounds=1, peers=("bare loop",), workloads=("new connection", "hot")))
    assert run.skipped == {"bare loop: new connection": PEERS["bare loop"].why_not}
    assert [each.peer for each in run.select(workload="new connection")] == ["reactor"]
    assert len(run.select(workload="hot")) == 2


@pytest.mark.parametrize("question", ["files", "compression", "watching"])
def test_questions_that_need_the_application_skip_a_server_of_the_user(question: str) -> None:
    own = replace(by_command("false {port}"), name="/x/y")
    run = ask(question, Config(own=[own], peers=("bare loop",), rounds=1, quick=True))
    assert run.skipped[f"/x/y: {question}"] == WHY_NOT
    assert "reactor" in {each.peer for each in run.samples}
    assert "/x/y" not in run.peers


def test_a_missing_peer_is_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    absent = Adapter("absent", ["false"], ["no-such-distribution"], serves=frozenset({ECHO}))
    monkeypatch.setitem(PEERS, "absent", absent)
    run = ask("throughput", replace(HOT, rounds=1, peers=("absent",)))
    assert run.skipped == {"absent": "no-such-distribution is not installed (pip install '.[bench]')"}
    assert list(run.peers) == ["reactor"]


def test_without_wrk_nothing_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wrk, "missing", lambda: "wrk is not installed")
    run = ask("throughput", HOT)
    assert (run.samples, run.skipped) == ([], {"throughput": "wrk is not installed"})


@pytest.mark.parametrize(
    ("peers", "usual", "selected"),
    [
        ((), ("reactor", "nginx"), ["reactor", "nginx"]),
        (("uvicorn", "bare loop"), ("nginx",), ["bare loop", "reactor", "uvicorn"]),
        (("reactor +log",), (), ["reactor", "reactor +log"]),
    ],
)
def test_peers_are_the_usual_ones_or_those_of_the_options(
    peers: tuple[str, ...], usual: tuple[str, ...], selected: list[str]
) -> None:
    config = Config(peers=peers, own=[by_command("mine {port}")])
    question = Question("q", lambda config, run: [], usual)
    assert [each.name for each in question.peers(config)] == [*selected, "mine"]


def test_the_cost_of_observing_is_always_measured_with_the_same_peers() -> None:
    names = ["reactor", "reactor +log", "explained", "traced", "inspected"]
    config = replace(HOT, workloads=())
    peers = COMPARISONS["watching"].peers(config, comparisons.places("watching", config, Run()))
    assert [each.name for each in peers] == names


def test_large_files_are_skipped_in_a_quick_run_and_take_longer_otherwise(
    measured: Measured, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick = replace(ONE, seconds=0.3, workloads=("file 4 KiB", "file 100 MiB"), quick=True)
    run = ask("files", quick)
    assert measured == [("reactor", "file 4 KiB", 1, 0.3)]
    assert run.skipped == {"file 100 MiB": "too large for a quick run"}
    monkeypatch.setattr(rounds, "verify", lambda *_: 1)
    monkeypatch.setattr(comparisons, "verify", lambda *_: 1)
    monkeypatch.setitem(COMPARISONS, "files", replace(COMPARISONS["files"], write=lambda *_: None))
    ask("files", replace(ONE, workloads=("file 100 MiB",)))
    assert measured[1:] == [("reactor", "file 100 MiB", 1, 5.0)]


def test_all_peers_share_the_same_files_and_store_their_own() -> None:
    config = replace(ONE, workloads=("file 4 KiB", "upload 4 KiB"))
    with shared_files(["a", "b"], partial(comparisons.write_files, config)) as root:
        shared = [root / name / "4-KiB" for name in ("a", "b")]
        assert os.path.samefile(*shared)
        assert shared[0].read_bytes() == WORKLOADS["file 4 KiB"].content
    with shared_files(["a"], lambda directory: None) as root:
        assert root.parent == rounds.MEMORY or shutil.disk_usage(rounds.MEMORY).free <= rounds.ROOM


def test_files_and_compression_are_measured() -> None:
    config = replace(ONE, workloads=("file 4 KiB", "upload 4 KiB", "gzip different"))
    samples = [*ask("files", config).samples, *ask("compression", config).samples]
    assert [(each.question, each.workload, each.peer) for each in samples] == [
        ("files", "file 4 KiB", "reactor"),
        ("files", "upload 4 KiB", "reactor"),
        ("compression", "gzip different", "reactor"),
    ]


def test_the_questions_cover_all_workloads() -> None:
    assert set(COMPARISONS) == set(BY_QUESTION)


def test_an_interrupted_run_keeps_its_rounds() -> None:
    def show_progress(line: str) -> None:
        if "round 3" in line:
            raise KeyboardInterrupt

    run = Run()
    with pytest.raises(KeyboardInterrupt):
        COMPARISONS["throughput"].measure(HOT, run, show_progress)
    assert [each.round for each in run.samples] == [1, 1, 2, 2]
