"""Fairness: small requests while other clients download and upload large files.

An open loop: requests for /echo/abc are sent at a low fixed rate, and each is timed from when it was due:
alone, during downloads, during uploads, and during both. Each finished transfer is started again;
transfers that are incomplete at the end of a round are aborted. All clients share one process and one
core, and the server has another; the times include the clients' own work, so they are upper bounds.
Files are on an in-memory file system, if there is one. The large file is sparse; uploads are smaller, so that
they fit: stored files, files being received, and bodies in the server's memory.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from benchmarks.load import process
from benchmarks.load.round import Job
from benchmarks.results.samples import Run, Sample
from benchmarks.runner.rounds import Config, Place, Question, Turn
from benchmarks.servers.peers import FILES, UPLOADS
from benchmarks.servers.workloads import MIB

LARGE, QUICK_LARGE = 1024 * MIB, 16 * MIB
STORED = 64 * MIB  # size of an upload, at most
DOWNLOADING, UPLOADING = 8, 4  # clients
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
    several = jobs(config.seconds, large, min(STORED, large))
    return [_place(name, job) for name, job in several.items() if config.wants_workload(name)]


def _place(name: str, job: Job) -> Place:
    def measure(turn: Turn) -> Iterator[Sample]:
        try:
            yield replace(process.measure(turn.server, job), workload=name)
        finally:
            for path in turn.server.directory.glob(f"{STORED_AS}*"):
                path.unlink()

    return Place(name, measure, UPLOADS if "uploads" in name or "both" in name else FILES)


def write_large(config: Config, directory: Path) -> None:
    """Write the large file, which is sparse."""
    with (directory / NAME).open("wb") as file:
        file.truncate(QUICK_LARGE if config.quick else LARGE)


QUESTION = Question("fairness", places, ("reactor", "nginx", "uvicorn"), write=write_large)
measure = QUESTION.measure
