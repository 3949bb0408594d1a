"""How long do small requests wait while 8 clients download 1 GiB each, and 4 upload?

An open loop: requests for /echo/abc are sent at a low fixed rate, and each is timed from when it was due:
alone, during downloads, during uploads, and during both. Each finished transfer is started again;
transfers that are incomplete at the end of a round are aborted. All clients share one process and one
core, and the server has another; the times include the clients' own work, so they are upper bounds.
Files are on an in-memory file system, if there is one. The large file is sparse; uploads are smaller
(at most 256 MiB), so that they fit.
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
STORED = 256 * MIB  # size of an upload, at most
DOWNLOADING, UPLOADING = 8, 4  # clients
# Per upload client: stored files, files being received, and bodies in the server's memory.
COPIES = 4 * UPLOADING
CALM = Job(connections=8, rate=500.0)
NAME = "large"
STORED_AS = "upload-"


def jobs(seconds: float, large: int, stored: int) -> dict[str, Job]:
    """Return one job per situation, by its name; file sizes are in bytes."""
    alone = replace(CALM, seconds=seconds)
    downloads = [("GET", f"/files/{NAME}", large)] * DOWNLOADING
    uploads = [("POST", f"/files/{STORED_AS}{number}", stored) for number in range(UPLOADING)]
    return {
        "alone": alone,
        "during downloads": replace(alone, transfers=downloads),
        "during uploads": replace(alone, transfers=uploads),
        "during both": replace(alone, transfers=downloads + uploads),
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
        for name in selected.peers:  # uploads stored after the client had closed, before the server ended
            forget(directories / name)


def measure_one(
    name: str, job: Job, running: Sequence[RunningPeer], config: Config, run: Run, show_progress: ShowProgress
) -> None:
    """Measure all running peers in one situation."""
    servers = {server.name: server for _, server in running}
    rounds = Rounds(run, config.rounds, name)
    for number, peer in rounds.in_order(list(servers)):
        show_progress(f"small requests {name}, round {number} of {config.rounds}: {peer}")
        with rounds.skip_on_error(peer):
            if UPLOADS not in PEERS[peer].serves and any(method == "POST" for method, _, _ in job.transfers):
                raise process.LoadError(PEERS[peer].why_not)
            try:
                run.samples.append(process.measure(servers[peer], job, QUESTION, name, number))
            finally:
                forget(servers[peer].directory)


def room() -> int:
    """Return how many bytes of memory the files may use."""
    import psutil

    available = int(psutil.virtual_memory().available)
    return min(available, shutil.disk_usage(MEMORY).free) if MEMORY.is_dir() else available


def share(directories: Path, peers: Iterable[str], size: int) -> None:
    """Create a directory per peer, with the same sparse large file hard-linked into each."""
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
    """Remove uploaded files."""
    for path in directory.glob(f"{STORED_AS}*"):
        path.unlink()
