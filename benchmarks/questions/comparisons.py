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

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from benchmarks.results.samples import Run
from benchmarks.runner.config import Config
from benchmarks.runner.rounds import Place, Question, roomy_directory, select_workloads, workload_places
from benchmarks.servers.peers import PEERS, WAYS_TO_WATCH
from benchmarks.servers.workloads import (
    COMPRESSED,
    DOWNLOADED,
    NAMES,
    SMALL,
    UPLOADED,
    WATCHED,
    Workload,
    file_name,
)

TRANSFERRED = (*DOWNLOADED, *UPLOADED)


@contextmanager
def directories(config: Config, peers: Sequence[str]) -> Iterator[Path]:
    """Create a directory per peer, with the files to download."""
    workloads = select_workloads(TRANSFERRED, config, Run())
    with roomy_directory(room(workloads, config.connections)) as root:
        share(root, peers, workloads)
        yield root


def room(workloads: Sequence[Workload], connections: int) -> int:
    """Return the bytes that all files may take: served, stored and being received."""
    stored = len(PEERS) * NAMES + connections
    return sum(each.size * (stored if each in UPLOADED else 1) for each in workloads)


def share(root: Path, peers: Sequence[str], workloads: Sequence[Workload]) -> None:
    """Create a directory per peer, with the files to download hard-linked into each."""
    first, *others = (root / name for name in peers)
    for directory in (first, *others):
        directory.mkdir()
    for workload in workloads:
        if workload in DOWNLOADED:
            name = file_name(workload.size)
            (first / name).write_bytes(workload.content)
            for directory in others:
                os.link(first / name, directory / name)


def _comparison(name: str, workloads: Sequence[Workload]) -> Question:
    def places(config: Config, run: Run) -> list[Place]:
        return workload_places(name, workloads, config, run)

    return Question(name, places)


COMPARISONS = {
    "throughput": _comparison("throughput", SMALL),
    "files": replace(_comparison("files", TRANSFERRED), directories=directories),
    "compression": _comparison("compression", COMPRESSED),
    "watching": replace(
        _comparison("watching", [WATCHED]), usual=("reactor", "reactor +log", *WAYS_TO_WATCH), fixed=True
    ),
}
