"""Self-checks pass for a good run, and each warns of its own problem."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from benchmarks.load.histogram import Histogram
from benchmarks.results import checks
from benchmarks.results.checks import PASS, SKIPPED, WARN, Check, applies, deviation
from benchmarks.results.samples import Run, Sample

GOOD = Sample(
    question="throughput",
    workload="hot",
    peer="nginx",
    round=1,
    requests=2000,
    seconds=1.0,
    latency=Histogram([0.005] * 2000),
    client_cpu=0.5,
    asked=10,
    established=10,
    verified=4,
    client="wrk",
)


def check_of(look: Callable[[Run], Check], *samples: Sample) -> Check:
    return look(Run(samples=list(samples)))


def test_all_is_well_in_a_good_run(run: Run) -> None:
    assert {each.name: each.words for each in checks.check(run) if each.result != PASS} == {}


def test_littles_law_holds_when_all_connections_are_busy() -> None:
    assert deviation(GOOD) == pytest.approx(0, abs=0.02)
    assert check_of(checks.littles_law, GOOD).result == PASS


@pytest.mark.parametrize("time", [0.0046, 0.0054])
def test_littles_law_finds_times_that_do_not_fit(time: float) -> None:
    found = check_of(checks.littles_law, GOOD, replace(GOOD, latency=Histogram([time] * 2000)))
    assert found.result == WARN
    assert "1 of 2" in found.words
    assert "throughput, hot, nginx" in found.words


def test_littles_law_counts_times_and_not_requests() -> None:
    # A batch of 16 requests has one time: 16 times the requests, the same number of times.
    pipelined = replace(GOOD, workload="pipelined", requests=32_000)
    assert check_of(checks.littles_law, pipelined).result == PASS


@pytest.mark.parametrize(
    "sample",
    [
        replace(GOOD, intended=2000.0),
        replace(GOOD, workload="new connection"),
        replace(GOOD, latency=Histogram([0.005] * 199)),
        replace(GOOD, latency=Histogram()),
    ],
    ids=["open loop", "new connections", "too few", "none"],
)
def test_littles_law_is_left_out_where_it_says_nothing(sample: Sample) -> None:
    assert not applies(sample)
    assert check_of(checks.littles_law, sample).result == SKIPPED


@pytest.mark.parametrize(
    ("look", "bad", "words"),
    [
        (checks.clients_core, {"client_cpu": 0.96}, "96 %"),
        (checks.established, {"established": 9}, "9 of 10"),
        (checks.no_errors, {"errors": 3}, "nginx: 3"),
        (checks.contents, {"verified": None}, "none compared"),
        (checks.contents, {"verified": 0}, "none compared"),
    ],
)
def test_one_bad_sample_is_found(look: Callable[[Run], Check], bad: dict[str, float], words: str) -> None:
    assert check_of(look, GOOD).result == PASS
    found = check_of(look, GOOD, replace(GOOD, **bad))  # type: ignore[arg-type]
    assert found.result == WARN
    assert words in found.words
    assert "1 of 2" in found.words


def test_a_few_places_are_named_and_the_others_counted() -> None:
    found = check_of(checks.no_errors, *(replace(GOOD, peer=f"peer {n}", errors=1) for n in range(9)))
    assert "peer 2" in found.words
    assert "peer 3" not in found.words
    assert found.words.endswith("and 6 more")


def test_rounds_that_lie_far_apart_are_found() -> None:
    def rounds(*rates: int) -> list[Sample]:
        ours = [replace(GOOD, peer="reactor", round=n, requests=rate) for n, rate in enumerate(rates)]
        return [*ours, *(replace(GOOD, peer="bare loop", round=n) for n in range(len(rates)))]

    assert check_of(checks.spread, *rounds(1000, 1100)).result == PASS
    found = check_of(checks.spread, *rounds(1000, 1400))
    assert found.result == WARN
    assert "hot.floor 33 %" in found.words
    assert check_of(checks.spread, *rounds(1000)).result == SKIPPED


@pytest.mark.parametrize(("ours", "result"), [(1820, PASS), (2180, PASS), (1780, WARN), (2220, WARN)])
def test_clients_agree_within_ten_per_cent(ours: int, result: str) -> None:
    by_wrk = replace(GOOD, workload="agreement")
    by_us = replace(by_wrk, client="reactor", requests=ours)
    assert check_of(checks.clients_agree, by_wrk, by_us).result == result


def test_clients_do_not_agree_when_one_of_them_was_the_bottleneck() -> None:
    by_wrk = replace(GOOD, workload="agreement")
    by_us = replace(by_wrk, client="reactor", client_cpu=0.99)
    assert check_of(checks.clients_agree, by_wrk, by_us).result == WARN
    assert check_of(checks.clients_agree, by_wrk).result == SKIPPED


@pytest.mark.parametrize(
    ("known", "result"),
    [({"load": 0.9, "cores": 2}, PASS), ({"load": 1.1, "cores": 2}, WARN), ({}, SKIPPED)],
)
def test_a_busy_machine_is_noticed(known: dict[str, float], result: str) -> None:
    assert checks.quiet_machine(Run(environment=dict(known))).result == result


def test_a_run_of_nothing_is_not_called_good() -> None:
    assert {each.result for each in checks.check(Run())} == {SKIPPED}
