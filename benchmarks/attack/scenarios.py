"""The attack scenarios, what their attackers send, and two scales."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.attack.attackers import Plan
from benchmarks.results.units import GIB
from benchmarks.servers.workloads import MIB


@dataclass(frozen=True)
class Scale:
    """The size of an attack; times are in seconds."""

    share: float  # of the scenario's attackers
    honest: int
    interval: float  # between two requests of an honest client
    attack: float  # duration of the attack; other phases are shorter
    timeout: float  # for the server's timeouts, whose defaults would take minutes
    haste: float  # factor for the attackers' interval; 0.1 is ten times as fast
    large: int  # bytes of a large file


FULL = Scale(share=1, honest=50, interval=0.1, attack=6, timeout=5, haste=1, large=GIB)
QUICK = Scale(share=0.05, honest=10, interval=0.05, attack=1.2, timeout=0.8, haste=0.2, large=64 * MIB)


@dataclass(frozen=True)
class Scenario:
    """One kind of attack: a row of scenarios.toml."""

    name: str
    plans: Sequence[Plan]
    what: str
    attackers: int  # at full scale
    expected_events: Mapping[str, float]  # before the attack may end: their number per attacker
    timeouts: Sequence[str] = ()  # of the server, set to the timeout of the scale
    interval: float = 1.0  # seconds between two actions of an attacker
    holds_still: bool = False  # whether attackers are inactive until the server's timeouts
    honest: int = 1 << 20  # maximum of honest clients
    min_attackers: int = 1  # at any scale
    arrival_seconds: float = 1.0  # seconds in which the attackers connect
    open_file_limit: int = 0  # the server's ulimit -n; 0: the highest possible
    max_connections: float = 0  # the server's connection limit, as a share of the attackers; 0: its default
    forbidden_events: Sequence[str] = ()  # events that must not occur
    rests: bool = True  # whether the attackers leave the server idle when they do not reconnect
    returning: bool = True  # whether they reconnect
    options: Sequence[str] = ()  # of the server
    peers: Sequence[str] = ()  # the servers, in place of reactor
    on_disk: bool = False  # whether the server needs a directory on a disk
    large_files: bool = False  # whether it shares a large file for each attacker
    text: int = 0  # bytes of text.txt, at full scale
    entries: int = 0  # of the directory many, at full scale

    def count(self, scale: Scale) -> int:
        """Return the number of attackers."""
        return max(self.min_attackers, round(self.attackers * scale.share))

    def environment(self, scale: Scale) -> list[str]:
        """Return the words before the server's command that set its limits and timeouts."""
        files = ["sh", "-c", f'ulimit -n {self.open_file_limit} && exec "$@"', "sh"]
        limit = [f"REACTOR_MAX_CONNECTIONS={self.limit(scale)}"] if self.max_connections else []
        timeouts = (f"REACTOR_{name}_TIMEOUT={scale.timeout:g}" for name in self.timeouts)
        return [*(files if self.open_file_limit else []), "env", *limit, *timeouts]

    def stored(self, scale: Scale) -> int:
        """Return the bytes that are written to the disk, at most."""
        return scale.large * self.count(scale) if self.on_disk else 0

    def limit(self, scale: Scale) -> int:
        """Return the server's connection limit."""
        return round(self.max_connections * self.count(scale))


def data(part: str | list[Any]) -> bytes:
    """Return the bytes of a part: a text, or parts with their number of repetitions, each of which is {i}.

    >>> data(["{i}", ["a", 3], 2])
    b'0aaa1aaa'
    """
    if isinstance(part, str):
        return part.encode()
    once, times = b"".join(map(data, part[:-1])), int(part[-1])
    if b"{i}" in once:
        return b"".join(once.replace(b"{i}", b"%d" % number) for number in range(times))
    return once * times


def _scenario(name: str, row: dict[str, Any]) -> Scenario:
    for plan in row["plans"]:
        plan["sends"] = data([*plan.get("sends", ()), 1])
        plan |= {name: data(plan[name]) for name in ("drips", "again_after") if name in plan}
    plans = [Plan(**plan) for plan in row["plans"] for _ in range(plan.pop("times", 1))]
    return Scenario(name, **{**row, "plans": plans})


_ROWS = tomllib.loads(Path(__file__).with_suffix(".toml").read_text())
SCENARIOS = tuple(_scenario(*item) for item in _ROWS.items())
