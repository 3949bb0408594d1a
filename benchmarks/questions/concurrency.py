"""Concurrency: a closed loop, in which each connection sends its next request as soon as it has a response.

The client is wrk, if installed, up to 512 connections. With more, wrk would open all at once and measure
that too, so our own load generator takes over: it connects a few at a time, waits until each is served, and
compares every response. To show that the two clients agree, both measure a server that is much slower than
they are ("agreement"), with 64 connections, in every round. (With a fast server they differ: wrk reads all
available responses before it sends again, while the server waits.) Server and client have one core each.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from benchmarks.load import wrk
from benchmarks.load.client_group import max_open_files
from benchmarks.load.round import Job
from benchmarks.results.samples import Run, Sample
from benchmarks.runner.config import Config, ShowProgress
from benchmarks.runner.rounds import Place, Question, by_ours, by_wrk
from benchmarks.servers.peers import PEERS
from benchmarks.servers.process import RunningServer
from benchmarks.servers.workloads import HOT

SIZES = (1, 8, 64, 512, 4096, 10_000)
QUICK_SIZES = (1, 8, 64)
USUAL_PEERS = ("bare loop", "reactor", "nginx", "uvicorn", "granian")
# Slow servers, with which the order of work in the client does not matter; the first available is used.
SLOW = ("tornado", "waitress", "gunicorn", "http.server", "aiohttp")
WRK_FITS = 512  # connections up to which wrk is used
AGREEMENT = 64  # connections
SPARE = 64  # file descriptors of client and server besides the connections


def possible(sizes: Sequence[int], run: Run) -> list[int]:
    """Return the sizes that the open-file limit allows; record the others as skipped."""
    files = max_open_files()
    for size in sizes:
        if size + SPARE > files:
            run.skipped[f"{size:,} connections"] = f"open-file limit too low: {files:,} (ulimit -n)"
    return [size for size in sizes if size + SPARE <= files]


def places(config: Config, run: Run) -> list[Place]:
    """Return a place per number of connections."""
    sizes = possible(QUICK_SIZES if config.quick else SIZES, run)
    return [_place(size, config, wrk.missing() is None and size <= WRK_FITS) for size in sizes]


def _place(size: int, config: Config, wrk_fits: bool) -> Place:
    def measure(server: RunningServer, number: int) -> Iterator[Sample]:
        yield _sample(server, "wrk" if wrk_fits else "reactor", size, config, number)

    return Place(f"{size:,} connections", measure)


def agreement_places(config: Config, run: Run) -> list[Place]:
    """Return the place at which both clients measure, in alternating order."""

    def measure(server: RunningServer, number: int) -> Iterator[Sample]:
        for client in ("wrk", "reactor") if number % 2 else ("reactor", "wrk"):
            yield _sample(server, client, AGREEMENT, config, number, "agreement")

    return [Place("agreement", measure, samples=2)]


def _sample(
    server: RunningServer, client: str, size: int, config: Config, number: int, workload: str = HOT.name
) -> Sample:
    if client == "wrk":
        sample = by_wrk(server, HOT, size, config.seconds, number, "concurrency")
        return replace(sample, workload=workload, x=float(size))
    return by_ours(server, Job(size, config.seconds), "concurrency", workload, number, float(size))


def slow_peers(config: Config) -> list[str]:
    """Return the server that both clients measure: the first that is selected and installed, if any."""
    selected = [name for name in SLOW if not config.peers or name in (*config.peers, "reactor")]
    return [name for name in selected if PEERS[name].missing() is None][:1]


def measure(config: Config, run: Run, show_progress: ShowProgress) -> None:
    """Add the samples of all sizes to the run, and those that check whether the clients agree."""
    QUESTION.measure(config, run, show_progress)
    slow = slow_peers(config)
    reason = None if slow else "no server slower than both clients is installed and selected"
    if reason := wrk.missing() or reason:
        run.skipped["agreement"] = reason
    else:
        replace(AGREEMENT_QUESTION, usual=slow).measure(replace(config, own=()), run, show_progress)


def estimate(config: Config) -> float:
    """Return the estimated duration in seconds."""
    slow = slow_peers(config)
    return QUESTION.estimate(config) + bool(slow) * agreement_places(config, Run())[0].estimate(config)


QUESTION = Question("concurrency", places, USUAL_PEERS)
AGREEMENT_QUESTION = Question("concurrency", agreement_places, fixed=True)
