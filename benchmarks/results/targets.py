"""The targets, and whether a run meets them.

A target is a bound for the median of a figure of ``benchmarks.results.statistics``. Without that figure it
is neither met nor missed, but counted as not measured.
"""

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from benchmarks.results.statistics import Figure
from benchmarks.results.units import BY, FORMATS, RATIO, share, slug

PASS, MISSED = "PASS", "MISSED"


class Target(NamedTuple):
    """The minimum of a figure, or its maximum."""

    figure: str
    workload: str
    limit: str  # "at least" or "at most"
    bound: float
    words: str
    unit: str = RATIO

    def __str__(self) -> str:
        return f"{self.limit} {FORMATS[self.unit](self.bound)} {self.words}"

    def met_by(self, value: float) -> bool:
        """Return whether a value meets the target."""
        return value >= self.bound if self.limit == "at least" else value <= self.bound


@dataclass(frozen=True)
class Verdict:
    """A target and its figure."""

    target: Target
    figure: Figure

    @property
    def result(self) -> str:
        """PASS or MISSED."""
        return PASS if self.target.met_by(self.figure.median) else MISSED

    @property
    def words(self) -> str:
        """The verdict as text; a bound within the range of rounds may be met or missed in another run."""
        uncertain = self.target.met_by(self.figure.low) != self.target.met_by(self.figure.high)
        within = ", within the spread" if uncertain else ""
        if self.result == PASS or not self.target.bound:
            return f"{self.result}{within}"
        missed_by = abs(self.figure.median / self.target.bound - 1)
        return f"{MISSED} by {share(missed_by) if missed_by >= 0.005 else 'less than 1 %'}{within}"


def read_targets() -> Iterator[Target]:
    """Yield the targets in targets.toml."""
    known = tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))
    for kind, limit, what in (("rate", "at least", "rate"), ("cpu", "at most", "CPU time")):
        for workload, ratios in known[kind].items():
            for peer, bound in ratios.items():
                figure = f"{slug(workload)}.{'cpu.' * (kind == 'cpu')}{peer}"
                whose = "the floor" if peer == "floor" else peer
                yield Target(figure, workload, limit, bound, f"{BY} {whose}'s {what}")
    for figure, rest in known["figures"].items():
        yield Target(figure, *rest)


TARGETS = list(read_targets())
ATTACKED = "under attack"  # the workload of the targets for attacks
P99 = next(each.bound for each in TARGETS if each.figure == "attack.p99")  # of honest clients, in seconds


def evaluate(figures: Mapping[str, Figure]) -> list[Verdict]:
    """Return a verdict for each target whose figure was measured."""
    return [Verdict(target, figures[target.figure]) for target in TARGETS if target.figure in figures]


def score(verdicts: Sequence[Verdict]) -> str:
    """Return the number of targets met as text.

    >>> score(evaluate({"hot.floor": Figure(0.7, 0.6, 0.8, 7), "hot.bjoern": Figure(0.9, 0.8, 1, 7)}))
    '1 of 2 targets met, 56 not measured'
    """
    met = sum(verdict.result == PASS for verdict in verdicts)
    unknown = len(TARGETS) - len(verdicts)
    return f"{met} of {len(verdicts)} targets met{f', {unknown} not measured' if unknown else ''}"
