"""Fairness: small requests while other clients download and upload large files.

An open loop: requests for /echo/abc are sent at a low fixed rate, and each is timed from when it was due:
alone, during downloads, during uploads, and during both. Each finished transfer is started again;
transfers that are incomplete at the end of a round are aborted. All clients share one process and one
core, and the server has another; the times include the clients' own work, so they are upper bounds.
Files are on an in-memory file system, if there is one. The large file is sparse; uploads are smaller
(at most 256 MiB), so that they fit.
"""

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

from benchmarks.load import process
from benchmarks.load.round import Job
from benchmarks.results.samples import Run, Sample
from benchmarks.runner.rounds import MEMORY, Config, Place, Question, Turn, shared_files
from benchmarks.servers.peers import FILES, UPLOADS
from benchmarks.servers.workloads import MIB

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


def places(config: Config, run: Run) -> list[Place]:
    """Return a place per situation."""
    large = QUICK_LARGE if config.quick else LARGE
    several = jobs(config.seconds, large, stored_size(large))
    return [_place(name, job) for name, job in several.items() if config.wants_workload(name)]


def _place(name: str, job: Job) -> Place:
    def measure(turn: Turn) -> Iterator[Sample]:
        try:
            yield turn.place(process.measure(turn.server, job), name)
        finally:
            forget(turn.server.directory)

    return Place(name, measure, UPLOADS if "uploads" in name or "both" in name else FILES)


def directories(config: Config, peers: Sequence[str]) -> AbstractContextManager[Path]:
    """Create a directory per peer, with the large file, which is sparse."""
    large = QUICK_LARGE if config.quick else LARGE

    def write(directory: Path) -> None:
        (directory / NAME).touch()
        os.truncate(directory / NAME, large)

    return shared_files(COPIES * stored_size(large), peers, write)


def stored_size(large: int) -> int:
    """Return the size of an upload, so that all fit into memory."""
    import psutil

    available = int(psutil.virtual_memory().available)
    room = min(available, shutil.disk_usage(MEMORY).free) if MEMORY.is_dir() else available
    return min(STORED, large, room // COPIES)


def forget(directory: Path) -> None:
    """Remove uploaded files."""
    for path in directory.glob(f"{STORED_AS}*"):
        path.unlink()


QUESTION = Question("fairness", places, ("reactor", "nginx", "uvicorn"), directories=directories)
measure, estimate = QUESTION.measure, QUESTION.estimate
