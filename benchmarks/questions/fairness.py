"""How long do small requests wait while 8 clients download 1 GiB each, and 4 upload?

Requests for /echo/abc come at a low fixed rate, whatever becomes of the answers, and each one's time runs
from when it was due: alone, during downloads, during uploads, and during both. Who has the file
begins again, who has stored one likewise, so that the server never rests; what is on its way at the end
of a round is broken off. All clients share one process and one core, the server has another: the
clients' own work counts, too, so the figures are upper bounds. Files are in a memory file system,
where there is one; the large one has no octet in it. What is uploaded is smaller, so that there is
room for it: 256 MiB, or less.
"""

import os
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.load import process
from benchmarks.load.round import Job
from benchmarks.results.samples import Run
from benchmarks.runner.config import Config, ShowProgress, select_peers
from benchmarks.runner.interleaved import MEMORY, Rounds, RunningPeer, roomy_directory, running_peers
from benchmarks.servers.peers import FILES, PEERS, UPLOADS
from benchmarks.servers.workloads import MIB, Workload

QUESTION = "fairness"
DEFAULT_PEERS = ("reactor", "nginx", "uvicorn")
LARGE, QUICK_LARGE = 1024 * MIB, 16 * MIB
STORED = 256 * MIB  # at most
DOWNLOADING, UPLOADING = 8, 4  # clients
# Of each upload there may be one that is stored, one that is on its way, and one in the server's memory.
COPIES = 4 * UPLOADING
CALM = Job(connections=8, rate=500.0)
NAME = "large"
STORED_AS = "upload-"


def jobs(seconds: float, large: int, stored: int) -> dict[str, Job]:
    """Return the small requests by what happens meanwhile; sizes of files are in octets."""
    alone = replace(CALM, seconds=seconds)
    downloads = replace(alone, downloads=DOWNLOADING, download=f"/files/{NAME}", download_size=large)
    upload = f"/files/{STORED_AS}"
    return {
        "alone": alone,
        "during downloads": downloads,
        "during uploads": replace(alone, uploads=UPLOADING, upload=upload, upload_size=stored),
        "during both": replace(downloads, uploads=UPLOADING, upload=upload, upload_size=stored),
    }


def measure(config: Config, run: Run, show_progress: ShowProgress) -> None:
    """Add the samples of all situations to the run."""
    selected = select_peers(config, DEFAULT_PEERS)
    large = QUICK_LARGE if config.quick else LARGE
    stored = min(STORED, large, room() // COPIES)
    with roomy_directory(COPIES * stored) as directories:
        share(directories, selected.peers, large)
        with running_peers([Workload("large", FILES)], selected, run, show_progress, directories) as running:
            for name, job in jobs(selected.seconds, large, stored).items():
                if config.wants_workload(name):
                    measure_one(name, job, running, selected, run, show_progress)
        for name in selected.peers:  # what a server stored when its client had gone, before it ended
            forget(directories / name)


def measure_one(
    name: str, job: Job, running: Sequence[RunningPeer], config: Config, run: Run, show_progress: ShowProgress
) -> None:
    """Measure everybody in one situation."""
    servers = {server.name: server for _, server in running}
    rounds = Rounds(run, config.rounds, name)
    for number, peer in rounds.in_order(list(servers)):
        show_progress(f"small requests {name}, round {number} of {config.rounds}: {peer}")
        with rounds.skip_on_error(peer):
            if job.uploads and UPLOADS not in PEERS[peer].serves:
                raise process.LoadError(PEERS[peer].why_not)
            try:
                run.samples.append(process.measure(servers[peer], job, QUESTION, name, number))
            finally:
                forget(servers[peer].directory)


def room() -> int:
    """Return how many octets of memory files may take."""
    import psutil

    available = int(psutil.virtual_memory().available)
    return min(available, shutil.disk_usage(MEMORY).free) if MEMORY.is_dir() else available


def share(directories: Path, peers: Iterable[str], size: int) -> None:
    """Make a directory for each peer; the large file is in all of them, and has no octet on the disk."""
    first = None
    for name in peers:
        path = directories / name / NAME
        path.parent.mkdir()
        if first is None:
            path.touch()
            os.truncate(path, size)
            first = path
        else:
            os.link(first, path)


def forget(directory: Path) -> None:
    """Remove what was uploaded."""
    for path in directory.glob(f"{STORED_AS}*"):
        path.unlink()
