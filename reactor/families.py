"""Families: what a metric is, whoever counts it and however it is written."""

from bisect import bisect_left
from collections.abc import Sequence
from typing import NamedTuple

COUNTER, GAUGE, HISTOGRAM = "counter", "gauge", "histogram"

Labels = tuple[tuple[str, str], ...]


class Histogram:
    """Counts of values by their upper bounds; one more for those beyond."""

    __slots__ = ("bounds", "counts", "sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def add(self, value: float) -> None:
        """Count a value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value


Value = float | Histogram


class Family(NamedTuple):
    """All series of one name, with what it is, its unit ("" for none), and what it says."""

    name: str
    kind: str
    unit: str
    help: str
    series: list[tuple[Labels, Value]]
