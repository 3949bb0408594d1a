"""Idle connections: 100, 1,000 and 10,000 of them, and their cost for the requests on 64 active ones.

Each round restarts each server and measures all sizes in ascending order, so that its memory reflects the
present connections and the sizes are measured right after each other.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial

from benchmarks.load import process, wrk
from benchmarks.questions.concurrency import USUAL_PEERS, possible
from benchmarks.results.samples import Run, Sample
from benchmarks.runner.rounds import Config, Place, Question, Turn

SIZES = (0, 100, 1000, 10_000)
QUICK_SIZES = (0, 100)
WARM_UP = 0.3  # seconds


def places(config: Config, run: Run) -> list[Place]:
    """Return one place: each turn measures all sizes."""
    sizes = possible(QUICK_SIZES if config.quick else SIZES, run)
    return [Place("idle connections", partial(measure_sizes, sizes))]


def measure_sizes(sizes: Sequence[int], turn: Turn) -> Iterator[Sample]:
    """Measure a fresh server with each number of idle connections; lost ones count as errors."""
    client = "wrk" if wrk.missing() is None else "reactor"
    turn.server.end()
    turn.server.start()
    turn.sample(client, seconds=WARM_UP)
    for size in sizes:
        with process.hold_idle(turn.server, size) as still_served:
            sample = turn.sample(client, x=float(size))
            lost = size - still_served()
        failures = sample.failures | ({"idle connection lost": lost} if lost else {})
        yield replace(sample, errors=sample.errors + lost, failures=failures)


QUESTION = Question("idle", places, USUAL_PEERS)
measure = QUESTION.measure
