"""Idle connections: 100, 1,000 and 10,000 of them, and their cost for the requests on 64 active ones.

Each idle connection has been served once and is kept open by our own load generator, while wrk (or our
own client, if wrk is not installed) sends requests on 64 others. At the end of a round each idle connection
sends another request; those without a response are lost and count as errors. Each round restarts each
server and measures all sizes in ascending order, so that its memory reflects the present connections and
the sizes are measured right after each other. The server has one core, the clients another.
"""

from collections.abc import Iterator
from dataclasses import replace

from benchmarks.load import process, wrk
from benchmarks.load.round import Job
from benchmarks.questions.concurrency import USUAL_PEERS, possible
from benchmarks.results.samples import Run, Sample
from benchmarks.runner.config import Config
from benchmarks.runner.rounds import Place, Question, by_ours, by_wrk, request_of
from benchmarks.servers.process import RunningServer
from benchmarks.servers.workloads import HOT

SIZES = (0, 100, 1000, 10_000)
QUICK_SIZES = (0, 100)
WARM_UP = 0.3  # seconds


def places(config: Config, run: Run) -> list[Place]:
    """Return one place: its rounds measure all sizes."""
    sizes = possible(QUICK_SIZES if config.quick else SIZES, run)

    def measure(server: RunningServer, number: int) -> Iterator[Sample]:
        server.restart()
        measure_active(server, config, WARM_UP, number)
        for size in sizes:
            yield measure_size(size, server, config, number)

    return [Place("idle connections", measure, samples=len(sizes))]


def measure_size(size: int, server: RunningServer, config: Config, number: int) -> Sample:
    """Measure with ``size`` idle connections; those not served at the end count as errors."""
    if not size:
        return replace(measure_active(server, config, config.seconds, number), x=0.0)
    with process.hold_idle(server.address, size, request_of(server)) as held:
        sample = measure_active(server, config, config.seconds, number)
    return replace(sample, x=float(size), errors=sample.errors + size - held.kept)


def measure_active(server: RunningServer, config: Config, seconds: float, number: int) -> Sample:
    """Measure the active connections; with wrk, compare some responses afterwards."""
    if wrk.missing() is None:
        return by_wrk(server, HOT, config.connections, seconds, number, "idle")
    return by_ours(server, Job(config.connections, seconds), "idle", HOT.name, number)


QUESTION = Question("idle", places, USUAL_PEERS)
measure, estimate = QUESTION.measure, QUESTION.estimate
