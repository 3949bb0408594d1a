"""Configuration shared by all questions: what to measure, and for how long."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.servers.peers import PEERS, Adapter

QUICK_SECONDS = 0.3  # of each round

# Called with one short line about the current step.
ShowProgress = Callable[[str], None]


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

    def select_peers(self, usual: Sequence[str]) -> list[Adapter]:
        """Return the peers to measure, in display order; ``usual`` are those without --peers.

        >>> [each.name for each in Config(peers=["bjoern"]).select_peers(["reactor", "nginx"])]
        ['reactor', 'bjoern']
        """
        names = (*self.peers, "reactor") if self.peers else usual
        return [*(adapter for name, adapter in PEERS.items() if name in names), *self.own]

    def wants_workload(self, name: str) -> bool:
        """Return whether to measure a workload."""
        return not self.workloads or name in self.workloads
