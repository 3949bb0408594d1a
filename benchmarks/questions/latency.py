"""How long do answers take at 50, 70 and 90 % of what a server can do?

First, how many requests a second each server answers at most: the best of some rounds in which 64
connections ask again as soon as they are answered ("capacity"). Then requests are sent at a
fixed rate, whatever becomes of the answers, and each one's time runs from when it was due: a stall of the
server delays all that were due meanwhile, and shows. A rate that our load generator cannot send is
left out, with a note. The server has one core, the client another.
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
TRIES = 3  # rounds at most, to find the capacity
OURS_AT_MOST = 0.9  # of what our own client can ask in a closed loop


@dataclass
class Capacity:
    """Requests a second."""

    server: float = 0.0  # the most that it has answered
    client: float = 0.0  # the most that our load generator has been answered by it

    def add(self, samples: Sequence[Sample]) -> None:
        """Look at the samples of a round, of which our load generator's is the first."""
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
    """Ask as much as possible, with wrk where there is one, and with our own client."""
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
    """Measure a closed loop with our own client, and with wrk."""
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
    """Measure everybody at one share of their capacity."""
    rounds = Rounds(run, config.rounds, f"at {share:.0%} of its capacity")
    servers = {server.name: server for _, server in running}
    for number, name in rounds.in_order(list(servers)):
        show_progress(f"{share:.0%} of capacity, round {number} of {config.rounds}: {name}")
        with rounds.skip_on_error(name):
            job = Job(config.connections, config.seconds, rate=rate_of(capacities[name], share))
            sample = process.measure(servers[name], job, QUESTION, HOT.name, number, share)
            run.samples.append(sample)


def rate_of(capacity: Capacity, share: float) -> float:
    """Return a rate that is a share of the capacity; raise LoadError for one that we cannot send."""
    rate = share * capacity.server
    if not rate:
        raise process.LoadError("its capacity is not known")
    if rate > OURS_AT_MOST * capacity.client:
        raise process.LoadError(f"our client cannot send {rate:,.0f} requests a second")
    return rate
