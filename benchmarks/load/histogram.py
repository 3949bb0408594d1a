"""A histogram of times, with buckets 2 % wide: percentiles are accurate to 1 %.

Its size is bounded (about 900 buckets from a microsecond to a minute) and histograms can be merged. The
results file contains the counts, from which all percentiles and charts are computed.
"""

import math
from collections import Counter
from collections.abc import Iterable

WIDTH = math.log(1.02)
SMALLEST = 1e-6  # seconds; shorter times count as this


class Histogram:
    """Counts of times, given in seconds.

    >>> times = Histogram([0.001, 0.002, 0.003, 0.1])
    >>> times.count, round(times.percentile(0.5), 4), round(times.percentile(0.99), 2)
    (4, 0.002, 0.1)
    """

    __slots__ = ("buckets",)

    def __init__(self, times: Iterable[float] = ()) -> None:
        self.buckets: Counter[int] = Counter()
        for seconds in times:
            self.add(seconds)

    @property
    def count(self) -> int:
        """The number of times."""
        return self.buckets.total()

    def add(self, seconds: float, times: int = 1) -> None:
        """Count a time, ``times`` times."""
        self.buckets[round(math.log(max(seconds, SMALLEST) / SMALLEST) / WIDTH)] += times

    def merge(self, other: "Histogram") -> None:
        """Add the counts of another histogram."""
        self.buckets.update(other.buckets)

    def percentile(self, share: float) -> float:
        """Return the percentile for a share from 0 to 1, in seconds; NaN if empty."""
        rank = math.ceil(share * self.count)
        for bucket, times in sorted(self.buckets.items()):
            rank -= times
            if rank <= 0:
                return _seconds(bucket)
        return math.nan

    def mean(self) -> float:
        """Return the mean in seconds; NaN if empty."""
        total = sum(_seconds(bucket) * times for bucket, times in self.buckets.items())
        return total / self.count if self.count else math.nan

    def to_json(self) -> list[tuple[int, int]]:
        """Return pairs of bucket number and count."""
        return sorted(self.buckets.items())

    @classmethod
    def from_json(cls, pairs: Iterable[tuple[int, int]]) -> "Histogram":
        """Return the histogram from pairs of bucket number and count."""
        histogram = cls()
        histogram.buckets.update(dict(pairs))
        return histogram


def _seconds(bucket: int) -> float:
    return SMALLEST * math.exp(bucket * WIDTH)
