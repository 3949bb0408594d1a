"""Ratios are computed within rounds that both peers have; names of figures; saved runs."""

import doctest
import math
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

from benchmarks.load.histogram import Histogram
from benchmarks.report import charts, markup
from benchmarks.results import assertions, compare, environment, samples, statistics, targets, units
from benchmarks.results.samples import Run, Sample
from benchmarks.results.statistics import RATES, Cell, Figure, combined, figures, rows

MODULES = (units, compare, environment, assertions, samples, statistics, targets, markup, charts)


def sample(peer: str = "reactor", round: int = 1, rate: float = 100, **other: object) -> Sample:
    """Return a sample of one second."""
    known = {"question": "throughput", "workload": "hot", "peer": peer, "round": round}
    return Sample(**{**known, "requests": int(rate), "seconds": 1.0, **other})  # type: ignore[arg-type]


def figure_of(*several: Sample) -> dict[str, Figure]:
    return figures(Run(samples=list(several)))


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_examples(module: ModuleType) -> None:
    result = doctest.testmod(module)
    assert result.attempted
    assert not result.failed


ONE, TWO = sample(rate=100), sample(round=2, rate=200)


@pytest.mark.parametrize(
    ("ours", "theirs", "figure"),
    [
        # The machine was twice as fast in the second round, which does not change the ratios.
        ([ONE, TWO], [sample("nginx", 2, 400), sample("nginx", 1, 200)], Figure(0.5, 0.5, 0.5, 2)),
        # A round that only one of them has does not count.
        (
            [ONE, sample(round=3, rate=900)],
            [sample("nginx", 1, 50), sample("nginx", 2, 1)],
            Figure(2, 2, 2, 1),
        ),
        # A round without responses has no ratio.
        ([ONE], [sample("nginx", rate=0)], None),
        ([sample(rate=0)], [sample("nginx")], None),
        ([ONE], [sample("nginx", seconds=0.0)], None),
        # The rate of an open loop does not depend on the server.
        ([ONE], [sample("nginx", intended=100.0)], None),
    ],
)
def test_ratios_are_formed_within_rounds(
    ours: list[Sample], theirs: list[Sample], figure: Figure | None
) -> None:
    assert combined(ours, theirs, RATES) == figure


def test_a_figure_is_the_median_with_its_range() -> None:
    assert Figure.of([3, 1, 2, 9]) == Figure(2.5, 1, 9, 4)
    assert Figure.of([math.nan, 1]) == Figure(1, 1, 1, 1)
    assert Figure.of([math.nan]) is None
    assert Figure(2, 1, 4, 3).spread == 1.5


@pytest.mark.parametrize(
    ("figure", "tie"),
    [
        (Figure(1, 0.9, 1.1, 7), True),
        (Figure(1, 1, 2, 7), True),
        (Figure(1, 1.01, 1.1, 7), False),
        (Figure(1, 0.9, 0.99, 7), False),
        (Figure(1, 0.5, 2, 7, units.SECONDS), False),
    ],
)
def test_a_ratio_whose_range_includes_one_is_a_tie(figure: Figure, tie: bool) -> None:
    assert figure.tie is tie


@pytest.mark.parametrize(
    ("figure", "words"),
    [
        (Figure(1, 0.5, 2, 3), "0.50 to 2.00"),
        (Figure(1, 0.001, 0.002, 3, units.SECONDS), "1.00 to 2.00 ms"),
        (Figure(1, 0.0001, 0.002, 3, units.SECONDS), "100 µs to 2.00 ms"),
        (Figure(1, 1, 1, 1), "one round"),
    ],
)
def test_a_range_has_its_unit_once(figure: Figure, words: str) -> None:
    assert figure.range == words


@pytest.mark.parametrize(
    ("cell", "slug"),
    [
        (Cell("throughput", "new connection"), "new-connection"),
        (Cell("files", "file 4 KiB"), "file-4-KiB"),
        (Cell("concurrency", "hot", 10_000.0), "concurrency-10000"),
        (Cell("latency", "hot", 0.7), "latency-70"),
        (Cell("fairness", "during both"), "fairness-during-both"),
        (Cell("attack", "slow-heads"), "attack-slow-heads"),
    ],
)
def test_names_of_places(cell: Cell, slug: str) -> None:
    assert cell.slug == slug


def test_names_of_figures() -> None:
    fast, slow = Histogram([0.001]), Histogram([0.004])
    known = figure_of(
        sample(rate=100, latency=slow),
        sample("bare loop", rate=200, latency=fast),
        sample("http.server", rate=50, latency=fast),
        sample("reactor +log", rate=80, latency=fast),
    )
    assert known["hot.floor"].median == 0.5
    assert known["hot.http-server"].median == 2
    assert known["hot.p99.floor"].median == pytest.approx(4, rel=0.03)
    assert known["hot.rate"] == Figure(100, 100, 100, 1, units.RATE)
    assert known["hot.p50"].median == pytest.approx(0.004, rel=0.01)
    assert known["log.rate"].median == 0.8
    # reactor +log is not another server.
    assert "hot.reactor-log" not in known


def test_servers_of_any_name_have_figures_of_their_own() -> None:
    # Neither name may replace a figure of reactor, or of the other server.
    known = figure_of(sample(rate=100), *(sample(peer, rate=50) for peer in ("rate", "a:1", "a-1", "floor")))
    ratios = {name: each.median for name, each in known.items() if each.unit == units.RATIO}
    assert ratios == {"hot.rate-2": 2, "hot.a-1": 2, "hot.a-1-2": 2, "hot.floor-2": 2}
    assert known["hot.rate"].median == 100


def test_cpu_times_per_request_are_compared_unless_they_are_unknown() -> None:
    # The client is the limit of both, but only one of them is busy.
    others = {"bare loop": 0.5, "nginx": 0.0, "bjoern": math.nan}
    known = figure_of(
        sample(rate=100, server_cpu=1.0), *(sample(peer, server_cpu=cpu) for peer, cpu in others.items())
    )
    assert known["hot.floor"].median == known["hot.bjoern"].median == 1
    assert known["hot.cpu"] == Figure(0.01, 0.01, 0.01, 1, units.SECONDS)
    assert known["hot.cpu.floor"].median == 2
    assert not {"hot.cpu.nginx", "hot.cpu.bjoern"} & known.keys()


def test_every_figure_of_a_run_can_be_asserted(run: Run) -> None:
    assert [name for name in figures(run) if not assertions.is_figure(name)] == []
    assert len(figures(run)) > 200


def test_an_open_loop_has_no_ratio_of_rates(run: Run) -> None:
    known = figures(run)
    assert "latency-50.p99.nginx" in known
    assert "latency-50.nginx" not in known
    assert "latency-50.cpu.nginx" in known
    assert "concurrency-64.nginx" in known


def test_idle_connections_are_compared_with_none_in_the_same_round() -> None:
    none = [sample(question="idle", x=0.0, resident=1000), sample(question="idle", x=0.0, round=2)]
    many = sample(question="idle", x=10_000.0, resident=21_000, rate=90)
    known = figure_of(*none, many)
    assert known["idle.bytes"] == Figure(2, 2, 2, 1, units.BYTES)
    assert known["idle.rate"].median == 0.9
    assert "idle.bytes" not in figure_of(*none, replace(many, resident=math.nan))


def test_the_worst_of_all_attacks_counts() -> None:
    first = sample(
        question="attack", workload="storm", errors=2, observed={"CPU idle": 0.01, "memory kept": -5}
    )
    second = replace(first, workload="flood", errors=0, observed={"CPU idle": 0.2}, latency=Histogram([0.3]))
    known = figure_of(first, second)
    assert known["attack.errors"] == Figure(2, 2, 2, 1, units.COUNT)
    assert str(known["attack.errors"]) == "2"
    assert known["attack.CPU-idle"] == Figure(0.2, 0.2, 0.2, 1)
    assert known["attack.memory-kept"] == Figure(-5, -5, -5, 1, units.BYTES)
    assert known["attack.p99"].median == pytest.approx(0.3, rel=0.01)
    assert "attack.CPU-after" not in known
    through_wsgi = replace(second, peer="reactor wsgi", workload="wsgi", errors=3)
    assert figure_of(first, second, through_wsgi)["attack.errors"].median == 3


def test_attacks_on_other_checkouts_are_figures_only_in_relation_to_this_one() -> None:
    ours = sample(question="attack", workload="storm", latency=Histogram([0.1]), observed={"RSS during": 9})
    known = figure_of(ours, replace(ours, peer="before", latency=Histogram([0.2]), errors=2))
    assert known["attack-storm.longest"].median == pytest.approx(0.1, rel=0.01)
    assert known["attack-storm.RSS-during"] == Figure(9, 9, 9, 1, units.BYTES)
    assert known["attack-storm.p99.before"].median == pytest.approx(0.5, rel=0.02)
    assert known["attack.errors"].median == 0


def test_the_load_generators_are_compared_with_each_other_only() -> None:
    by_wrk = sample("nginx", workload="agreement", client="wrk", rate=100)
    samples = [by_wrk, replace(by_wrk, client="reactor", requests=95)]
    assert figure_of(*samples) == {"agreement.clients": Figure(0.95, 0.95, 0.95, 1)}
    assert rows(Run(samples=samples)) == []
    assert figure_of(by_wrk) == {}


def test_a_run_without_this_server_has_no_figures() -> None:
    assert figure_of(sample("nginx")) == figure_of() == {}


# Saved runs.


def test_a_saved_run_has_the_same_figures_failures_and_unknown_values(run: Run, tmp_path: Path) -> None:
    failed = sample("127.0.0.1:80", errors=3, failures={"503": 2, "reset": 1})
    run.samples.append(failed)
    run.save(tmp_path / "run.json")
    assert "NaN" not in (tmp_path / "run.json").read_text()
    loaded = Run.load(tmp_path / "run.json")
    assert figures(loaded) == figures(run)
    assert loaded.samples[-1].failures == failed.failures
    assert all(math.isnan(getattr(loaded.samples[-1], name)) for name in samples.MAYBE_UNKNOWN)
    assert (loaded.peers, loaded.skipped, loaded.environment) == (run.peers, run.skipped, run.environment)
