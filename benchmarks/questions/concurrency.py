"""Concurrency: a closed loop on 1 to 10,000 connections; with both clients on 64, to show that they agree."""

from collections.abc import Sequence
from dataclasses import replace

from benchmarks.load import wrk
from benchmarks.results.samples import Run, Sample
from benchmarks.runner.rounds import Config, Place, Question, ShowProgress, Turn
from benchmarks.servers.peers import PEERS
from benchmarks.servers.process import raise_open_file_limit

SIZES = (1, 8, 64, 512, 4096, 10_000)
QUICK_SIZES = (1, 8, 64)
USUAL_PEERS = ("bare loop", "reactor", "nginx", "uvicorn", "granian")
# Slow servers, with which the order of work in the client does not matter; the first available is used.
SLOW = ("tornado", "waitress", "gunicorn", "aiohttp")
WRK_FITS = 512  # connections up to which wrk is used
AGREEMENT = 64  # connections
SPARE = 64  # file descriptors of client and server besides the connections


def possible(sizes: Sequence[int], run: Run) -> list[int]:
    """Return the sizes that the open-file limit allows; record the others as skipped."""
    files = raise_open_file_limit()
    for size in sizes:
        if size + SPARE > files:
            run.skipped[f"{size:,} connections"] = f"open-file limit too low: {files:,} (ulimit -n)"
    return [size for size in sizes if size + SPARE <= files]


def places(config: Config, run: Run) -> list[Place]:
    """Return a place per number of connections."""
    return [_place(size) for size in possible(QUICK_SIZES if config.quick else SIZES, run)]


def _place(size: int) -> Place:
    client = "wrk" if wrk.missing() is None and size <= WRK_FITS else "reactor"
    return Place(f"{size:,} connections", lambda turn: [turn.sample(client, connections=size, x=float(size))])


def agreement(turn: Turn) -> list[Sample]:
    """Measure with both clients, in alternating order."""
    clients = ("wrk", "reactor") if turn.round % 2 else ("reactor", "wrk")
    return [turn.sample(each, connections=AGREEMENT, name="agreement", x=AGREEMENT) for each in clients]


def slow_server(config: Config) -> Sequence[str]:
    """Return the server that both clients measure: the first that is selected and installed, if any."""
    selected = (name for name in SLOW if not config.peers or name in (*config.peers, "reactor"))
    return [name for name in selected if PEERS[name].missing() is None][:1]


def measure(config: Config, run: Run, show_progress: ShowProgress) -> None:
    """Add the samples of all sizes to the run, and those that check whether the clients agree."""
    QUESTION.measure(config, run, show_progress)
    if reason := wrk.missing():
        run.skipped["agreement"] = reason
    elif not slow_server(config):
        run.skipped["agreement"] = "no server slower than both clients is installed and selected"
    else:
        question = replace(CLIENTS_AGREE, usual=slow_server(config))
        question.measure(replace(config, own=()), run, show_progress)


QUESTION = Question("concurrency", places, USUAL_PEERS)
CLIENTS_AGREE = Question("concurrency", lambda config, run: [Place("agreement", agreement)], fixed=True)
