"""How long do responses take at 50, 70 and 90 % of a server's capacity?

First, a closed loop on 64 connections finds the most requests per second that each server answers: the
best of a few rounds ("capacity"). Then an open loop sends requests at a fixed rate and times each from
when it was due, so that a stall of the server delays every request due during it. A rate that our load
generator cannot send is skipped, with a note. The server has one core, the client another.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from benchmarks.load import process, wrk
from benchmarks.load.round import Job
from benchmarks.results.samples import Run, Sample
from benchmarks.runner.config import Config, ShowProgress, select_peers
from benchmarks.runner.interleaved import Rounds, RunningPeer, running_peers
from benchmarks.servers.peers import PEERS
from benchmarks.servers.process import RunningServer
from benchmarks.servers.verify import verify
from benchmarks.servers.workloads import HOT

QUESTION = "latency"
SHARES = (0.5, 0.7, 0.9)
DEFAULT_PEERS = ("reactor", "nginx", "uvicorn")
TRIES = 3  # rounds to find the capacity, at most
OURS_AT_MOST = 0.9  # share of our own client's closed-loop rate that an open loop may use


@dataclass
class Capacity:
    """Requests per second in a closed loop."""

    server: float = 0.0  # the highest rate of any client
    client: float = 0.0  # the highest rate of our own client

    def add(self, samples: Sequence[Sample]) -> None:
        """Include the samples of a round; our own client's comes first."""
        self.client = max(self.client, samples[0].rate)
        self.server = max(self.server, *(sample.rate for sample in samples))


def measure(config: Config, run: Run, show_progress: ShowProgress) -> None:
    """Add the samples of all rates to the run."""
    selected = select_peers(config, DEFAULT_PEERS)
    with running_peers([HOT], selected, run, show_progress) as running:
        capacities = find_capacities(running, selected, run, show_progress)
        for share in SHARES:
            measure_share(share, running, capacities, selected, run, show_progress)


def find_capacities(
    running: Sequence[RunningPeer], config: Config, run: Run, show_progress: ShowProgress
) -> dict[str, Capacity]:
    """Measure each server in a closed loop, with our own client and with wrk, if installed."""
    capacities = {adapter.name: Capacity() for adapter, _ in running}
    rounds = Rounds(run, min(TRIES, config.rounds), "at its capacity")
    servers = {server.name: server for _, server in running}
    for number, name in rounds.in_order(list(servers)):
        show_progress(f"capacity, round {number} of {rounds.count}: {name}")
        with rounds.skip_on_error(name):
            samples = list(measure_capacity(servers[name], config, number))
            capacities[name].add(samples)
            run.samples += samples
    return capacities


def measure_capacity(server: RunningServer, config: Config, number: int) -> Iterator[Sample]:
    """Yield a sample of our own client, and one of wrk, if installed."""
    job = Job(config.connections, config.seconds)
    yield process.measure(server, job, QUESTION, "capacity", number)
    if wrk.missing() is None:
        sample = wrk.measure(server, HOT, config.connections, config.seconds, number, QUESTION)
        verified = verify(server, PEERS[server.name], HOT)
        yield replace(sample, workload="capacity", verified=verified)


def measure_share(
    share: float,
    running: Sequence[RunningPeer],
    capacities: Mapping[str, Capacity],
    config: Config,
    run: Run,
    show_progress: ShowProgress,
) -> None:
    """Measure all running peers at one share of their capacity."""
    rounds = Rounds(run, config.rounds, f"at {share:.0%} of its capacity")
    servers = {server.name: server for _, server in running}
    for number, name in rounds.in_order(list(servers)):
        show_progress(f"{share:.0%} of capacity, round {number} of {config.rounds}: {name}")
        with rounds.skip_on_error(name):
            job = Job(config.connections, config.seconds, rate=rate_of(capacities[name], share))
            sample = process.measure(servers[name], job, QUESTION, HOT.name, number, share)
            run.samples.append(sample)


def rate_of(capacity: Capacity, share: float) -> float:
    """Return a share of the capacity as a rate; raise LoadError when our client cannot send it."""
    rate = share * capacity.server
    if not rate:
        raise process.LoadError("unknown capacity")
    if rate > OURS_AT_MOST * capacity.client:
        raise process.LoadError(f"rate too high for our client: {rate:,.0f} requests/s")
    return rate
