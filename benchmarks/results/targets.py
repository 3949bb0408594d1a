"""The targets, and whether a run meets them.

A target is a bound for the median of a figure of ``benchmarks.results.statistics``. Without that figure it
is neither met nor missed, but counted as not measured.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks.results.statistics import Figure
from benchmarks.results.units import BY, BYTES, COUNT, FORMATS, KIB, MIB, RATIO, SECONDS, share

PASS, MISSED = "PASS", "MISSED"


@dataclass(frozen=True)
class Target:
    """The minimum of a figure, or its maximum (``at_most``)."""

    workload: str
    figure: str
    words: str
    bound: float
    unit: str = RATIO
    at_most: bool = False

    def __str__(self) -> str:
        limit = "at most" if self.at_most else "at least"
        return f"{limit} {FORMATS[self.unit](self.bound)} {self.words}"

    def reached(self, value: float) -> float:
        """Return a value relative to the bound: 1.0 just meets it, more is better."""
        if not self.at_most:
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


def _ratios(workload: str, cell: str, **bounds: float) -> tuple[Target, ...]:
    """Return the targets of a workload: minimum ratios to peers."""
    return tuple(
        Target(workload, f"{cell}.{peer}", f"{BY} {'the floor' if peer == 'floor' else peer}", bound)
        for peer, bound in bounds.items()
    )


ATTACKED, P99 = "under attack", 0.1  # seconds, of honest clients; the figures are those of the worst attack
TARGETS: tuple[Target, ...] = (
    *_ratios("hot", "hot", floor=0.70, bjoern=1.0, uvicorn=3.0, granian=2.0),
    *_ratios("browser", "browser", floor=0.70, bjoern=1.0),
    *_ratios("varied", "varied", floor=0.55, uvicorn=2.0),
    *_ratios("pipelined, 16 deep", "pipelined", nginx=2.0, uvicorn=10.0),
    *_ratios("new connection", "new-connection", nginx=0.7, uvicorn=1.5),
    *_ratios("gzip, the same text", "gzip-same", uvicorn=2.0, bjoern=2.0, granian=1.2),
    *_ratios("gzip, different texts", "gzip-different", uvicorn=2.0, bjoern=2.0, granian=1.2),
    *_ratios("file of 4 KiB", "file-4-KiB", nginx=0.7, uvicorn=10.0),
    *_ratios("file of 64 KiB", "file-64-KiB", nginx=0.9),
    *_ratios("file of 1 MiB", "file-1-MiB", nginx=0.9),
    *_ratios("file of 100 MiB", "file-100-MiB", nginx=0.9),
    *_ratios("upload of 4 KiB", "upload-4-KiB", uvicorn=2.0, granian=1.0),
    *_ratios("upload of 1 MiB", "upload-1-MiB", uvicorn=2.0, granian=1.0),
    Target("10,000 idle connections", "idle.rate", f"{BY} without them", 0.9),
    Target("10,000 idle connections", "idle.bytes", "each", 1.5 * KIB, BYTES, at_most=True),
    Target("access log on", "log.rate", f"{BY} without it", 0.8),
    Target("hot, p99", "hot.p99.nginx", f"{BY} nginx's p99", 2.0, at_most=True),
    Target(ATTACKED, "attack.errors", "errors", 0, COUNT, at_most=True),
    Target(ATTACKED, "attack.p99", "p99", P99, SECONDS, at_most=True),
    Target(ATTACKED, "attack.CPU-idle", "of a core at rest", 0.05, at_most=True),
    Target(ATTACKED, "attack.CPU-after", "of a core afterwards", 0.05, at_most=True),
    Target(ATTACKED, "attack.memory-kept", "more afterwards", 16 * MIB, BYTES, at_most=True),
    Target(ATTACKED, "attack.descriptors-kept", "more descriptors", 0, COUNT, at_most=True),
)


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
