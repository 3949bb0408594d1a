"""Comparable rounds: all peers run at the same time and are measured in turn.

    for each place (a workload, a number of connections): warm up each peer
        for each round: measure each peer once

Noise on the machine affects all peers, so what counts is the ratio within a round. Each round starts with a
different peer. A peer that fails at a place is not measured there any more, and a note says why; after one
wrong response it has no figures there at all.
"""

import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path

from benchmarks.load import process, wrk
from benchmarks.load.process import LoadError
from benchmarks.load.round import Job, RequestSpec
from benchmarks.results.samples import Run, Sample
from benchmarks.runner.config import Config, ShowProgress
from benchmarks.servers.peers import ECHO, PEERS, Adapter
from benchmarks.servers.process import RunningServer, StartError, run_server
from benchmarks.servers.verify import VerificationError, verify
from benchmarks.servers.workloads import LARGE, Workload

LARGE_SECONDS = 5.0  # at least, so that one large file more or less does not matter
WARM_UP = 1.0  # seconds at most
OVERHEAD = 0.25  # seconds per sample, in addition to its duration
MEMORY = Path("/dev/shm")
FAULTS = (LoadError, StartError, wrk.WrkError, VerificationError)


@dataclass(frozen=True)
class Place:
    """What is measured in all rounds of all peers, before the next place."""

    name: str  # "hot", "64 connections", ...: in the progress line and in notes
    measure: Callable[[RunningServer, int], Iterable[Sample]]  # one round, with its number
    needs: str = ECHO  # feature of the server
    warm_up: Callable[[RunningServer], object] = lambda server: None
    rounds: int = 1 << 30  # at most
    samples: int = 1  # per round and peer

    def estimate(self, config: Config) -> float:
        """Return the estimated seconds for one peer."""
        rounds = min(self.rounds, config.rounds)
        return self.samples * rounds * (config.seconds + OVERHEAD) + min(config.seconds, WARM_UP)


def _no_directories(config: Config, peers: Sequence[str]) -> AbstractContextManager[None]:
    return nullcontext()


@dataclass(frozen=True)
class Question:
    """What is measured at which places, of which peers.

    ``directories`` creates a directory with a directory per peer, for them to serve; None: empty ones.
    """

    name: str
    places: Callable[[Config, Run], Sequence[Place]]  # notes in the run what is left out
    usual: Sequence[str] = ()  # peers measured without --peers; empty: all that serve any place
    fixed: bool = False  # whether --peers does not apply
    directories: Callable[[Config, Sequence[str]], AbstractContextManager[Path | None]] = _no_directories

    def peers(self, config: Config, places: Iterable[Place]) -> list[Adapter]:
        """Return the peers to measure."""
        needs = {place.needs for place in places}
        usual = self.usual or [name for name in PEERS if PEERS[name].serves & needs]
        return (replace(config, peers=()) if self.fixed else config).select_peers(usual)

    def estimate(self, config: Config) -> float:
        """Return the estimated duration in seconds."""
        places = self.places(config, Run())
        installed = [each for each in self.peers(config, places) if each.missing() is None]
        return sum(
            place.estimate(config) * (place.needs in each.serves) for place in places for each in installed
        )

    def measure(self, config: Config, run: Run, show_progress: ShowProgress) -> None:
        """Add the samples of all peers at all places to the run."""
        places = self.places(config, run)
        peers = self.peers(config, places) if places else []
        with ExitStack() as stack:
            servers = []
            root = stack.enter_context(self.directories(config, [each.name for each in peers]))
            for adapter in peers:
                if not any(place.needs in adapter.serves for place in places):
                    run.skipped[f"{adapter.name}: {self.name}"] = adapter.why_not
                    continue
                show_progress(f"starting {adapter.name}")
                try:
                    server = stack.enter_context(run_server(adapter, root and root / adapter.name))
                except StartError as error:
                    run.skipped[adapter.name] = str(error)
                else:
                    run.peers[adapter.name] = server.peer
                    servers.append(server)
            for place in places:
                _Turns(place, run, show_progress).take(servers, min(place.rounds, config.rounds))


@dataclass
class _Turns:
    """The rounds at one place, without the peers that have failed."""

    place: Place
    run: Run
    show_progress: ShowProgress
    failed: set[str] = field(default_factory=set)

    def take(self, servers: Sequence[RunningServer], rounds: int) -> None:
        """Warm up all servers, and measure each once per round."""
        self._first = len(self.run.samples)
        for server in servers:
            with self._skip_on_error(server):
                if self.place.needs not in server.adapter.serves:
                    raise VerificationError(server.adapter.why_not)
                self.show_progress(f"{self.place.name}: warming up {server.name}")
                self.place.warm_up(server)
        for number in range(rounds):
            first = number % (len(servers) or 1)
            for server in (*servers[first:], *servers[:first]):
                if server.name not in self.failed:
                    self.show_progress(f"{self.place.name}, round {number + 1} of {rounds}: {server.name}")
                    with self._skip_on_error(server):
                        for sample in self.place.measure(server, number + 1):
                            self.run.samples.append(sample)

    @contextmanager
    def _skip_on_error(self, server: RunningServer) -> Iterator[None]:
        """Leave out a server after an error, and record the reason."""
        try:
            yield
        except FAULTS as error:
            self.failed.add(server.name)
            self.run.skipped[f"{server.name}: {self.place.name}"] = str(error)
            if isinstance(error, VerificationError):
                here = self.run.samples[self._first :]
                self.run.samples[self._first :] = [each for each in here if each.peer != server.name]


# Workloads measured by wrk.


def workload_places(question: str, workloads: Sequence[Workload], config: Config, run: Run) -> list[Place]:
    """Return a place per selected workload; none if wrk is missing."""
    if reason := wrk.missing():
        run.skipped[question] = reason
        return []
    return [_workload_place(question, each, config) for each in select_workloads(workloads, config, run)]


def select_workloads(workloads: Sequence[Workload], config: Config, run: Run) -> list[Workload]:
    """Return the selected workloads; record those that are too large for a quick run as skipped."""
    wanted = [each for each in workloads if config.wants_workload(each.name)]
    large = [each for each in wanted if config.quick and each.size >= LARGE]
    run.skipped.update({each.name: "too large for a quick run" for each in large})
    return [each for each in wanted if each not in large]


def _workload_place(question: str, workload: Workload, config: Config) -> Place:
    seconds = max(config.seconds, LARGE_SECONDS) if workload.size >= LARGE else config.seconds

    def warm_up(server: RunningServer) -> None:
        """Verify a server's responses and fill its caches."""
        verify(server, workload)
        sent = workload.at(server.adapter.target)
        wrk.run(server, sent, workload.connections(config.connections), min(seconds, WARM_UP))
        verify(server, workload)

    def measure(server: RunningServer, number: int) -> Iterator[Sample]:
        yield by_wrk(server, workload, config.connections, seconds, number, question)

    return Place(workload.name, measure, workload.needs, warm_up)


# The two clients.


def by_wrk(
    server: RunningServer, workload: Workload, connections: int, seconds: float, number: int, question: str
) -> Sample:
    """Measure a round with wrk, then compare some responses."""
    sample = wrk.measure(server, workload.at(server.adapter.target), connections, seconds, number, question)
    return replace(sample, verified=verify(server, workload))


def by_ours(
    server: RunningServer, job: Job, question: str, workload: str, number: int, x: float | None = None
) -> Sample:
    """Measure a round with our own load generator, which compares every response."""
    return process.measure(server, job, question, workload, number, x, request_of(server))


def request_of(server: RunningServer) -> RequestSpec:
    """Return the request that our own load generator sends, and the expected body."""
    adapter = server.adapter
    if adapter.content is None or not adapter.target:
        return RequestSpec()
    return RequestSpec(adapter.target, adapter.content.decode(errors="surrogateescape"))


@contextmanager
def roomy_directory(size: int) -> Iterator[Path]:
    """Create a temporary directory, on an in-memory file system if one has enough free space."""
    in_memory = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > size
    with tempfile.TemporaryDirectory(prefix="benchmark-", dir=MEMORY if in_memory else None) as directory:
        yield Path(directory)
