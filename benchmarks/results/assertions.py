"""Assertions: ``--assert 'hot.floor>=0.70'``, a bound for the median of a figure.

Invalid assertions and unknown figures are errors before anything is measured. An assertion about a figure
that was not measured does not hold.
"""

import argparse
import operator
import re
from collections.abc import Mapping
from dataclasses import dataclass

from benchmarks.attack.scenarios import SCENARIOS
from benchmarks.results.statistics import COMPARISONS, PERCENTILES, REACTORS, SPECIAL, Figure, peer_slugs
from benchmarks.results.units import slug
from benchmarks.servers.peers import PEERS
from benchmarks.servers.workloads import WORKLOADS

FORM = re.compile(r"\s*([\w.-]+)\s*(>=|<=|>|<)\s*((?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*")
COMPARE = {">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt}

COMPARED_PEERS = [name for peer, name in peer_slugs(PEERS).items() if peer not in REACTORS]
SITUATIONS = ("alone", "during downloads", "during uploads", "during both")
COMPARED = tuple(map(slug, WORKLOADS))
OTHERS = (
    *("concurrency-N", "latency-N", "idle-N"),
    *(slug(f"fairness {name}") for name in SITUATIONS),
    *(slug(f"attack {each.name}") for each in SCENARIOS),
)


@dataclass(frozen=True)
class Assertion:
    """A bound for a figure, in the figure's unit."""

    figure: str
    sign: str
    bound: float

    def __str__(self) -> str:
        return f"{self.figure}{self.sign}{self.bound:g}"

    def holds(self, figures: Mapping[str, Figure]) -> bool:
        """Return whether the figure was measured and its median satisfies the bound."""
        figure = figures.get(self.figure)
        return figure is not None and bool(COMPARE[self.sign](figure.median, self.bound))

    def verdict(self, figures: Mapping[str, Figure]) -> str:
        """Return the result as a line of text."""
        figure = figures.get(self.figure)
        return f"assert {self}: {figure or 'not measured'}: {'PASS' if self.holds(figures) else 'FAILED'}"


def parse_assertion(text: str) -> Assertion:
    """Parse an assertion; raise argparse.ArgumentTypeError if it is invalid.

    >>> parse_assertion("hot.floor >= 0.70")
    Assertion(figure='hot.floor', sign='>=', bound=0.7)
    """
    match = FORM.fullmatch(text)
    if match is None:
        raise argparse.ArgumentTypeError(f"invalid assertion: {text!r} (example: 'hot.floor>=0.70')")
    if not is_figure(match[1]):
        raise argparse.ArgumentTypeError(f"unknown figure: {match[1]!r} (see --list-figures)")
    return Assertion(match[1], match[2], float(match[3]))


def is_figure(name: str) -> bool:
    """Return whether a figure of this name exists.

    >>> is_figure("concurrency-512.floor"), is_figure("hot.p99.nginx"), is_figure("cold.floor")
    (True, True, False)
    """
    places = "|".join((*COMPARED, *OTHERS)).replace("-N", r"-\d+")
    kinds, peers = "|".join(("rate", *PERCENTILES)), "|".join(COMPARED_PEERS)
    return name in SPECIAL or bool(re.fullmatch(rf"({places})\.({kinds}|(p99\.|cpu\.)?({peers}))", name))


def figures_help() -> str:
    """Return the text of --list-figures."""
    single = "\n".join(f"  {name:24} {words}" for name, (words, _) in SPECIAL.items())
    return f"""Figures:
  PLACE.PEER               requests/s of reactor / of the peer, round by round
  PLACE.p99.PEER           p99 of reactor / of the peer
  PLACE.cpu.PEER           requests per CPU second of reactor / of the peer
  PLACE.rate               requests/s of reactor
  PLACE.p50, .p99, .p999   percentiles of reactor, in seconds
{single}

Places of {", ".join(COMPARISONS)}: {", ".join(COMPARED)}
Other places: {", ".join(OTHERS)};
  N is the number of connections, the percentage of the capacity, or the number of idle connections
Peers: {", ".join(COMPARED_PEERS)} ("floor" is the bare loop)"""
