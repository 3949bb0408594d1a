"""What do 100, 1,000 and 10,000 idle connections cost, in memory and in the latency of 64 that ask?

Each idle connection has been served once, and is held by our own load generator while wrk (our own
client, where there is no wrk) asks on 64 others. At the end of each round all idle ones ask once more:
those that are not answered have been lost, and count as errors. Each round starts each
server anew, and goes through the sizes in order, so that its memory is that of the connections it
has, and sizes are measured right after each other. The server has one core, the clients another.
"""

from dataclasses import replace

from benchmarks.load import process, wrk
from benchmarks.load.round import Job
from benchmarks.questions.concurrency import possible
from benchmarks.results.samples import Run, Sample
from benchmarks.runner.config import Plan, Say, select
from benchmarks.runner.interleaved import Turns
from benchmarks.servers.peers import PEERS
from benchmarks.servers.process import Serving, serving
from benchmarks.servers.verify import verify
from benchmarks.servers.workloads import HOT

QUESTION = "idle"
SIZES = (0, 100, 1000, 10_000)
QUICK_SIZES = (0, 100)
FEW = ("bare loop", "reactor", "nginx", "uvicorn", "granian")
WARM_UP = 0.3  # seconds


def measure(plan: Plan, run: Run, say: Say) -> None:
    """Add the samples of all sizes to the run."""
    selected = select(plan, FEW)
    sizes = possible(QUICK_SIZES if plan.quick else SIZES, run)
    turns = Turns(run, selected.rounds, "beside idle connections")
    for number, name in turns.take(selected.peers):
        with turns.noting(name), serving(PEERS[name]) as server:
            run.peers[name] = server.peer
            ask(server, selected, WARM_UP, number)
            for size in sizes:
                say(f"{size:,} idle connections, round {number} of {turns.rounds}: {name}")
                run.samples.append(measure_size(size, server, selected, number))


def measure_size(size: int, server: Serving, plan: Plan, number: int) -> Sample:
    """Ask beside so many idle connections; count as errors those that are not served at the end."""
    if not size:
        return replace(ask(server, plan, plan.seconds, number), x=0.0)
    with process.holding(server.address, size) as held:
        sample = ask(server, plan, plan.seconds, number)
    return replace(sample, x=float(size), errors=sample.errors + size - held.kept)


def ask(server: Serving, plan: Plan, seconds: float, number: int) -> Sample:
    """Have the active connections ask; some answers are compared behind it."""
    if wrk.missing() is None:
        sample = wrk.measure(server, HOT, plan.connections, seconds, number, QUESTION)
        return replace(sample, verified=verify(server, PEERS[server.name], HOT))
    return process.measure(server, Job(plan.connections, seconds), QUESTION, HOT.name, number)
