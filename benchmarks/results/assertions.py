"""Assertions: ``--assert 'hot.floor>=0.70'``, a bound for the median of a figure.

Invalid assertions and unknown figures are errors before anything is measured. An assertion about a figure
that was not measured does not hold.
"""

import argparse
import operator
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from benchmarks.attack.scenarios import SCENARIOS
from benchmarks.results.statistics import COMPARISONS, FLOOR, LOGGING, OURS, PERCENTILES, Figure, peer_slug
from benchmarks.results.units import format_figure, slug
from benchmarks.servers.peers import PEERS, WAYS_TO_WATCH
from benchmarks.servers.workloads import WORKLOADS

FORM = re.compile(r"\s*([\w.-]+)\s*(>=|<=|>|<)\s*([0-9.]+(?:[eE][+-]?\d+)?)\s*")
COMPARE: Mapping[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}

SITUATIONS = ("alone", "during downloads", "during uploads", "during both")
PLACES = (
    *map(slug, WORKLOADS),
    *("concurrency-N", "latency-N", "idle-N"),
    *(slug(f"fairness {name}") for name in SITUATIONS),
    *(slug(f"attack {each.name}") for each in SCENARIOS),
)
PEER_SLUGS = tuple(peer_slug(name) for name in PEERS if name not in (OURS, LOGGING, *WAYS_TO_WATCH))
SPECIAL = {
    "log.rate": "requests/s with the access log / without it",
    **{
        f"watching.{name}": f"requests/s with {option} / without it, both with the access log"
        for name, (option, *_) in WAYS_TO_WATCH.items()
    },
    "idle.rate": "requests/s with 10,000 idle connections / without any",
    "idle.bytes": "resident bytes per idle connection",
    "fairness.p99": "p99 of small requests during downloads and uploads, in seconds",
    "fairness.slowdown": "that p99 / the p99 of small requests alone",
    "agreement.clients": "requests/s measured by our own client / by wrk",
}


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
        return figure is not None and COMPARE[self.sign](figure.median, self.bound)

    def verdict(self, figures: Mapping[str, Figure]) -> str:
        """Return the result as a line of text."""
        figure = figures.get(self.figure)
        measured = format_figure(figure.median, figure.unit) if figure else "not measured"
        return f"assert {self}: {measured}: {'PASS' if self.holds(figures) else 'FAILED'}"


def parse_assertion(text: str) -> Assertion:
    """Parse an assertion; raise argparse.ArgumentTypeError if it is invalid.

    >>> parse_assertion("hot.floor >= 0.70")
    Assertion(figure='hot.floor', sign='>=', bound=0.7)
    """
    match = FORM.fullmatch(text)
    try:
        found = Assertion(match[1], match[2], float(match[3])) if match else None
    except ValueError:
        found = None
    if found is None:
        raise argparse.ArgumentTypeError(f"invalid assertion: {text!r} (example: 'hot.floor>=0.70')")
    if not is_figure(found.figure):
        raise argparse.ArgumentTypeError(f"unknown figure: {found.figure!r} (see --list-figures)")
    return found


def is_figure(name: str) -> bool:
    """Return whether a figure of this name exists.

    >>> is_figure("concurrency-512.floor"), is_figure("hot.p99.nginx"), is_figure("cold.floor")
    (True, True, False)
    """
    place, _, what = name.partition(".")
    known = {re.sub(r"-\d+$", "-N", place), place} & set(PLACES)
    compared = {f"{what}.{each}" for what in ("p99", "cpu") for each in PEER_SLUGS}
    kinds = {"rate", *PERCENTILES, *PEER_SLUGS, *compared}
    return name in SPECIAL or (bool(known) and not place.endswith("-N") and what in kinds)


def figures_help() -> str:
    """Return the text of --list-figures."""
    special = "\n".join(f"  {name:18} {words}" for name, words in SPECIAL.items())
    return f"""PLACE.PEER         requests/s of reactor / of the peer, round by round
PLACE.p99.PEER     p99 of reactor / of the peer
PLACE.cpu.PEER     requests per CPU second of reactor / of the peer
PLACE.rate         requests/s of reactor
PLACE.p50 .p99 .p999   percentiles of reactor, in seconds
{special}

Places of {", ".join(COMPARISONS)}: {_list(map(slug, WORKLOADS))}
Other places: {_list(each for each in PLACES if each not in set(map(slug, WORKLOADS)))};
  N is the number of connections, the percentage of the capacity, or the number of idle connections
Peers: {_list(PEER_SLUGS)} ("floor" is the {FLOOR})"""


def _list(names: Iterable[str]) -> str:
    return ", ".join(names)
