"""Comparable rounds: all peers run at the same time and are measured in turn.

    for each workload: verify the responses of each peer, and warm it up
        for each round: measure each peer once, and verify its responses again

Noise on the machine affects all peers, so what counts is the ratio within a round. Each round starts with a
different peer. A peer that sends one wrong response has no figures for that workload, only a note with the
reason. Used by the questions that are measured with wrk.
"""

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from benchmarks.load import wrk
from benchmarks.load.process import LoadError
from benchmarks.results.samples import Run, Sample
from benchmarks.runner.config import QUICK_SECONDS, Config, ShowProgress
from benchmarks.servers.peers import PEERS, Adapter
from benchmarks.servers.process import RunningServer, StartError, run_server
from benchmarks.servers.verify import VerificationError, verify
from benchmarks.servers.workloads import LARGE, Workload

LARGE_SECONDS = 5.0  # at least, so that one large file more or less does not matter
WARM_UP = 1.0  # seconds at most
MEMORY = Path("/dev/shm")
FAULTS = (LoadError, StartError, wrk.WrkError, VerificationError)

RunningPeer = tuple[Adapter, RunningServer]


def measure(
    question: str,
    workloads: Sequence[Workload],
    config: Config,
    run: Run,
    show_progress: ShowProgress,
    directories: Path | None = None,
) -> None:
    """Measure the selected peers with the selected workloads.

    ``directories`` contains a directory per peer, with its name; without it, each peer serves an empty one.
    """
    reason = wrk.missing()
    if reason is not None:
        run.skipped[question] = reason
        return
    wanted = select_workloads(workloads, config, run)
    with running_peers(wanted, config, run, show_progress, directories) as running:
        for workload in wanted:
            comparison = Comparison(question, workload, config, run, show_progress)
            try:
                comparison.measure_all(running)
            finally:  # keep what was measured, also after an interruption
                run.samples += comparison.measured


def select_workloads(workloads: Sequence[Workload], config: Config, run: Run) -> list[Workload]:
    """Return the selected workloads; record those that are too large for a quick run as skipped."""
    wanted = [each for each in workloads if config.wants_workload(each.name)]
    if not config.quick:
        return wanted
    run.skipped.update({each.name: "too large for a quick run" for each in wanted if each.size >= LARGE})
    return [each for each in wanted if each.size < LARGE]


@contextmanager
def running_peers(
    workloads: Sequence[Workload],
    config: Config,
    run: Run,
    show_progress: ShowProgress,
    directories: Path | None = None,
) -> Iterator[list[RunningPeer]]:
    """Start all selected, installed peers that serve any of these workloads."""
    with ExitStack() as stack:
        running: list[RunningPeer] = []
        for name, adapter in PEERS.items():
            if not config.wants_peer(name) or not any(each.needs in adapter.serves for each in workloads):
                continue
            show_progress(f"starting {name}")
            try:
                server = stack.enter_context(run_server(adapter, directories and directories / name))
            except StartError as error:
                run.skipped[name] = str(error)
            else:
                run.peers[name] = server.peer
                running.append((adapter, server))
        yield running


@dataclass
class Comparison:
    """One workload, and the samples of each peer without an error so far."""

    question: str
    workload: Workload
    config: Config
    run: Run
    show_progress: ShowProgress
    samples: dict[str, list[Sample]] = field(default_factory=dict)

    @property
    def measured(self) -> list[Sample]:
        """The samples of all peers without an error, round by round."""
        return sorted((each for mine in self.samples.values() for each in mine), key=lambda each: each.round)

    def measure_all(self, running: Sequence[RunningPeer]) -> None:
        """Measure all rounds of all running peers."""
        rounds, seconds = (
            (1, QUICK_SECONDS) if self.config.quick else (self.config.rounds, self.config.seconds)
        )
        if self.workload.size >= LARGE:
            seconds = max(seconds, LARGE_SECONDS)
        for peer in running:
            self._warm_up(peer, min(seconds, WARM_UP))
        for number in range(1, rounds + 1):
            for adapter, server in rotated(running, number - 1):
                if adapter.name in self.samples:
                    self.show_progress(f"{self.workload.name}, round {number} of {rounds}: {adapter.name}")
                    with self._skip_on_error(adapter.name):
                        self._measure(adapter, server, seconds, number)

    def _warm_up(self, peer: RunningPeer, seconds: float) -> None:
        """Verify a peer's responses and fill its caches; without an error it takes part."""
        adapter, server = peer
        with self._skip_on_error(adapter.name):
            if self.workload.needs not in adapter.serves:
                raise VerificationError(adapter.why_not)
            self.show_progress(f"{self.workload.name}: warming up {adapter.name}")
            verify(server, adapter, self.workload)
            wrk.run(server, self.workload, self.workload.connections(self.config.connections), seconds)
            verify(server, adapter, self.workload)
            self.samples[adapter.name] = []

    def _measure(self, adapter: Adapter, server: RunningServer, seconds: float, number: int) -> None:
        connections = self.config.connections
        sample = wrk.measure(server, self.workload, connections, seconds, number, self.question)
        verified = verify(server, adapter, self.workload)
        self.samples[adapter.name].append(replace(sample, verified=verified))

    @contextmanager
    def _skip_on_error(self, name: str) -> Iterator[None]:
        """Drop a peer from the comparison after an error, and record the reason."""
        try:
            yield
        except (VerificationError, wrk.WrkError) as error:
            self.samples.pop(name, None)
            self.run.skipped[f"{name}: {self.workload.name}"] = str(error)


def rotated(running: Sequence[RunningPeer], places: int) -> list[RunningPeer]:
    """Return the peers in order, starting at the given index."""
    places %= len(running) or 1
    return [*running[places:], *running[:places]]


@dataclass
class Rounds:
    """The order of measuring at one point of the axis, without peers that have failed."""

    run: Run
    count: int
    place: str  # "with 64 connections", ...
    failed: set[str] = field(default_factory=set)

    def in_order(self, names: Sequence[str]) -> Iterator[tuple[int, str]]:
        """Yield the number of the round, from 1, and the name of the next peer.

        >>> [f"{number} {name}" for number, name in Rounds(Run(), 2, "").in_order(["a", "b"])]
        ['1 a', '1 b', '2 b', '2 a']
        """
        for number in range(self.count):
            first = number % (len(names) or 1)
            for name in (*names[first:], *names[:first]):
                if name not in self.failed:
                    yield number + 1, name

    @contextmanager
    def skip_on_error(self, name: str) -> Iterator[None]:
        """Drop a peer after an error, and record the reason."""
        try:
            yield
        except FAULTS as error:
            self.failed.add(name)
            self.run.skipped[f"{name} {self.place}"] = str(error)


@contextmanager
def roomy_directory(size: int) -> Iterator[Path]:
    """Create a temporary directory, on an in-memory file system if one has enough free space."""
    in_memory = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > size
    with tempfile.TemporaryDirectory(prefix="benchmark-", dir=MEMORY if in_memory else None) as directory:
        yield Path(directory)
