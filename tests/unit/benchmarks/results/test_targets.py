"""The list of targets, and the verdicts PASS, MISSED and not measured."""

import pytest

from benchmarks.results.assertions import is_figure
from benchmarks.results.statistics import Figure
from benchmarks.results.targets import MISSED, PASS, TARGETS, Target, Verdict, evaluate, score
from benchmarks.results.units import BYTES

SET = {
    "hot.floor": 0.70,
    "hot.bjoern": 1.0,
    "hot.uvicorn": 3.0,
    "hot.granian": 2.0,
    "browser.floor": 0.70,
    "browser.bjoern": 1.0,
    "varied.floor": 0.55,
    "varied.uvicorn": 2.0,
    "pipelined.nginx": 2.0,
    "pipelined.uvicorn": 10.0,
    "new-connection.nginx": 0.7,
    "new-connection.uvicorn": 1.5,
    "gzip-same.uvicorn": 2.0,
    "gzip-same.bjoern": 2.0,
    "gzip-same.granian": 1.2,
    "gzip-different.uvicorn": 2.0,
    "gzip-different.bjoern": 2.0,
    "gzip-different.granian": 1.2,
    "file-4-KiB.nginx": 0.7,
    "file-4-KiB.uvicorn": 10.0,
    "file-64-KiB.nginx": 0.9,
    "file-1-MiB.nginx": 0.9,
    "file-100-MiB.nginx": 0.9,
    "upload-4-KiB.uvicorn": 2.0,
    "upload-4-KiB.granian": 1.0,
    "upload-1-MiB.uvicorn": 2.0,
    "upload-1-MiB.granian": 1.4,
    "idle.rate": 0.9,
    "log.rate": 0.8,
}
AT_MOST = {
    "hot.cpu.floor": 1.7,
    "hot.cpu.uvicorn": 0.39,
    "browser.cpu.floor": 1.7,
    "browser.cpu.bjoern": 0.9,
    "varied.cpu.floor": 2.6,
    "varied.cpu.uvicorn": 0.6,
    "varied.cpu.granian": 1.0,
    "varied-3.cpu.uvicorn": 0.62,
    "pipelined.cpu.nginx": 0.7,
    "pipelined-varied.cpu.granian": 0.6,
    "new-connection.cpu.uvicorn": 0.28,
    "new-connection.cpu.granian": 0.85,
    "file-4-KiB.cpu.nginx": 1.4,
    "upload-4-KiB.cpu.uvicorn": 0.8,
    "upload-4-KiB.cpu.granian": 1.25,
    "gzip-different.cpu.granian": 1.0,
    "gzip-different.cpu.uvicorn": 0.67,
    "log.cpu": 1.15,
    "idle.bytes": 1024,
    "hot.p99.nginx": 2.0,
    "attack.errors": 0,
    "attack.p99": 0.1,
    "attack-pipelines.p99": 0.025,
    "attack-compressions.p99": 0.025,
    "attack-listings.p99": 0.025,
    "attack.CPU-idle": 0.05,
    "attack.CPU-after": 0.05,
    "attack.memory-kept": 16 << 20,
    "attack.descriptors-kept": 0,
}

FLOOR = Target("hot.floor", "hot", "at least", 0.70, "x the floor")
EACH = Target("idle.bytes", "idle", "at most", 1536, "each", BYTES)
NONE = Target("attack.errors", "attack", "at most", 0, "errors")


def test_the_targets_are_those_that_were_set() -> None:
    assert {each.figure: each.bound for each in TARGETS if each.limit == "at least"} == SET
    assert {each.figure: each.bound for each in TARGETS if each.limit == "at most"} == AT_MOST
    assert len(TARGETS) == len(SET) + len(AT_MOST)


def test_every_target_names_a_figure_that_a_run_can_have() -> None:
    assert [each.figure for each in TARGETS if not is_figure(each.figure)] == []


@pytest.mark.parametrize(
    ("target", "median", "result", "words"),
    [
        (FLOOR, 0.70, PASS, "PASS"),
        (FLOOR, 0.699, MISSED, "MISSED by less than 1 %"),
        (FLOOR, 0.35, MISSED, "MISSED by 50 %"),
        (FLOOR, 7.0, PASS, "PASS"),
        (EACH, 1536, PASS, "PASS"),
        (EACH, 1537, MISSED, "MISSED by less than 1 %"),
        (EACH, 3072, MISSED, "MISSED by 100 %"),
        (EACH, -10, PASS, "PASS"),
        (EACH, 0, PASS, "PASS"),
        (NONE, 0, PASS, "PASS"),
        (NONE, -1, PASS, "PASS"),
        (NONE, 1, MISSED, "MISSED"),
    ],
)
def test_the_median_decides(target: Target, median: float, result: str, words: str) -> None:
    verdict = Verdict(target, Figure(median, median, median, 7, target.unit))
    assert (verdict.result, verdict.words) == (result, words)


def test_a_bound_within_the_spread_is_said_to_be() -> None:
    assert Verdict(FLOOR, Figure(0.72, 0.69, 0.75, 7)).words == "PASS, within the spread"
    assert Verdict(FLOOR, Figure(0.63, 0.60, 0.71, 7)).words == "MISSED by 10 %, within the spread"
    assert Verdict(FLOOR, Figure(0.72, 0.71, 0.75, 7)).words == "PASS"
    assert Verdict(EACH, Figure(1530, 1500, 1540, 7, BYTES)).words == "PASS, within the spread"


def test_a_target_without_a_figure_is_neither_met_nor_missed() -> None:
    assert evaluate({}) == []
    assert score(evaluate({})) == "0 of 0 targets met, 58 not measured"


def test_the_words_say_the_bound_in_its_unit() -> None:
    assert str(FLOOR) == "at least 0.70 x the floor"
    assert str(EACH) == "at most 1.50 KiB each"
