"""Comparisons by wrk, workload by workload: throughput, files, compression, watching."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from benchmarks.load import wrk
from benchmarks.results.samples import Run, Sample
from benchmarks.runner.rounds import Config, Place, Question, Turn
from benchmarks.servers.peers import FILES, WAYS_TO_WATCH
from benchmarks.servers.verify import verify
from benchmarks.servers.workloads import BY_QUESTION, LARGE, Workload

WARM_UP = 1.0  # seconds at most
LARGE_SECONDS = 5.0  # at least, so that one large file more or less does not matter


def select_workloads(question: str, config: Config, run: Run) -> list[Workload]:
    """Return the selected workloads; record those that are too large for a quick run as skipped."""
    wanted = [each for each in BY_QUESTION[question] if config.wants_workload(each.name)]
    large = [each for each in wanted if config.quick and each.size >= LARGE]
    run.skipped.update({each.name: "too large for a quick run" for each in large})
    return [each for each in wanted if each not in large]


def places(question: str, config: Config, run: Run) -> list[Place]:
    """Return a place per selected workload; none if wrk is missing."""
    if reason := wrk.missing():
        run.skipped[question] = reason
        return []
    return [_place(each) for each in select_workloads(question, config, run)]


def _place(workload: Workload) -> Place:
    def measure(turn: Turn) -> Iterator[Sample]:
        """Measure; to warm up, verify the responses before, and be brief."""
        if turn.round:
            seconds = max(turn.config.seconds, LARGE_SECONDS * (workload.size >= LARGE))
        else:
            verify(turn.server, workload)
            seconds = min(turn.config.seconds, WARM_UP)
        yield turn.sample("wrk", workload, seconds=seconds)

    return Place(workload.name, measure, workload.needs, warms_up=True)


def write_files(config: Config, directory: Path) -> None:
    """Write the files to download."""
    for workload in select_workloads("files", config, Run()):
        if workload.needs == FILES:
            (directory / Path(workload.targets[0]).name).write_bytes(workload.content)


WATCHING_PEERS = ("reactor", "reactor +log", *WAYS_TO_WATCH)
COMPARISONS = {
    "throughput": Question("throughput", partial(places, "throughput")),
    "files": Question("files", partial(places, "files"), write=write_files),
    "compression": Question("compression", partial(places, "compression")),
    "watching": Question("watching", partial(places, "watching"), WATCHING_PEERS, fixed=True),
}
