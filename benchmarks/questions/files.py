"""How many files a second does one core send, from 4 KiB to 100 MiB, and store, of 4 KiB and 1 MiB?

Downloads and uploads go out of and into a directory on a memory file system, where there is one (/dev/shm),
so that servers are compared and not disks; each server has its own. Whoever stores a file
writes it beside its place and renames it. Of files of 100 MiB, eight are sent at once, and what
counts is how many files the octets make up that arrived. Needs wrk.
"""

import os
from collections.abc import Sequence
from pathlib import Path

from benchmarks.results.samples import Run
from benchmarks.runner import interleaved
from benchmarks.runner.config import Config, ShowProgress
from benchmarks.servers.peers import PEERS
from benchmarks.servers.workloads import DOWNLOADED, NAMES, UPLOADED, Workload, file_name

WORKLOADS = (*DOWNLOADED, *UPLOADED)


def measure(config: Config, run: Run, show_progress: ShowProgress) -> None:
    """Add the samples of all peers to the run."""
    workloads = interleaved.select_workloads(WORKLOADS, config, run)
    with interleaved.roomy_directory(room(workloads, config.connections)) as directories:
        share(directories, workloads)
        interleaved.measure("files", workloads, config, run, show_progress, directories)


def room(workloads: Sequence[Workload], connections: int) -> int:
    """Return how many octets all files may take: shared ones, stored ones, and those on their way."""
    stored = len(PEERS) * NAMES + connections
    return sum(each.size * (stored if each in UPLOADED else 1) for each in workloads)


def share(directories: Path, workloads: Sequence[Workload]) -> None:
    """Make a directory for each peer; a file is in all of them, but only once on the disk."""
    first, *others = (directories / name for name in PEERS)
    for directory in (first, *others):
        directory.mkdir()
    for workload in workloads:
        if workload in DOWNLOADED:
            name = file_name(workload.size)
            (first / name).write_bytes(workload.content)
            for directory in others:
                os.link(first / name, directory / name)
