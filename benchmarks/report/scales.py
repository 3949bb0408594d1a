"""Scales: from values to places on a chart, and the ticks that are worth a line.

    Linear    from nothing to the greatest      memory, requests a second
    Log       by factors                        times, connections
    Tail      50, 90, 99, 99.9, 99.99 %         each as far from the next
    Ordinal   places that have names            0, 100, 1,000, 10,000 idle connections

Each is called with a value, and returns a place between ``start`` and ``end``. Nothing here draws.
"""

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

Tick = tuple[float, str]  # a value, and what is written there
Label = Callable[[float], str]


class Scale(Protocol):
    """What charts need of a scale."""

    def __call__(self, value: float) -> float:
        """Return the place of a value."""

    def ticks(self) -> list[Tick]:
        """Return the values that get a line, and their words."""


@dataclass(frozen=True)
class Linear:
    """From 0 to at least the greatest value; steps are round in multiples of the unit."""

    high: float
    start: float
    end: float
    label: Label
    unit: float = 1.0

    def __call__(self, value: float) -> float:
        """Return the place of a value."""
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
        """Return four or five round values, from 0 on."""
        count = round(self._top / self._step)
        return [(self._step * each, round_words(self.label(self._step * each))) for each in range(count + 1)]


@dataclass(frozen=True)
class Log:
    """From the least value to the greatest, both above 0, with a little room."""

    low: float
    high: float
    start: float
    end: float
    label: Label

    def __call__(self, value: float) -> float:
        """Return the place of a value; of one that is out of range, that of the nearest in it."""
        low, high = math.log10(self.low), math.log10(self.high)
        share = (math.log10(max(value, 1e-12)) - low) / ((high - low) or 1)
        return self.start + (self.end - self.start) * min(1.0, max(0.0, share))

    def ticks(self) -> list[Tick]:
        """Return powers of ten, with 2 and 5 between them when there are few."""
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
    """Return a scale for values above 0, of which there may be none, or but one."""
    known = [value for value in values if value > 0 and math.isfinite(value)] or [1.0]
    low, high = min(known), max(known)
    room = max(1.12, math.sqrt(3 * low / high))  # at least a factor of three in all
    return Log(low / room, high * room, start, end, label)


@dataclass(frozen=True)
class Tail:
    """Shares of all requests, from a half on: each further nine is as far."""

    start: float
    end: float
    furthest: float = 0.9999

    def __call__(self, value: float) -> float:
        """Return the place of a share."""
        low, high = _nines(0.5), _nines(self.furthest)
        return self.start + (self.end - self.start) * (_nines(value) - low) / (high - low)

    def ticks(self) -> list[Tick]:
        """Return the median, and each further nine."""
        shares = (0.5, 0.9, 0.99, 0.999, 0.9999)
        return [(each, f"{each * 100:g}%") for each in shares if each <= self.furthest]


def _nines(share: float) -> float:
    return -math.log10(1 - share)


@dataclass(frozen=True)
class Ordinal:
    """Values that are all there is, each as far from the next."""

    values: Sequence[float]
    start: float
    end: float
    label: Label

    def __call__(self, value: float) -> float:
        """Return the place of one of the values."""
        steps = max(1, len(self.values) - 1)
        return self.start + (self.end - self.start) * self.values.index(value) / steps

    def ticks(self) -> list[Tick]:
        """Return all of them."""
        return [(each, self.label(each)) for each in self.values]


def round_words(words: str) -> str:
    """Leave out what a round value need not say.

    >>> round_words("1.00 ms"), round_words("2.50"), round_words("10,000"), round_words("20.0 KiB")
    ('1 ms', '2.5', '10,000', '20 KiB')
    """
    return re.sub(r"\.?0+(?=\s|$)", "", words) if "." in words else words


def apart(places: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Move places as little as needed, so that none is nearer to the next than the gap.

    Neighbours that are too near share the way that they move: less one gap for each that is before it, a
    place may not lie before the one before it, and those that do take their mean.

    >>> apart([10, 12, 50], 10, 0, 60), apart([58, 59], 10, 0, 60)
    ([6.0, 16.0, 50.0], [50, 60])
    """
    order = sorted(range(len(places)), key=lambda index: places[index])
    blocks: list[tuple[float, int]] = []  # the sum, and how many there are
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
