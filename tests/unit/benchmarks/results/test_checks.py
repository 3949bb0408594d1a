"""Self-checks pass for a good run, and each warns of its own problem."""

import math
from dataclasses import replace

import pytest

from benchmarks.load.histogram import Histogram
from benchmarks.results import checks
from benchmarks.results.checks import PASS, SKIPPED, WARN, Check, check, deviation, in_equilibrium, summary
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


def check_of(name: str, *samples: Sample, **environment: object) -> Check:
    return next(each for each in check(Run(environment, samples=list(samples))) if each.name == name)


def test_all_is_well_in_a_good_run(run: Run) -> None:
    assert {each.name: each.words for each in check(run) if each.result != PASS} == {}
    assert summary(check(run)) == "9 passed"


def test_littles_law_holds_when_all_connections_are_busy() -> None:
    assert deviation(GOOD) == pytest.approx(0, abs=0.02)
    assert check_of("Little's law", GOOD).result == PASS


@pytest.mark.parametrize("time", [0.0046, 0.0054])
def test_littles_law_finds_times_that_do_not_fit(time: float) -> None:
    found = check_of("Little's law", GOOD, replace(GOOD, latency=Histogram([time] * 2000)))
    assert found.result == WARN
    assert "1 of 2" in found.words
    assert "hot, nginx" in found.words


def test_littles_law_counts_times_and_not_requests() -> None:
    # A batch of 16 requests has one time: 16 times the requests, the same number of times.
    assert check_of("Little's law", replace(GOOD, workload="pipelined", requests=32_000)).result == PASS


@pytest.mark.parametrize(
    ("name", "sample"),
    [
        ("Little's law", replace(GOOD, intended=2000.0)),
        ("Little's law", replace(GOOD, workload="new connection")),
        ("Little's law", replace(GOOD, latency=Histogram([0.005] * 199))),
        ("Little's law", replace(GOOD, latency=Histogram())),
        ("client's core", replace(GOOD, client_cpu=math.nan)),
    ],
    ids=["open loop", "new connections", "too few", "none", "unknown"],
)
def test_samples_that_a_check_does_not_apply_to_are_counted(name: str, sample: Sample) -> None:
    assert check_of(name, sample).result == SKIPPED
    found = check_of(name, GOOD, sample)
    assert found.result == PASS
    assert "in all 1 samples (not applied to 1 others:" in found.words
    assert in_equilibrium(sample) == (name != "Little's law")


@pytest.mark.parametrize(
    ("name", "bad", "words"),
    [
        ("client's core", {"client_cpu": 0.96}, "hot, nginx: 96 %"),
        ("own cores", {"shared_core": True}, "hot, nginx: 1 round"),
        ("connections", {"established": 9}, "hot, nginx: 9 of 10"),
        ("errors", {"errors": 3}, "hot, nginx: 3"),
        ("errors", {"errors": 13, "failures": {"reset": 1, "503": 12}}, "hot, nginx: 13 (503: 12, reset: 1)"),
        ("errors", {"errors": 3, "question": "concurrency", "x": 64.0}, "concurrency-64, nginx: 3"),
        ("bodies", {"verified": None}, "hot, nginx: 1 round"),
        ("bodies", {"verified": 0}, "hot, nginx: 1 round"),
    ],
)
def test_one_bad_sample_is_found(name: str, bad: dict[str, object], words: str) -> None:
    assert check_of(name, GOOD).result == PASS
    found = check_of(name, GOOD, replace(GOOD, **bad))  # type: ignore[arg-type]
    assert found.result == WARN
    assert found.words.endswith(words)
    assert "not true for 1 of 2 samples" in found.words


def test_the_errors_of_all_rounds_are_added() -> None:
    bad = [replace(GOOD, round=n, errors=2, failures={"503": n, "reset": 2 - n}) for n in (1, 2)]
    assert check_of("errors", *bad).words.endswith("for 2 of 2 samples: hot, nginx: 4 (503: 3, reset: 1)")


def test_a_few_places_are_named_and_the_others_counted() -> None:
    found = check_of("errors", *(replace(GOOD, peer=f"peer {n}", errors=1) for n in range(9)))
    assert "peer 2" in found.words
    assert "peer 3" not in found.words
    assert found.words.endswith("and 6 more")


@pytest.mark.parametrize(
    ("rates", "result", "words"),
    [([1000, 1100], PASS, "all 1 targets"), ([1000, 1400], WARN, "hot.floor: 33 %"), ([1000], SKIPPED, "")],
)
def test_rounds_that_lie_far_apart_are_found(rates: list[int], result: str, words: str) -> None:
    ours = [replace(GOOD, peer="reactor", round=n, requests=rate) for n, rate in enumerate(rates)]
    found = check_of("spread", *ours, *(replace(each, peer="bare loop", requests=2000) for each in ours))
    assert found.result == result
    assert words in found.words


@pytest.mark.parametrize(
    ("ours", "cpu", "result"),
    [(1820, 0.5, PASS), (2180, 0.5, PASS), (1780, 0.5, WARN), (2220, 0.5, WARN), (2000, 0.99, WARN)],
)
def test_clients_agree_within_ten_per_cent_unless_one_was_the_bottleneck(
    ours: int, cpu: float, result: str
) -> None:
    by_wrk = replace(GOOD, workload="agreement")
    by_us = replace(by_wrk, client="reactor", requests=ours, client_cpu=cpu)
    assert check_of("clients agree", by_wrk, by_us).result == result
    assert check_of("clients agree", by_wrk).result == SKIPPED


@pytest.mark.parametrize(
    ("known", "result"), [({"load": 0.9, "cores": 2}, PASS), ({"load": 1.1, "cores": 2}, WARN), ({}, SKIPPED)]
)
def test_a_busy_machine_is_noticed(known: dict[str, object], result: str) -> None:
    assert check_of("quiet machine", **known).result == result


def test_a_run_without_samples_does_not_pass() -> None:
    assert {each.result for each in checks.check(Run())} == {SKIPPED}
