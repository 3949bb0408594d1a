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
from benchmarks.runner.config import QUICK_SECONDS, Plan, Say
from benchmarks.servers.peers import PEERS, Adapter
from benchmarks.servers.process import Serving, StartError, serving
from benchmarks.servers.verify import WrongError, verify
from benchmarks.servers.workloads import LARGE, Workload

LARGE_SECONDS = 5.0  # at least, with large files: so many that one more or less does not matter
WARM_UP = 1.0  # seconds at most
MEMORY = Path("/dev/shm")
FAULTS = (LoadError, StartError, wrk.WrkError, WrongError)

Contender = tuple[Adapter, Serving]


def measure(
    question: str,
    workloads: Sequence[Workload],
    plan: Plan,
    run: Run,
    say: Say,
    directories: Path | None = None,
) -> None:
    """Measure all peers with these workloads, as far as the plan wants them.

    ``directories`` has one for each peer to serve, by its name; without, each has an empty one.
    """
    reason = wrk.missing()
    if reason is not None:
        run.skipped[question] = reason
        return
    wanted = select_workloads(workloads, plan, run)
    with contenders(wanted, plan, run, say, directories) as everybody:
        for workload in wanted:
            contest = Contest(question, workload, plan, run, say)
            try:
                contest.hold(everybody)
            finally:  # what was measured counts, also where somebody breaks off
                run.samples += contest.measured


def select_workloads(workloads: Sequence[Workload], plan: Plan, run: Run) -> list[Workload]:
    """Return the workloads that the plan wants; note those that a quick run leaves out."""
    wanted = [each for each in workloads if plan.wants_workload(each.name)]
    if not plan.quick:
        return wanted
    run.skipped.update({each.name: "too large for a quick run" for each in wanted if each.size >= LARGE})
    return [each for each in wanted if each.size < LARGE]


@contextmanager
def contenders(
    workloads: Sequence[Workload], plan: Plan, run: Run, say: Say, directories: Path | None = None
) -> Iterator[list[Contender]]:
    """Run all peers at once that are wanted, can be had, and serve any of these workloads."""
    with ExitStack() as stack:
        everybody: list[Contender] = []
        for name, adapter in PEERS.items():
            if not plan.wants_peer(name) or not any(each.needs in adapter.serves for each in workloads):
                continue
            say(f"starting {name}")
            try:
                server = stack.enter_context(serving(adapter, directories and directories / name))
            except StartError as error:
                run.skipped[name] = str(error)
            else:
                run.peers[name] = server.peer
                everybody.append((adapter, server))
        yield everybody


@dataclass
class Contest:
    """One workload, and the samples of those who still take part in it."""

    question: str
    workload: Workload
    plan: Plan
    run: Run
    say: Say
    samples: dict[str, list[Sample]] = field(default_factory=dict)

    @property
    def measured(self) -> list[Sample]:
        """The samples of those who were right to the end, round by round."""
        return sorted((each for mine in self.samples.values() for each in mine), key=lambda each: each.round)

    def hold(self, everybody: Sequence[Contender]) -> None:
        """Measure everybody who can."""
        rounds, seconds = (1, QUICK_SECONDS) if self.plan.quick else (self.plan.rounds, self.plan.seconds)
        if self.workload.size >= LARGE:
            seconds = max(seconds, LARGE_SECONDS)
        for contender in everybody:
            self._admit(contender, min(seconds, WARM_UP))
        for number in range(1, rounds + 1):
            for adapter, server in rotated(everybody, number - 1):
                if adapter.name in self.samples:
                    self.say(f"{self.workload.name}, round {number} of {rounds}: {adapter.name}")
                    with self._noting(adapter.name):
                        self._measure(adapter, server, seconds, number)

    def _admit(self, contender: Contender, seconds: float) -> None:
        """Let a peer take part when it can, and its answers are right; fill its caches."""
        adapter, server = contender
        with self._noting(adapter.name):
            if self.workload.needs not in adapter.serves:
                raise WrongError(adapter.why_not)
            self.say(f"{self.workload.name}: warming up {adapter.name}")
            verify(server, adapter, self.workload)
            wrk.run(server, self.workload, self.workload.connections(self.plan.connections), seconds)
            verify(server, adapter, self.workload)
            self.samples[adapter.name] = []

    def _measure(self, adapter: Adapter, server: Serving, seconds: float, number: int) -> None:
        connections = self.plan.connections
        sample = wrk.measure(server, self.workload, connections, seconds, number, self.question)
        verified = verify(server, adapter, self.workload)
        self.samples[adapter.name].append(replace(sample, verified=verified))

    @contextmanager
    def _noting(self, name: str) -> Iterator[None]:
        """Take a peer out of the contest when something is wrong with it, and note why."""
        try:
            yield
        except (WrongError, wrk.WrkError) as error:
            self.samples.pop(name, None)
            self.run.skipped[f"{name}: {self.workload.name}"] = str(error)


def rotated(everybody: Sequence[Contender], places: int) -> list[Contender]:
    """Return everybody in order, beginning so many places later."""
    places %= len(everybody) or 1
    return [*everybody[places:], *everybody[:places]]


@dataclass
class Turns:
    """The rounds at one place of the axis: who is measured when, without those who have failed."""

    run: Run
    rounds: int
    place: str  # "with 64 connections", ...
    failed: set[str] = field(default_factory=set)

    def take(self, names: Sequence[str]) -> Iterator[tuple[int, str]]:
        """Yield the number of a round, from 1, and who is to be measured in it.

        >>> [f"{number} {name}" for number, name in Turns(Run(), 2, "").take(["a", "b"])]
        ['1 a', '1 b', '2 b', '2 a']
        """
        for number in range(self.rounds):
            first = number % (len(names) or 1)
            for name in (*names[first:], *names[:first]):
                if name not in self.failed:
                    yield number + 1, name

    @contextmanager
    def noting(self, name: str) -> Iterator[None]:
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
