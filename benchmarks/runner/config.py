"""Configuration shared by all questions: what to measure, and for how long.

A question is a module with a function ``measure(config, run, show_progress)``, which adds samples to the
run. Rounds are interleaved: one round of each peer, then the next round.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from benchmarks.servers.peers import PEERS

QUICK_SECONDS = 0.3  # of each round

# Called with one short line about the current step.
ShowProgress = Callable[[str], None]


@dataclass(frozen=True)
class Config:
    """What to measure; empty ``peers`` or ``workloads`` select all."""

    rounds: int = 7
    seconds: float = 2.0  # of each round
    connections: int = 64
    peers: Sequence[str] = field(default_factory=tuple)
    workloads: Sequence[str] = field(default_factory=tuple)
    quick: bool = False  # small sizes and one short round, to check that everything works

    def wants_peer(self, name: str) -> bool:
        """Return whether to measure a peer; reactor is always measured."""
        return not self.peers or name in self.peers or name.startswith("reactor")

    def wants_workload(self, name: str) -> bool:
        """Return whether to measure a workload."""
        return not self.workloads or name in self.workloads


# Questions measured with our own load generator have a few peers by default.


@dataclass(frozen=True)
class SelectedPeers(Config):
    """A configuration that measures exactly the peers it lists."""

    def wants_peer(self, name: str) -> bool:
        """Return whether to measure a peer."""
        return name in self.peers


def only_peers(config: Config, names: Iterable[str]) -> SelectedPeers:
    """Return the configuration for exactly these peers; with ``quick``, one short round."""
    selected = replace(SelectedPeers(**vars(config)), peers=tuple(names))
    return replace(selected, rounds=1, seconds=QUICK_SECONDS) if config.quick else selected


def select_peers(config: Config, few: Sequence[str]) -> SelectedPeers:
    """Return the configuration for reactor and the peers of --peers; without --peers, for ``few``.

    >>> select_peers(Config(), ["reactor", "nginx"]).peers
    ('reactor', 'nginx')
    >>> select_peers(Config(peers=["bjoern"]), ["nginx"]).peers
    ('reactor', 'bjoern')
    """
    chosen = [name for name in PEERS if name in config.peers or name == "reactor"]
    return only_peers(config, chosen if config.peers else few)
