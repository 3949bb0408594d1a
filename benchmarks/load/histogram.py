"""A histogram of times, with buckets 2 % wide: percentiles are accurate to 1 %.

Its size is bounded (about 900 buckets from a microsecond to a minute) and histograms can be merged. The
results file contains the counts, from which all percentiles and charts are computed.
"""

import math
from collections import Counter
from collections.abc import Iterable, Iterator

WIDTH = math.log(1.02)
SMALLEST = 1e-6  # seconds; shorter times count as this


class Histogram:
    """Counts of times, given in seconds.

    >>> times = Histogram([0.001, 0.002, 0.003, 0.1])
    >>> times.count, round(times.percentile(0.5), 4), round(times.percentile(0.99), 2)
    (4, 0.002, 0.1)
    """

    __slots__ = ("buckets", "count")

    def __init__(self, times: Iterable[float] = ()) -> None:
        self.buckets: Counter[int] = Counter()
        self.count = 0
        for seconds in times:
            self.add(seconds)

    def add(self, seconds: float, times: int = 1) -> None:
        """Count a time, ``times`` times."""
        self.buckets[round(math.log(max(seconds, SMALLEST) / SMALLEST) / WIDTH)] += times
        self.count += times

    def merge(self, other: "Histogram") -> None:
        """Add the counts of another histogram."""
        self.buckets.update(other.buckets)
        self.count += other.count

    def percentile(self, share: float) -> float:
        """Return the percentile for a share from 0 to 1, in seconds; NaN if empty."""
        rank = math.ceil(share * self.count)
        for seconds, reached in self.cumulative():
            if reached >= rank:
                return seconds
        return math.nan

    def mean(self) -> float:
        """Return the mean in seconds; NaN if empty."""
        total = sum(_seconds(bucket) * times for bucket, times in self.buckets.items())
        return total / self.count if self.count else math.nan

    def cumulative(self) -> Iterator[tuple[float, int]]:
        """Yield each bucket's time in seconds, and the number of times up to it."""
        reached = 0
        for bucket in sorted(self.buckets):
            reached += self.buckets[bucket]
            yield _seconds(bucket), reached

    def to_json(self) -> list[list[int]]:
        """Return pairs of bucket number and count."""
        return [[bucket, self.buckets[bucket]] for bucket in sorted(self.buckets)]

    @classmethod
    def from_json(cls, pairs: list[list[int]]) -> "Histogram":
        """Return the histogram from pairs of bucket number and count."""
        histogram = cls()
        for bucket, times in pairs:
            histogram.buckets[bucket] += times
            histogram.count += times
        return histogram


def _seconds(bucket: int) -> float:
    return SMALLEST * math.exp(bucket * WIDTH)
