"""What to measure, and how long: the same for every question, alone or all together.

A question is a module with a ``measure(config, run, show_progress)`` that adds samples to the
run and reports its progress. Rounds are interleaved: one round of each peer, then the next round.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from benchmarks.servers.peers import PEERS

QUICK_SECONDS = 0.3  # of each round

# Shows what is going on now, in one short line.
ShowProgress = Callable[[str], None]


@dataclass(frozen=True)
class Config:
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


# Questions that our own load generator answers have few peers, or those that were chosen.


@dataclass(frozen=True)
class SelectedPeers(Config):
    """A configuration for the peers that it names, and for no others."""

    def wants_peer(self, name: str) -> bool:
        """Say whether a peer is to be measured."""
        return name in self.peers


def only_peers(config: Config, names: Iterable[str]) -> SelectedPeers:
    """Return the configuration for these peers; a quick one has one short round."""
    selected = replace(SelectedPeers(**vars(config)), peers=tuple(names))
    return replace(selected, rounds=1, seconds=QUICK_SECONDS) if config.quick else selected


def select_peers(config: Config, few: Sequence[str]) -> SelectedPeers:
    """Return the configuration for a few peers; for those that were chosen, and reactor, if any were.

    >>> select_peers(Config(), ["reactor", "nginx"]).peers
    ('reactor', 'nginx')
    >>> select_peers(Config(peers=["bjoern"]), ["nginx"]).peers
    ('reactor', 'bjoern')
    """
    chosen = [name for name in PEERS if name in config.peers or name == "reactor"]
    return only_peers(config, chosen if config.peers else few)
