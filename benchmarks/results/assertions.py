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
from benchmarks.results.statistics import MEMORY, PERCENTILES, REACTORS, SPECIAL, Figure, peer_slugs
from benchmarks.results.units import slug
from benchmarks.servers.peers import PEERS
from benchmarks.servers.workloads import WORKLOADS

FORM = re.compile(r"\s*([\w.-]+)\s*(>=|<=|>|<)\s*((?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*")
COMPARE = {">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt}

SITUATIONS = ("alone", "during downloads", "during uploads", "during both")
PLACES = (
    *map(slug, WORKLOADS),
    r"(concurrency|latency|idle)-\d+",
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
        reason = f"unknown figure: {match[1]!r} (example: hot.floor; all of a run: show RUN.json --figures)"
        raise argparse.ArgumentTypeError(reason)
    return Assertion(match[1], match[2], float(match[3]))


def is_figure(name: str) -> bool:
    """Return whether a figure of this name exists.

    >>> is_figure("concurrency-512.floor"), is_figure("hot.p99.nginx"), is_figure("cold.floor")
    (True, True, False)
    """
    peers = "|".join(each for peer, each in peer_slugs(PEERS).items() if peer not in REACTORS)
    kinds = "|".join(("rate", "cpu", *PERCENTILES, *map(slug, MEMORY), rf"(p99\.|cpu\.)?({peers})"))
    return name in SPECIAL or bool(re.fullmatch(rf"({'|'.join(PLACES)})\.({kinds})", name))
