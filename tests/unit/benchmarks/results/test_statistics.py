"""Ratios are computed within rounds that both peers have; names of figures."""

import doctest
from dataclasses import replace
from types import ModuleType

import pytest

from benchmarks import questions
from benchmarks.load.histogram import Histogram
from benchmarks.report import markup, scales
from benchmarks.results import assertions, compare, environment, targets, units
from benchmarks.results.samples import Run, Sample
from benchmarks.results.statistics import Cell, Figure, agreement, cells, figures, memory_per_idle, ratios

MODULES = (units, compare, environment, assertions, questions, targets, markup, scales)


def sample(peer: str = "reactor", round: int = 1, rate: float = 100, **other: object) -> Sample:
    """Return a sample of one second."""
    known = {"question": "throughput", "workload": "hot", "peer": peer, "round": round}
    return Sample(**{**known, "requests": int(rate), "seconds": 1.0, **other})  # type: ignore[arg-type]


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_examples(module: ModuleType) -> None:
    result = doctest.testmod(module)
    assert result.attempted
    assert not result.failed


def test_a_ratio_is_made_of_rounds_with_one_number() -> None:
    # The machine was twice as fast in the second round, which does not change the ratios.
    ours = [sample(rate=100), sample(round=2, rate=200)]
    theirs = [sample("nginx", round=2, rate=400), sample("nginx", rate=200)]
    assert ratios(ours, theirs) == [0.5, 0.5]


def test_a_round_that_one_of_them_lacks_does_not_count() -> None:
    ours = [sample(rate=100), sample(round=3, rate=900)]
    assert ratios(ours, [sample("nginx", rate=50), sample("nginx", round=2, rate=1)]) == [2]


def test_a_round_without_any_answer_has_no_ratio() -> None:
    assert ratios([sample(rate=100)], [sample("nginx", rate=0)]) == []
    assert ratios([sample(rate=0)], [sample("nginx", rate=100)]) == []
    assert ratios([sample(rate=100)], [sample("nginx", rate=5, seconds=0.0)]) == []


def test_a_figure_is_the_median_with_its_spread() -> None:
    assert Figure.of([3, 1, 2, 9]) == Figure(2.5, 1, 9, 4)
    assert Figure.of([float("nan"), 1]) == Figure(1, 1, 1, 1)
    assert Figure.of([float("nan")]) is None
    assert Figure(2, 1, 4, 3).spread == 1.5


@pytest.mark.parametrize(
    ("low", "high", "tie"), [(0.9, 1.1, True), (1.01, 1.1, False), (0.9, 0.99, False), (1, 2, True)]
)
def test_a_difference_within_the_spread_is_a_tie(low: float, high: float, tie: bool) -> None:
    assert Figure(1, low, high, 7).tie is tie


def test_what_is_no_ratio_is_no_tie() -> None:
    assert not Figure(1, 0.5, 2, 7, units.SECONDS).tie


@pytest.mark.parametrize(
    ("cell", "slug"),
    [
        (Cell("throughput", "new connection", None), "new-connection"),
        (Cell("files", "file 4 KiB", None), "file-4-KiB"),
        (Cell("concurrency", "hot", 10_000.0), "concurrency-10000"),
        (Cell("latency", "hot", 0.7), "latency-70"),
        (Cell("fairness", "during both", None), "fairness-during-both"),
        (Cell("attack", "slow-heads", None), "attack-slow-heads"),
    ],
)
def test_names_of_places(cell: Cell, slug: str) -> None:
    assert cell.slug == slug


def test_names_of_figures() -> None:
    fast, slow = Histogram([0.001]), Histogram([0.004])
    run = Run(
        samples=[
            sample(rate=100, latency=slow),
            sample("bare loop", rate=200, latency=fast),
            sample("http.server", rate=50, latency=fast),
            sample("reactor +log", rate=80, latency=fast),
        ]
    )
    known = figures(run)
    assert known["hot.floor"].median == 0.5
    assert known["hot.http-server"].median == 2
    assert known["hot.p99.floor"].median == pytest.approx(4, rel=0.03)
    assert known["hot.rate"] == Figure(100, 100, 100, 1, units.RATE)
    assert known["hot.p50"].median == pytest.approx(0.004, rel=0.01)
    assert known["log.rate"].median == 0.8
    # reactor +log is not another server.
    assert "hot.reactor-log" not in known


def test_the_processor_that_a_request_takes_is_compared_whatever_the_client_can_do() -> None:
    # The client is the limit of both, but only one of them is busy.
    run = Run(
        samples=[
            sample(rate=100, server_cpu=1.0),
            sample("bare loop", rate=100, server_cpu=0.5),
            sample("nginx", rate=100, server_cpu=0.0),
        ]
    )
    known = figures(run)
    assert known["hot.floor"].median == 1
    assert known["hot.cpu.floor"].median == 0.5
    assert "hot.cpu.nginx" not in known


def test_every_figure_of_a_run_can_be_asserted(run: Run) -> None:
    assert [name for name in figures(run) if not assertions.is_figure(name)] == []
    assert len(figures(run)) > 200


def test_an_open_loop_has_no_ratio_of_rates(run: Run) -> None:
    known = figures(run)
    assert "latency-50.p99.nginx" in known
    assert "latency-50.nginx" not in known
    assert "concurrency-64.nginx" in known


def test_idle_connections_are_compared_with_none_in_the_same_round() -> None:
    none = [sample(question="idle", x=0.0, resident=1000), sample(question="idle", x=0.0, round=2)]
    many = sample(question="idle", x=10_000.0, resident=21_000, rate=90)
    figure = memory_per_idle([many], none)
    assert figure == Figure(2, 2, 2, 1, units.BYTES)
    known = figures(Run(samples=[*none, many]))
    assert known["idle.bytes"] == figure
    assert known["idle.rate"].median == 0.9


def test_fairness_compares_everything_at_once_with_nothing() -> None:
    alone = sample(question="fairness", workload="alone", latency=Histogram([0.001]))
    both = sample(question="fairness", workload="during both", latency=Histogram([0.010]))
    known = figures(Run(samples=[alone, both]))
    assert known["fairness.slowdown"].median == pytest.approx(10, rel=0.03)
    assert known["fairness.p99"].median == pytest.approx(0.010, rel=0.01)


def test_the_clients_are_compared_with_each_other_and_with_nobody_else() -> None:
    by_wrk = sample("nginx", workload="agreement", client="wrk", rate=100)
    samples = [by_wrk, replace(by_wrk, client="reactor", requests=95)]
    run = Run(samples=samples)
    assert agreement(run) == Figure(0.95, 0.95, 0.95, 1)
    assert figures(run)["agreement.clients"].median == 0.95
    assert cells(run) == {}
    assert agreement(Run(samples=samples[:1])) is None


def test_a_run_without_this_server_has_no_figures() -> None:
    assert figures(Run(samples=[sample("nginx")])) == {}
    assert figures(Run()) == {}
