"""Comparisons by wrk, workload by workload: throughput, files, compression, watching.

    throughput   small responses: with wrk's short request head, a browser's head, a different head each
                 time, pipelined requests, and one request per connection
    files        downloads and uploads; each server has its own directory on an in-memory file system, if
                 there is one (/dev/shm), so that servers are compared and not disks. All servers store an
                 upload in a temporary file and rename it. 100 MiB are downloaded on eight connections; their
                 rate is the bytes received / the file's size
    compression  GET /echo/{text} with Accept-Encoding: gzip, level 6: the same text or a new one each time
    watching     one small response, served with the access log, and with each observe option in addition:
                 --explain writing to a file, --trace without a limit into /dev/null, and --inspect without
                 an open page, which still collects metrics

The server runs on one core and wrk on another. What counts is the ratio within a round, not the absolute
figures. Some responses before and after each round are compared byte by byte. Needs wrk (Debian: apt-get
install wrk). Servers that are not installed are skipped and listed.
"""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

from benchmarks.load import wrk
from benchmarks.results.samples import Run, Sample
from benchmarks.runner.rounds import Config, Place, Question, Turn, shared_files
from benchmarks.servers.peers import PEERS, WAYS_TO_WATCH
from benchmarks.servers.verify import verify
from benchmarks.servers.workloads import (
    COMPRESSED,
    DOWNLOADED,
    LARGE,
    NAMES,
    SMALL,
    UPLOADED,
    WATCHED,
    Workload,
    file_name,
)

WARM_UP = 1.0  # seconds at most
LARGE_SECONDS = 5.0  # at least, so that one large file more or less does not matter
TRANSFERRED = (*DOWNLOADED, *UPLOADED)


def directories(config: Config, peers: Sequence[str]) -> AbstractContextManager[Path]:
    """Create a directory per peer, with the files to download."""
    workloads = select_workloads(TRANSFERRED, config, Run())

    def write(directory: Path) -> None:
        for workload in workloads:
            if workload in DOWNLOADED:
                (directory / file_name(workload.size)).write_bytes(workload.content)

    return shared_files(room(workloads, config.connections), peers, write)


def room(workloads: Sequence[Workload], connections: int) -> int:
    """Return the bytes that all files may take: served, stored and being received."""
    stored = len(PEERS) * NAMES + connections
    return sum(each.size * (stored if each in UPLOADED else 1) for each in workloads)


def select_workloads(workloads: Sequence[Workload], config: Config, run: Run) -> list[Workload]:
    """Return the selected workloads; record those that are too large for a quick run as skipped."""
    wanted = [each for each in workloads if config.wants_workload(each.name)]
    large = [each for each in wanted if config.quick and each.size >= LARGE]
    run.skipped.update({each.name: "too large for a quick run" for each in large})
    return [each for each in wanted if each not in large]


def place(workload: Workload) -> Place:
    """Return the place that measures a workload."""

    def warm_up(turn: Turn) -> None:
        """Verify a server's responses, fill its caches, and verify again."""
        verify(turn.server, workload)
        turn.sample("wrk", workload, seconds=min(turn.config.seconds, WARM_UP))

    def measure(turn: Turn) -> Iterator[Sample]:
        seconds = max(turn.config.seconds, LARGE_SECONDS * (workload.size >= LARGE))
        yield turn.sample("wrk", workload, seconds=seconds)

    return Place(workload.name, measure, workload.needs, warm_up)


def _comparison(name: str, workloads: Sequence[Workload]) -> Question:
    def places(config: Config, run: Run) -> list[Place]:
        if reason := wrk.missing():
            run.skipped[name] = reason
            return []
        return [place(each) for each in select_workloads(workloads, config, run)]

    return Question(name, places)


COMPARISONS = {
    "throughput": _comparison("throughput", SMALL),
    "files": replace(_comparison("files", TRANSFERRED), directories=directories),
    "compression": _comparison("compression", COMPRESSED),
    "watching": replace(
        _comparison("watching", [WATCHED]), usual=("reactor", "reactor +log", *WAYS_TO_WATCH), fixed=True
    ),
}
