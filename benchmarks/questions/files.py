"""How many files per second does one core send (4 KiB to 100 MiB) and store (4 KiB and 1 MiB)?

Each server has its own directory on an in-memory file system, if there is one (/dev/shm), so that servers
are compared and not disks. All servers store an upload in a temporary file and rename it. Files of
100 MiB are downloaded on eight connections; their rate is the bytes received / the file's size. Needs wrk.
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
    """Return the bytes that all files may take: served, stored and being received."""
    stored = len(PEERS) * NAMES + connections
    return sum(each.size * (stored if each in UPLOADED else 1) for each in workloads)


def share(directories: Path, workloads: Sequence[Workload]) -> None:
    """Create a directory per peer, with the files to download hard-linked into each."""
    first, *others = (directories / name for name in PEERS)
    for directory in (first, *others):
        directory.mkdir()
    for workload in workloads:
        if workload in DOWNLOADED:
            name = file_name(workload.size)
            (first / name).write_bytes(workload.content)
            for directory in others:
                os.link(first / name, directory / name)
