"""Rounds that can be compared: all peers run at the same time, and are measured in turn.

    for each workload: look at each peer's answers, and warm it up
        for each round: measure each peer once, and look at its answers again

Whatever the machine does meanwhile happens to all, so that what counts is the ratio within a round. Each
round begins with another peer. A peer that answers wrong once has no figures in that workload at all,
but a note why. This is what the questions have in common that wrk answers.
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

LARGE_SECONDS = 5.0  # at least, with large files: so many that one more or less does not matter
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
    """Measure all peers with these workloads, as far as the configuration wants them.

    ``directories`` has one for each peer to serve, by its name; without, each has an empty one.
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
            finally:  # what was measured counts, also where somebody breaks off
                run.samples += comparison.measured


def select_workloads(workloads: Sequence[Workload], config: Config, run: Run) -> list[Workload]:
    """Return the workloads that the configuration wants; note those that a quick run leaves out."""
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
    """Run all peers at once that are wanted, can be had, and serve any of these workloads."""
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
    """One workload, and the samples of those who still take part in it."""

    question: str
    workload: Workload
    config: Config
    run: Run
    show_progress: ShowProgress
    samples: dict[str, list[Sample]] = field(default_factory=dict)

    @property
    def measured(self) -> list[Sample]:
        """The samples of those who were right to the end, round by round."""
        return sorted((each for mine in self.samples.values() for each in mine), key=lambda each: each.round)

    def measure_all(self, running: Sequence[RunningPeer]) -> None:
        """Measure everybody who can."""
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
        """Let a peer take part when it can, and its answers are right; fill its caches."""
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
        """Take a peer out of the comparison when something is wrong with it, and note why."""
        try:
            yield
        except (VerificationError, wrk.WrkError) as error:
            self.samples.pop(name, None)
            self.run.skipped[f"{name}: {self.workload.name}"] = str(error)


def rotated(running: Sequence[RunningPeer], places: int) -> list[RunningPeer]:
    """Return everybody in order, beginning so many places later."""
    places %= len(running) or 1
    return [*running[places:], *running[:places]]


@dataclass
class Rounds:
    """The rounds at one place of the axis: who is measured when, without those who have failed."""

    run: Run
    count: int
    place: str  # "with 64 connections", ...
    failed: set[str] = field(default_factory=set)

    def in_order(self, names: Sequence[str]) -> Iterator[tuple[int, str]]:
        """Yield the number of a round, from 1, and who is to be measured in it.

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
        """Leave a peer out when something goes wrong with it, and note why."""
        try:
            yield
        except FAULTS as error:
            self.failed.add(name)
            self.run.skipped[f"{name} {self.place}"] = str(error)


@contextmanager
def roomy_directory(octets: int) -> Iterator[Path]:
    """Make a directory on a memory file system, where there is one with so much room; else on the disk."""
    in_memory = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > octets
    with tempfile.TemporaryDirectory(prefix="benchmark-", dir=MEMORY if in_memory else None) as directory:
        yield Path(directory)
