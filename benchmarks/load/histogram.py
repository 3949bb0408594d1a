"""A histogram of times: buckets two per cent wide, so that a percentile is right to one per cent.

However long a run, it stays small (a time from a microsecond to a minute falls into one of about
900 buckets), two of them add up, and the raw counts go into the results file, from which every
percentile and every chart can be made again. It knows no clock.
"""

import math
from collections import Counter
from collections.abc import Iterable, Iterator

WIDTH = math.log(1.02)
SMALLEST = 1e-6  # seconds; what is shorter counts as this


class Histogram:
    """Counts times, given in seconds.

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
        """Count a time, or the same one several times."""
        self.buckets[round(math.log(max(seconds, SMALLEST) / SMALLEST) / WIDTH)] += times
        self.count += times

    def merge(self, other: "Histogram") -> None:
        """Add what another one has counted."""
        self.buckets.update(other.buckets)
        self.count += other.count

    def percentile(self, share: float) -> float:
        """Return the seconds that a share of all times (0 to 1) does not exceed; NaN without any."""
        template = math.ceil(share * self.count)
        for seconds, reached in self.cumulative():
            if reached >= template:
                return seconds
        return math.nan

    def mean(self) -> float:
        """Return the mean in seconds; NaN without any."""
        total = sum(_seconds(bucket) * times for bucket, times in self.buckets.items())
        return total / self.count if self.count else math.nan

    def cumulative(self) -> Iterator[tuple[float, int]]:
        """Yield each bucket's seconds, and how many times are not longer."""
        reached = 0
        for bucket in sorted(self.buckets):
            reached += self.buckets[bucket]
            yield _seconds(bucket), reached

    def to_json(self) -> list[list[int]]:
        """Return the raw counts, as pairs of a bucket's number and its count."""
        return [[bucket, self.buckets[bucket]] for bucket in sorted(self.buckets)]

    @classmethod
    def from_json(cls, pairs: list[list[int]]) -> "Histogram":
        """Make one again from its raw counts."""
        histogram = cls()
        for bucket, times in pairs:
            histogram.buckets[bucket] += times
            histogram.count += times
        return histogram


def _seconds(bucket: int) -> float:
    return SMALLEST * math.exp(bucket * WIDTH)
