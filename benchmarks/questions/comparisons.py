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
from functools import partial
from pathlib import Path

from benchmarks.load import wrk
from benchmarks.results.samples import Run, Sample
from benchmarks.runner.rounds import Config, Place, Question, Turn, shared_files
from benchmarks.servers.peers import FILES, PEERS, UPLOADS, WAYS_TO_WATCH
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
    def warm_up(turn: Turn) -> None:
        """Verify a server's responses, fill its caches, and verify again."""
        verify(turn.server, workload)
        turn.sample("wrk", workload, seconds=min(turn.config.seconds, WARM_UP))

    def measure(turn: Turn) -> Iterator[Sample]:
        seconds = max(turn.config.seconds, LARGE_SECONDS * (workload.size >= LARGE))
        yield turn.sample("wrk", workload, seconds=seconds)

    return Place(workload.name, measure, workload.needs, warm_up)


def directories(config: Config, peers: Sequence[str]) -> AbstractContextManager[Path]:
    """Create a directory per peer, with the files to download, and room for those being uploaded."""
    workloads = select_workloads("files", config, Run())
    room = 0
    for each in workloads:
        stored = len(PEERS) * len(each.targets) + config.connections if each.needs == UPLOADS else 1
        room += each.size * stored

    def write(directory: Path) -> None:
        for workload in workloads:
            if workload.needs == FILES:
                (directory / Path(workload.targets[0]).name).write_bytes(workload.content)

    return shared_files(room, peers, write)


WATCHING_PEERS = ("reactor", "reactor +log", *WAYS_TO_WATCH)
COMPARISONS = {
    "throughput": Question("throughput", partial(places, "throughput")),
    "files": Question("files", partial(places, "files"), directories=directories),
    "compression": Question("compression", partial(places, "compression")),
    "watching": Question("watching", partial(places, "watching"), WATCHING_PEERS, fixed=True),
}
