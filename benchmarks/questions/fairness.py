"""Fairness: small requests while other clients download and upload large files.

The other clients are attackers (``benchmarks.attack``), in processes of their own. The large file is sparse;
uploads are smaller, so that they fit: stored files, files being received, and bodies in the server's memory.
"""

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from benchmarks.attack.attackers import AttackSettings, Plan
from benchmarks.attack.process import MAX_SECONDS, attack_process
from benchmarks.load import process
from benchmarks.load.process import LoadError
from benchmarks.load.round import Job
from benchmarks.results.assertions import SITUATIONS
from benchmarks.results.samples import Run, Sample
from benchmarks.runner.rounds import Config, Place, Question, Turn
from benchmarks.servers.peers import FILES, UPLOADS
from benchmarks.servers.workloads import MIB

LARGE, QUICK_LARGE = 1024 * MIB, 16 * MIB
STORED = 64 * MIB  # size of an upload, at most
CALM = Job(connections=8, rate=500.0)
NAME = "large"
STORED_AS = "upload-"
GET = b"GET /files/%b HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
POST = b"POST /files/%b%d HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n"
GOOD = re.compile("connected|closed|answered|2..")  # events


def transfers(name: str, size: int) -> list[list[Plan]]:
    """Return the plans of 8 clients that download, and of 4 that upload, as a situation requires."""
    downloads = [Plan(GET % NAME.encode())] * 8
    uploads = [Plan(POST % (STORED_AS.encode(), each, size), uploads=True, expects="2") for each in range(4)]
    groups = {"downloads": [downloads], "uploads": [uploads], "both": [downloads, uploads]}
    return groups.get(name.removeprefix("during "), [])


def places(config: Config, run: Run) -> list[Place]:
    """Return a place per situation."""
    size = min(STORED, QUICK_LARGE if config.quick else LARGE)
    return [_place(name, size) for name in SITUATIONS if config.wants_workload(name)]


def _place(name: str, size: int) -> Place:
    def measure(turn: Turn) -> Iterator[Sample]:
        server, job = turn.server, replace(CALM, seconds=turn.config.seconds)
        seconds = job.seconds + MAX_SECONDS
        try:
            with ExitStack() as stack:
                groups = []
                for plans in transfers(name, size):
                    attack = attack_process(server, AttackSettings(plans, large=size), len(plans), seconds)
                    groups.append(stack.enter_context(attack))
                for command in groups:
                    command("arrive", 0.0)
                sample = process.measure(server, job)
                events = sum((command("report").events for command in groups), Counter[str]())
            if failed := [event for event in events if not GOOD.fullmatch(event)]:
                raise LoadError(f"failed transfers: {', '.join(failed)}")
            yield replace(sample, workload=name)
        finally:
            for path in server.directory.glob(f"{STORED_AS}*"):
                path.unlink()

    return Place(name, measure, UPLOADS if "uploads" in name or "both" in name else FILES)


def write_large(config: Config, directory: Path) -> None:
    """Write the large file, which is sparse."""
    with (directory / NAME).open("wb") as file:
        file.truncate(QUICK_LARGE if config.quick else LARGE)


QUESTION = Question("fairness", places, ("reactor", "nginx", "uvicorn"), write=write_large)
measure = QUESTION.measure
