"""The targets, and whether a run meets them.

A target is a bound for the median of a figure of ``benchmarks.results.statistics``. Without that figure it
is neither met nor missed, but counted as not measured.
"""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from benchmarks.results.statistics import Figure
from benchmarks.results.units import FORMATS, RATIO, share

PASS, MISSED = "PASS", "MISSED"


class Target(NamedTuple):
    """A line of targets.toml: the minimum of a figure, or its maximum."""

    workload: str
    figure: str
    limit: str  # "at least" or "at most"
    bound: float
    words: str
    unit: str = RATIO

    def __str__(self) -> str:
        return f"{self.limit} {FORMATS[self.unit](self.bound)} {self.words}"

    def reached(self, value: float) -> float:
        """Return a value relative to the bound: 1.0 just meets it, more is better."""
        if self.limit == "at least":
            return value / self.bound
        return self.bound / value if value > self.bound / 1000 else 1000.0  # 0 or less meets any maximum


@dataclass(frozen=True)
class Verdict:
    """A target and its figure."""

    target: Target
    figure: Figure

    @property
    def reached(self) -> float:
        """The median relative to the bound."""
        return self.target.reached(self.figure.median)

    @property
    def range(self) -> tuple[float, float]:
        """``reached`` of the worst and of the best round."""
        low, high = map(self.target.reached, (self.figure.low, self.figure.high))
        return min(low, high), max(low, high)

    @property
    def result(self) -> str:
        """PASS or MISSED."""
        return PASS if self.reached >= 1 else MISSED

    @property
    def words(self) -> str:
        """The verdict as text; a bound within the range of rounds may be met or missed in another run."""
        worst, best = self.range
        within = ", within the spread" if worst < 1 <= best else ""
        if self.result == PASS:
            return f"{PASS}{within}"
        if not self.target.bound:
            return MISSED
        missed_by = abs(self.figure.median / self.target.bound - 1)
        return f"{MISSED} by {share(missed_by) if missed_by >= 0.005 else 'less than 1 %'}{within}"


TARGETS = [
    Target(*each) for each in tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))["targets"]
]
ATTACKED = "under attack"  # the workload of the targets for attacks
P99 = next(each.bound for each in TARGETS if each.figure == "attack.p99")  # of honest clients, in seconds


def evaluate(figures: Mapping[str, Figure]) -> list[Verdict]:
    """Return a verdict for each target whose figure was measured."""
    return [Verdict(target, figures[target.figure]) for target in TARGETS if target.figure in figures]


def score(verdicts: Sequence[Verdict]) -> str:
    """Return the number of targets met as text.

    >>> score(evaluate({"hot.floor": Figure(0.7, 0.6, 0.8, 7), "hot.bjoern": Figure(0.9, 0.8, 1, 7)}))
    '1 of 2 targets met, 35 not measured'
    """
    met = sum(verdict.result == PASS for verdict in verdicts)
    unknown = len(TARGETS) - len(verdicts)
    return f"{met} of {len(verdicts)} targets met{f', {unknown} not measured' if unknown else ''}"
