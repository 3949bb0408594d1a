"""Scales of charts: from values to coordinates, and their ticks.

    Linear    from 0 to the largest value       memory, requests per second
    Log       logarithmic                       times, connections
    Tail      50, 90, 99, 99.9, 99.99 %         equally spaced percentiles
    Ordinal   a fixed list of values            0, 100, 1,000, 10,000 idle connections

Each is called with a value and returns a coordinate between ``start`` and ``end``.
"""

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

Tick = tuple[float, str]  # value, label
Label = Callable[[float], str]


class Scale(Protocol):
    """The interface of all scales."""

    def __call__(self, value: float) -> float:
        """Return the coordinate of a value."""

    def ticks(self) -> list[Tick]:
        """Return the values and labels of the grid lines."""


@dataclass(frozen=True)
class Linear:
    """From 0 to at least the largest value, with round steps in multiples of the unit."""

    high: float
    start: float
    end: float
    label: Label
    unit: float = 1.0

    def __call__(self, value: float) -> float:
        """Return the coordinate of a value."""
        return self.start + (self.end - self.start) * value / self._top

    @property
    def _step(self) -> float:
        rough = (self.high or 1) / 4 / self.unit
        power = 10.0 ** math.floor(math.log10(rough))
        step = next(power * each for each in (1, 2, 2.5, 5, 10) if power * each >= rough * 0.999)
        return step * self.unit

    @property
    def _top(self) -> float:
        return self._step * math.ceil((self.high or 1) / self._step * 0.999)

    def ticks(self) -> list[Tick]:
        """Return four or five round values, starting at 0."""
        count = round(self._top / self._step)
        return [(self._step * each, round_words(self.label(self._step * each))) for each in range(count + 1)]


@dataclass(frozen=True)
class Log:
    """Logarithmic, from ``low`` to ``high``, both above 0."""

    low: float
    high: float
    start: float
    end: float
    label: Label

    def __call__(self, value: float) -> float:
        """Return the coordinate of a value, clamped to the range."""
        low, high = math.log10(self.low), math.log10(self.high)
        share = (math.log10(max(value, 1e-12)) - low) / ((high - low) or 1)
        return self.start + (self.end - self.start) * min(1.0, max(0.0, share))

    def ticks(self) -> list[Tick]:
        """Return powers of ten, with values between them on short ranges."""
        decades = math.log10(self.high / self.low)
        between = (1, 2, 5) if decades < 1.5 else (1, 3) if decades < 2.5 else (1,)
        powers = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
        values = [each * 10.0**power for power in powers for each in between]
        return [
            (each, round_words(self.label(each)))
            for each in values
            if self.low * 0.999 <= each <= self.high * 1.001
        ]


def log_around(values: Sequence[float], start: float, end: float, label: Label) -> Log:
    """Return a scale around the values above 0; works for one value, or none."""
    known = [value for value in values if value > 0 and math.isfinite(value)] or [1.0]
    low, high = min(known), max(known)
    room = max(1.12, math.sqrt(3 * low / high))  # the range covers at least a factor of three
    return Log(low / room, high * room, start, end, label)


@dataclass(frozen=True)
class Tail:
    """Shares of all requests from 50 %, spaced by the number of nines."""

    start: float
    end: float
    furthest: float = 0.9999

    def __call__(self, value: float) -> float:
        """Return the coordinate of a share."""
        low, high = _nines(0.5), _nines(self.furthest)
        return self.start + (self.end - self.start) * (_nines(value) - low) / (high - low)

    def ticks(self) -> list[Tick]:
        """Return the median and each further nine."""
        shares = (0.5, 0.9, 0.99, 0.999, 0.9999)
        return [(each, f"{each * 100:g}%") for each in shares if each <= self.furthest]


def _nines(share: float) -> float:
    return -math.log10(1 - share)


@dataclass(frozen=True)
class Ordinal:
    """A fixed list of values, equally spaced."""

    values: Sequence[float]
    start: float
    end: float
    label: Label

    def __call__(self, value: float) -> float:
        """Return the coordinate of one of the values."""
        steps = max(1, len(self.values) - 1)
        return self.start + (self.end - self.start) * self.values.index(value) / steps

    def ticks(self) -> list[Tick]:
        """Return all values."""
        return [(each, self.label(each)) for each in self.values]


def round_words(words: str) -> str:
    """Strip trailing zeros from the label of a round value.

    >>> round_words("1.00 ms"), round_words("2.50"), round_words("10,000"), round_words("20.0 KiB")
    ('1 ms', '2.5', '10,000', '20 KiB')
    """
    return re.sub(r"\.?0+(?=\s|$)", "", words) if "." in words else words


def apart(places: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Move coordinates as little as needed to keep them at least ``gap`` apart.

    Isotonic regression: with ``rank * gap`` subtracted, the sorted coordinates must not decrease; blocks of
    neighbours that do are replaced by their mean.

    >>> apart([10, 12, 50], 10, 0, 60), apart([58, 59], 10, 0, 60)
    ([6.0, 16.0, 50.0], [50, 60])
    """
    order = sorted(range(len(places)), key=lambda index: places[index])
    blocks: list[tuple[float, int]] = []  # sum and number of members
    for rank, index in enumerate(order):
        total, count = places[index] - rank * gap, 1
        while blocks and blocks[-1][0] / blocks[-1][1] > total / count:
            before = blocks.pop()
            total, count = total + before[0], count + before[1]
        blocks.append((total, count))
    means = [total / count for total, count in blocks for _ in range(count)]
    most = high - gap * (len(places) - 1)
    moved = {
        index: max(low, min(mean, most)) + rank * gap
        for rank, (index, mean) in enumerate(zip(order, means, strict=True))
    }
    return [moved[index] for index in range(len(places))]
