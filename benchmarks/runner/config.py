"""What to measure, and how long: the same for every question, alone or all together.

A question is a module with a ``measure(plan, run, say)`` that adds samples to the run and tells
how it gets on. Rounds are interleaved: one round of each peer, then the next round.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

# Tells a person what is going on now, in one short line.
Say = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """How to measure; an empty selection means everything there is."""

    rounds: int = 7
    seconds: float = 2.0  # of each round
    connections: int = 64
    peers: Sequence[str] = field(default_factory=tuple)
    workloads: Sequence[str] = field(default_factory=tuple)
    quick: bool = False  # small sizes, few places on the axes: does everything work at all?

    def wants_peer(self, name: str) -> bool:
        """Say whether a peer is to be measured; reactor always is."""
        return not self.peers or name in self.peers or name.startswith("reactor")

    def wants_workload(self, name: str) -> bool:
        """Say whether a workload is to be measured."""
        return not self.workloads or name in self.workloads
