"""How do throughput and latency change from 1 connection to 10,000?

A closed loop: each connection sends its next request as soon as it has a response. The client is wrk, if
installed, up to 512 connections. With more, wrk would open all at once and measure that too, so our own
load generator takes over: it connects a few at a time, waits until each is served, and compares every
response. To show that the two clients agree, both measure a server that is much slower than they are
("agreement"), with 64 connections, in every round. (With a fast server they differ: wrk reads all
available responses before it sends again, while the server waits.) Server and client have one core each.
"""

from collections.abc import Sequence
from dataclasses import replace

from benchmarks.load import process, wrk
from benchmarks.load.round import Job
from benchmarks.results.samples import Run, Sample
from benchmarks.runner.config import Config, ShowProgress, only_peers, select_peers
from benchmarks.runner.interleaved import Rounds, RunningPeer, running_peers
from benchmarks.servers.peers import PEERS
from benchmarks.servers.process import raise_open_file_limit
from benchmarks.servers.verify import verify
from benchmarks.servers.workloads import HOT

QUESTION = "concurrency"
SIZES = (1, 8, 64, 512, 4096, 10_000)
QUICK_SIZES = (1, 8, 64)
DEFAULT_PEERS = ("bare loop", "reactor", "nginx", "uvicorn", "granian")
# Slow servers, with which the order of work in the client does not matter; the first available is used.
SLOW = ("tornado", "waitress", "gunicorn", "http.server", "aiohttp")
WRK_FITS = 512  # connections up to which wrk is used
AGREEMENT = 64  # connections
SPARE = 64  # file descriptors of client and server besides the connections


def measure(config: Config, run: Run, show_progress: ShowProgress) -> None:
    """Add the samples of all sizes to the run, and those that check whether the clients agree."""
    selected = select_peers(config, DEFAULT_PEERS)
    sizes = possible(QUICK_SIZES if config.quick else SIZES, run)
    with running_peers([HOT], selected, run, show_progress) as running:
        for size in sizes:
            measure_size(size, running, selected, run, show_progress)
    measure_agreement(config, run, show_progress)


def possible(sizes: Sequence[int], run: Run) -> list[int]:
    """Return the sizes that the open-file limit allows; record the others as skipped."""
    files = raise_open_file_limit()
    for size in sizes:
        if size + SPARE > files:
            run.skipped[f"{size:,} connections"] = f"open-file limit too low: {files:,} (ulimit -n)"
    return [size for size in sizes if size + SPARE <= files]


def measure_size(
    size: int, running: Sequence[RunningPeer], config: Config, run: Run, show_progress: ShowProgress
) -> None:
    """Measure all running peers with ``size`` connections."""
    rounds = Rounds(run, config.rounds, f"with {size:,} connections")
    by_wrk = size <= WRK_FITS and wrk.missing() is None
    measure_one = measure_with_wrk if by_wrk else measure_with_our_client
    by_name = {peer[0].name: peer for peer in running}
    for number, name in rounds.in_order(list(by_name)):
        show_progress(f"{size:,} connections, round {number} of {config.rounds}: {name}")
        with rounds.skip_on_error(name):
            run.samples.append(measure_one(by_name[name], size, config.seconds, number))


def measure_with_wrk(
    peer: RunningPeer, size: int, seconds: float, number: int, workload: str = HOT.name
) -> Sample:
    """Measure with wrk, then compare some responses."""
    adapter, server = peer
    sample = wrk.measure(server, HOT, size, seconds, number, QUESTION)
    return replace(sample, workload=workload, x=float(size), verified=verify(server, adapter, HOT))


def measure_with_our_client(
    peer: RunningPeer, size: int, seconds: float, number: int, workload: str = HOT.name
) -> Sample:
    """Measure with our own load generator, which compares every response."""
    return process.measure(peer[1], Job(size, seconds), QUESTION, workload, number, float(size))


def measure_agreement(config: Config, run: Run, show_progress: ShowProgress) -> None:
    """Measure one slow server with both clients in each round, in alternating order."""
    names = [name for name in SLOW if config.wants_peer(name) and PEERS[name].missing() is None]
    reason = None if names else "no server slower than both clients is installed and selected"
    reason = wrk.missing() or reason
    if reason is not None:
        run.skipped["agreement"] = reason
        return
    selected = only_peers(config, names[:1])
    rounds = Rounds(run, selected.rounds, "measured by both clients")
    with running_peers([HOT], selected, run, show_progress) as running:
        for number, name in rounds.in_order([adapter.name for adapter, _ in running]):
            show_progress(f"agreement, round {number} of {selected.rounds}: {name}")
            with rounds.skip_on_error(name):
                clients = (
                    (measure_with_wrk, measure_with_our_client)
                    if number % 2
                    else (measure_with_our_client, measure_with_wrk)
                )
                run.samples += [
                    client(running[0], AGREEMENT, selected.seconds, number, "agreement") for client in clients
                ]
