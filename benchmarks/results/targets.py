"""The targets, and whether a run meets them.

A target is a bound for the median of a figure of ``benchmarks.results.statistics``. Without that figure the
verdict is "not measured", which is neither PASS nor MISSED.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from benchmarks.results.statistics import Figure
from benchmarks.results.units import BY, BYTES, KIB, RATIO, format_figure, share

PASS, MISSED, UNKNOWN = "PASS", "MISSED", "not measured"


@dataclass(frozen=True)
class Target:
    """A bound for a figure: either ``at_least`` or ``at_most``."""

    workload: str
    figure: str
    words: str
    at_least: float | None = None
    at_most: float | None = None
    unit: str = RATIO

    @property
    def bound(self) -> float:
        """The minimum or maximum."""
        bound = self.at_most if self.at_least is None else self.at_least
        assert bound is not None
        return bound

    def __str__(self) -> str:
        least = "at most" if self.at_least is None else "at least"
        return f"{least} {format_figure(self.bound, self.unit)} {self.words}"


@dataclass(frozen=True)
class Verdict:
    """A target and its figure; None if not measured."""

    target: Target
    figure: Figure | None

    @property
    def result(self) -> str:
        """PASS, MISSED, or not measured."""
        return UNKNOWN if self.figure is None else PASS if self.reached >= 1 else MISSED

    @property
    def reached(self) -> float:
        """The figure relative to the bound: 1.0 just meets it, more is better; NaN if not measured."""
        return self._reached(self.figure.median) if self.figure else float("nan")

    @property
    def range(self) -> tuple[float, float]:
        """``reached`` of the worst and of the best round."""
        figure = self.figure
        low, high = (self._reached(figure.low), self._reached(figure.high)) if figure else (1.0, 1.0)
        return min(low, high), max(low, high)

    @property
    def close(self) -> bool:
        """True when the bound lies within the range over rounds: another run may differ."""
        worst, best = self.range
        return self.figure is not None and worst < 1 <= best

    @property
    def words(self) -> str:
        """The verdict as text."""
        if self.figure is None:
            return UNKNOWN
        within = ", within the spread" if self.close else ""
        missed = f" by {share(self._missed_by)}" if self.result == MISSED else ""
        return f"{self.result}{missed}{within}"

    @property
    def _missed_by(self) -> float:
        """The distance of the median from the bound, relative to the bound."""
        assert self.figure is not None
        return abs(self.figure.median / self.target.bound - 1)

    def _reached(self, value: float) -> float:
        target = self.target
        if target.at_least is not None:
            return value / target.at_least
        # A value of 0 or less meets any upper bound.
        return target.bound / max(value, target.bound / 1000)


def _ratio(workload: str, prefix: str, **bounds: float) -> tuple[Target, ...]:
    """Return the targets of a workload: minimum ratios to peers."""
    named = {"floor": "the floor"}
    return tuple(
        Target(workload, f"{prefix}.{peer}", f"{BY} {named.get(peer, peer)}", at_least=bound)
        for peer, bound in bounds.items()
    )


TARGETS: tuple[Target, ...] = (
    *_ratio("hot", "hot", floor=0.70, bjoern=1.0, uvicorn=3.0, granian=2.0),
    *_ratio("browser", "browser", floor=0.70, bjoern=1.0),
    *_ratio("varied", "varied", floor=0.55, uvicorn=2.0),
    *_ratio("pipelined, 16 deep", "pipelined", nginx=2.0, uvicorn=10.0),
    *_ratio("new connection", "new-connection", nginx=0.7, uvicorn=1.5),
    *_ratio("gzip, the same text", "gzip-same", uvicorn=2.0, bjoern=2.0, granian=1.2),
    *_ratio("gzip, different texts", "gzip-different", uvicorn=2.0, bjoern=2.0, granian=1.2),
    *_ratio("file of 4 KiB", "file-4-KiB", nginx=0.7, uvicorn=10.0),
    *_ratio("file of 64 KiB", "file-64-KiB", nginx=0.9),
    *_ratio("file of 1 MiB", "file-1-MiB", nginx=0.9),
    *_ratio("file of 100 MiB", "file-100-MiB", nginx=0.9),
    *_ratio("upload of 4 KiB", "upload-4-KiB", uvicorn=2.0, granian=1.0),
    *_ratio("upload of 1 MiB", "upload-1-MiB", uvicorn=2.0, granian=1.0),
    Target("10,000 idle connections", "idle.rate", f"{BY} without them", at_least=0.9),
    Target("10,000 idle connections", "idle.bytes", "each", at_most=1.5 * KIB, unit=BYTES),
    Target("access log on", "log.rate", f"{BY} without it", at_least=0.8),
    Target("hot, p99", "hot.p99.nginx", f"{BY} nginx's p99", at_most=2.0),
)


def evaluate(figures: Mapping[str, Figure]) -> list[Verdict]:
    """Return a verdict for each target."""
    return [Verdict(target, figures.get(target.figure)) for target in TARGETS]


def score(verdicts: list[Verdict]) -> str:
    """Return the number of targets met as text.

    >>> score(evaluate({"hot.floor": Figure(0.7, 0.6, 0.8, 7), "hot.bjoern": Figure(0.9, 0.8, 1, 7)}))
    '1 of 2 targets met, 29 not measured'
    """
    results = [verdict.result for verdict in verdicts]
    unknown = results.count(UNKNOWN)
    met = f"{results.count(PASS)} of {len(results) - unknown} targets met"
    return f"{met}, {unknown} not measured" if unknown else met
