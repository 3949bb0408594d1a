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
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from benchmarks.load import process, wrk
from benchmarks.load.process import LoadError
from benchmarks.load.round import Job
from benchmarks.results.samples import Run, Sample
from benchmarks.servers.peers import ECHO, PEERS, Adapter
from benchmarks.servers.process import RunningServer, StartError, run_server
from benchmarks.servers.verify import VerificationError, verify
from benchmarks.servers.workloads import HOT, Workload

MEMORY, ROOM = Path("/dev/shm"), 1 << 30  # bytes, for the files and uploads of any question

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
    seed: int = 0  # of the texts and the order of header lines in each round

    def wants_workload(self, name: str) -> bool:
        """Return whether to measure a workload."""
        return not self.workloads or name in self.workloads


@dataclass(frozen=True)
class Turn:
    """The turn of a server in a round."""

    server: RunningServer
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
        server = self.server
        connections, seconds = connections or self.config.connections, seconds or self.config.seconds
        workload = replace(workload, seed=f"{self.config.seed} {self.round}")
        if client == "reactor":
            sample = process.measure(server, Job(connections, seconds, rate))
        else:
            sample = wrk.measure(server, workload.at(server.adapter.target), connections, seconds)
            sample = replace(sample, verified=verify(server, workload))
        return replace(sample, workload=name or workload.name, x=x)


@dataclass(frozen=True)
class Place:
    """What is measured in all rounds of all peers, before the next place."""

    name: str  # "hot", "64 connections", ...: in the progress line and in notes
    measure: Callable[[Turn], Iterable[Sample]]
    needs: str = ECHO  # feature of the server
    warms_up: bool = False  # whether to measure in a round 0, too, without keeping the samples
    rounds: int = 1 << 30  # at most


@dataclass(frozen=True)
class Question:
    """What is measured at which places, of which peers; ``write`` writes the files that they serve."""

    name: str
    places: Callable[[Config, Run], Sequence[Place]]  # notes in the run what is left out
    usual: Sequence[str] = ()  # peers measured without --peers; empty: all that serve any place
    fixed: bool = False  # whether --peers does not apply
    write: Callable[[Config, Path], None] = lambda config, directory: None

    def peers(self, config: Config, places: Iterable[Place] = ()) -> list[Adapter]:
        """Return the peers to measure, in display order, and then the servers of the user."""
        needs = {place.needs for place in places}
        names = self.usual or [name for name in PEERS if PEERS[name].serves & needs]
        if config.peers and not self.fixed:
            names = (*config.peers, "reactor")
        return [*(PEERS[name] for name in PEERS if name in names), *config.own]

    def measure(self, config: Config, run: Run, show_progress: ShowProgress) -> None:
        """Add the samples of all peers at all places to the run."""
        places = self.places(config, run)
        if not places:
            return
        needs = {place.needs for place in places}
        selected = self.peers(config, places)
        peers = [each for each in selected if each.serves & needs]
        run.skipped |= {f"{each.name}: {self.name}": each.why_not for each in selected if each not in peers}
        with ExitStack() as stack:
            names, servers = [each.name for each in peers], []
            root = stack.enter_context(shared_files(names, partial(self.write, config)))
            for adapter in peers:
                show_progress(f"starting {adapter.name}")
                try:
                    server = stack.enter_context(run_server(adapter, root / adapter.name))
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
        before, rounds = len(run.samples), min(place.rounds, config.rounds)
        able = [each for each in servers if place.needs in each.adapter.serves]
        for server in servers:
            if server not in able:
                run.skipped[f"{server.name}: {place.name}"] = server.adapter.why_not
        for number in range(0 if place.warms_up else 1, rounds + 1):
            step = f"round {number} of {rounds}" if number else "warming up"
            first = max(0, number - 1) % (len(able) or 1)
            for server in (*able[first:], *able[:first]):
                show_progress(f"{place.name}, {step}: {server.name}")
                try:
                    for sample in place.measure(Turn(server, number, config)):
                        if number:
                            run.samples.append(replace(sample, question=self.name, round=number))
                except (LoadError, StartError, VerificationError) as error:
                    able.remove(server)
                    run.skipped[f"{server.name}: {place.name}"] = str(error)
                    if isinstance(error, VerificationError):
                        here = [each for each in run.samples[before:] if each.peer != server.name]
                        run.samples[before:] = here


@contextmanager
def shared_files(peers: Sequence[str], write: Callable[[Path], object]) -> Iterator[Path]:
    """Create a directory with a directory per peer; ``write`` writes the files, hard-linked into each.

    It is on an in-memory file system if there is room for the files and for uploads.
    """
    in_memory = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ROOM
    with tempfile.TemporaryDirectory(prefix="benchmark-", dir=MEMORY if in_memory else None) as name:
        first, *others = (Path(name) / peer for peer in peers)
        first.mkdir()
        write(first)
        for directory in others:
            shutil.copytree(first, directory, copy_function=os.link)
        yield Path(name)
