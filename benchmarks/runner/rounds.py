"""Comparable rounds: all peers run at the same time and are measured in turn.

    for each place (a workload, a number of connections): warm up each peer
        for each round: measure each peer once

Noise on the machine affects all peers, so what counts is the ratio within a round. Each round starts with a
different peer. A peer that fails at a place is not measured there any more, and a note says why; after one
wrong response it has no figures there at all.
"""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.load import process, wrk
from benchmarks.load.process import LoadError
from benchmarks.load.round import Job
from benchmarks.results.samples import Run, Sample
from benchmarks.servers.peers import ECHO, PEERS, Adapter
from benchmarks.servers.process import RunningServer, StartError, run_server
from benchmarks.servers.verify import VerificationError, verify
from benchmarks.servers.workloads import HOT, Workload

OVERHEAD = 0.5  # seconds per sample, in addition to its duration, with a share of the warm-up
MEMORY = Path("/dev/shm")
FAULTS = (LoadError, StartError, wrk.WrkError, VerificationError)

ShowProgress = Callable[[str], None]  # called with one short line about the current step


@dataclass(frozen=True)
class Config:
    """What to measure."""

    rounds: int = 7
    seconds: float = 2.0  # of each round
    connections: int = 64
    peers: Sequence[str] = ()  # in addition to reactor; empty: the usual ones of each question
    workloads: Sequence[str] = ()  # empty: all
    quick: bool = False  # small sizes, to check that everything works
    own: Sequence[Adapter] = ()  # servers of the user

    def wants_workload(self, name: str) -> bool:
        """Return whether to measure a workload."""
        return not self.workloads or name in self.workloads


@dataclass(frozen=True)
class Turn:
    """The turn of a server in a round."""

    server: RunningServer
    question: str
    round: int
    config: Config

    def sample(
        self,
        client: str,
        workload: Workload = HOT,
        connections: int = 0,
        seconds: float = 0.0,
        rate: float = 0.0,
        name: str = "",
        x: float | None = None,
    ) -> Sample:
        """Measure with a client and compare responses; what is not given is as configured.

        The client is "wrk", with some responses compared afterwards, or "reactor", our own, which compares
        all and knows only the workload "hot", also at a fixed rate.
        """
        server, name = self.server, name or workload.name
        connections, seconds = connections or self.config.connections, seconds or self.config.seconds
        if client == "reactor":
            job = replace(request_of(server), connections=connections, seconds=seconds, rate=rate)
            return self.place(process.measure(server, job), name, x)
        sample = wrk.measure(server, workload.at(server.adapter.target), connections, seconds)
        return self.place(replace(sample, verified=verify(server, workload)), name, x)

    def place(self, sample: Sample, name: str, x: float | None = None) -> Sample:
        """Return a sample with its place in the run: question, workload, round, point on the axis."""
        return replace(sample, question=self.question, workload=name, round=self.round, x=x)


def request_of(server: RunningServer) -> Job:
    """Return a job with the request that our own load generator sends, and the expected body."""
    adapter = server.adapter
    if adapter.content is None or not adapter.target:
        return Job()
    return Job(target=adapter.target, expected=adapter.content)


@dataclass(frozen=True)
class Place:
    """What is measured in all rounds of all peers, before the next place."""

    name: str  # "hot", "64 connections", ...: in the progress line and in notes
    measure: Callable[[Turn], Iterable[Sample]]
    needs: str = ECHO  # feature of the server
    warm_up: Callable[[Turn], object] | None = None
    rounds: int = 1 << 30  # at most
    samples: int = 1  # per turn


@dataclass(frozen=True)
class Question:
    """What is measured at which places, of which peers.

    ``directories`` creates a directory with a directory per peer, for them to serve; None: empty ones.
    """

    name: str
    places: Callable[[Config, Run], Sequence[Place]]  # notes in the run what is left out
    usual: Sequence[str] = ()  # peers measured without --peers; empty: all that serve any place
    fixed: bool = False  # whether --peers does not apply
    directories: Callable[[Config, Sequence[str]], AbstractContextManager[Path]] | None = None

    def peers(self, config: Config, places: Iterable[Place] = ()) -> list[Adapter]:
        """Return the peers to measure, in display order, and then the servers of the user."""
        needs = {place.needs for place in places}
        names = self.usual or [name for name in PEERS if PEERS[name].serves & needs]
        if config.peers and not self.fixed:
            names = (*config.peers, "reactor")
        return [*(PEERS[name] for name in PEERS if name in names), *config.own]

    def estimate(self, config: Config) -> float:
        """Return the estimated duration in seconds."""
        places, samples = self.places(config, Run()), 0
        for peer in self.peers(config, places):
            for place in places:
                if place.needs in peer.serves and not peer.missing():
                    samples += place.samples * min(place.rounds, config.rounds)
        return samples * (config.seconds + OVERHEAD)

    def measure(self, config: Config, run: Run, show_progress: ShowProgress) -> None:
        """Add the samples of all peers at all places to the run."""
        places = self.places(config, run)
        if not places:
            return
        needs = {place.needs for place in places}
        peers = {each.name: each for each in self.peers(config, places) if each.serves & needs}
        others = [each for each in self.peers(config, places) if each.name not in peers]
        run.skipped.update({f"{each.name}: {self.name}": each.why_not for each in others})
        with ExitStack() as stack:
            servers = []
            root = stack.enter_context(self.directories(config, [*peers])) if self.directories else None
            for adapter in peers.values():
                show_progress(f"starting {adapter.name}")
                try:
                    server = stack.enter_context(run_server(adapter, root and root / adapter.name))
                except StartError as error:
                    run.skipped[adapter.name] = str(error)
                else:
                    run.peers[adapter.name] = server.peer
                    servers.append(server)
            for place in places:
                self._measure_place(place, servers, config, run, show_progress)

    def _measure_place(
        self,
        place: Place,
        servers: Sequence[RunningServer],
        config: Config,
        run: Run,
        show_progress: ShowProgress,
    ) -> None:
        before, failed, rounds = len(run.samples), set(), min(place.rounds, config.rounds)

        @contextmanager
        def turn(server: RunningServer, number: int, step: str) -> Iterator[Turn]:
            show_progress(f"{place.name}, {step}: {server.name}")
            try:
                yield Turn(server, self.name, number, config)
            except FAULTS as error:
                failed.add(server.name)
                run.skipped[f"{server.name}: {place.name}"] = str(error)
                if isinstance(error, VerificationError):
                    here = [each for each in run.samples[before:] if each.peer != server.name]
                    run.samples[before:] = here

        for server in servers:
            if place.needs not in server.adapter.serves:
                failed.add(server.name)
                run.skipped[f"{server.name}: {place.name}"] = server.adapter.why_not
            elif place.warm_up:
                with turn(server, 0, "warming up") as now:
                    place.warm_up(now)
        for number in range(rounds):
            first = number % (len(servers) or 1)
            for server in (*servers[first:], *servers[:first]):
                if server.name not in failed:
                    with turn(server, number + 1, f"round {number + 1} of {rounds}") as now:
                        for sample in place.measure(now):
                            run.samples.append(sample)


@contextmanager
def shared_files(size: int, peers: Sequence[str], write: Callable[[Path], object]) -> Iterator[Path]:
    """Create a directory with a directory per peer; ``write`` writes the files, hard-linked into each.

    It is on an in-memory file system if one has ``size`` bytes free, for the files and for uploads.
    """
    in_memory = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > size
    with tempfile.TemporaryDirectory(prefix="benchmark-", dir=MEMORY if in_memory else None) as name:
        first, *others = (Path(name) / peer for peer in peers)
        first.mkdir()
        write(first)
        for directory in others:
            shutil.copytree(first, directory, copy_function=os.link)
        yield Path(name)
