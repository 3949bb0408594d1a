"""How do throughput and latency change from 1 connection to 10,000?

Each connection asks again as soon as it is answered. Up to 512 connections wrk asks, where it is
installed; beyond, it would connect to all at once, and count that as part of the measurement, so our
own load generator does it: it connects a few at a time, sees that each is served, and compares every
answer. That the two agree is shown with a server that is much slower than both ("agreement"): each
measures it with 64 connections, in every round. A fast one would show how they differ: wrk reads all
answers that are there before it sends again, and meanwhile the server waits. The server has one core, the
client another.
"""

from collections.abc import Sequence
from dataclasses import replace

from benchmarks.load import process, wrk
from benchmarks.load.client_group import most_files
from benchmarks.load.round import Job
from benchmarks.results.samples import Run, Sample
from benchmarks.runner.config import Plan, Say, only, select
from benchmarks.runner.interleaved import Contender, Turns, contenders
from benchmarks.servers.peers import PEERS
from benchmarks.servers.verify import verify
from benchmarks.servers.workloads import HOT

QUESTION = "concurrency"
SIZES = (1, 8, 64, 512, 4096, 10_000)
QUICK_SIZES = (1, 8, 64)
FEW = ("bare loop", "reactor", "nginx", "uvicorn", "granian")
# So slow that it does not matter in which order a client does its work; the first that is there.
SLOW = ("tornado", "waitress", "gunicorn", "http.server", "aiohttp")
WRK_FITS = 512  # connections
AGREEMENT = 64
SPARE = 64  # descriptors of the client and the server that are no connections


def measure(plan: Plan, run: Run, say: Say) -> None:
    """Add the samples of all sizes to the run, and those that show whether the clients agree."""
    selected = select(plan, FEW)
    sizes = possible(QUICK_SIZES if plan.quick else SIZES, run)
    with contenders([HOT], selected, run, say) as everybody:
        for size in sizes:
            measure_size(size, everybody, selected, run, say)
    agree(plan, run, say)


def possible(sizes: Sequence[int], run: Run) -> list[int]:
    """Return the sizes that the limit on open files allows; note the others."""
    files = most_files()
    for size in sizes:
        if size + SPARE > files:
            run.skipped[f"{size:,} connections"] = f"the limit on open files is {files:,} (ulimit -n)"
    return [size for size in sizes if size + SPARE <= files]


def measure_size(size: int, everybody: Sequence[Contender], plan: Plan, run: Run, say: Say) -> None:
    """Measure everybody with so many connections."""
    turns = Turns(run, plan.rounds, f"with {size:,} connections")
    by_wrk = size <= WRK_FITS and wrk.missing() is None
    ask = ask_wrk if by_wrk else ask_ours
    by_name = {contender[0].name: contender for contender in everybody}
    for number, name in turns.take(list(by_name)):
        say(f"{size:,} connections, round {number} of {plan.rounds}: {name}")
        with turns.noting(name):
            run.samples.append(ask(by_name[name], size, plan.seconds, number))


def ask_wrk(contender: Contender, size: int, seconds: float, number: int, workload: str = HOT.name) -> Sample:
    """Measure with wrk; some answers are compared behind it."""
    adapter, server = contender
    sample = wrk.measure(server, HOT, size, seconds, number, QUESTION)
    return replace(sample, workload=workload, x=float(size), verified=verify(server, adapter, HOT))


def ask_ours(
    contender: Contender, size: int, seconds: float, number: int, workload: str = HOT.name
) -> Sample:
    """Measure with our own load generator, which compares every answer."""
    return process.measure(contender[1], Job(size, seconds), QUESTION, workload, number, float(size))


def agree(plan: Plan, run: Run, say: Say) -> None:
    """Have both clients measure one server in each round, the first of them another each time."""
    names = [name for name in SLOW if plan.wants_peer(name) and PEERS[name].missing() is None]
    reason = None if names else "no server is there, or wanted, that is slower than both clients"
    reason = wrk.missing() or reason
    if reason is not None:
        run.skipped["agreement"] = reason
        return
    selected = only(plan, names[:1])
    turns = Turns(run, selected.rounds, "asked by both clients")
    with contenders([HOT], selected, run, say) as everybody:
        for number, name in turns.take([adapter.name for adapter, _ in everybody]):
            say(f"agreement, round {number} of {selected.rounds}: {name}")
            with turns.noting(name):
                clients = (ask_wrk, ask_ours) if number % 2 else (ask_ours, ask_wrk)
                run.samples += [
                    client(everybody[0], AGREEMENT, selected.seconds, number, "agreement")
                    for client in clients
                ]
