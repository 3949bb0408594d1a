"""What our own load generator's questions have in common: who takes part, and whose turn it is.

A few peers take part, or those that a person has chosen. They are measured in turn, each round beginning
with another one. Who fails once at one place of the axis is left out there, with a note.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from benchmarks.load.process import LoadError
from benchmarks.load.wrk import WrkError
from benchmarks.results.samples import Run
from benchmarks.runner.config import Plan
from benchmarks.runner.interleaved import QUICK_SECONDS
from benchmarks.servers.peers import PEERS
from benchmarks.servers.process import StartError
from benchmarks.servers.verify import WrongError

FAULTS = (LoadError, StartError, WrkError, WrongError)


@dataclass(frozen=True)
class Selected(Plan):
    """A plan for the peers that it names, and for no others."""

    def wants_peer(self, name: str) -> bool:
        """Say whether a peer is to be measured."""
        return name in self.peers


def only(plan: Plan, names: Iterable[str]) -> Selected:
    """Return the plan for these peers, with the rounds that it has when it is quick."""
    selected = replace(Selected(**vars(plan)), peers=tuple(names))
    return replace(selected, rounds=1, seconds=QUICK_SECONDS) if plan.quick else selected


def select(plan: Plan, few: Sequence[str]) -> Selected:
    """Return the plan for a few peers; for those that were chosen, and reactor, if any were.

    >>> select(Plan(), ["reactor", "nginx"]).peers, select(Plan(peers=["bjoern"]), ["nginx"]).peers
    (('reactor', 'nginx'), ('reactor', 'bjoern'))
    """
    chosen = [name for name in PEERS if name in plan.peers or name == "reactor"]
    return only(plan, chosen if plan.peers else few)


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
