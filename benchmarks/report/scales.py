"""Scales of charts: from values to shares of an axis (0 to 1), and ticks."""

import math
import re
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

Label = Callable[[float], str]


class Scale(NamedTuple):
    """``place`` returns the share of the axis; ``ticks`` are values with labels."""

    place: Callable[[float], float]
    ticks: Sequence[tuple[float, str]] = ()


def linear(values: Sequence[float], label: Label, unit: float = 1.0) -> Scale:
    """Return a scale from 0 to at least the largest value, with round steps in multiples of the unit."""
    high = max(values, default=0) or 1
    rough = high / 4 / unit
    power = 10.0 ** math.floor(math.log10(rough))
    step = unit * next(power * each for each in (1, 2, 2.5, 5, 10) if power * each >= rough * 0.999)
    steps = math.ceil(high / step * 0.999)
    ticks = [(step * each, round_words(label(step * each))) for each in range(steps + 1)]
    return Scale(lambda value: value / (step * steps), ticks)


def log(values: Sequence[float], label: Label) -> Scale:
    """Return a logarithmic scale around the values above 0; its ticks are powers of ten, or closer."""
    known = [value for value in values if 0 < value < math.inf] or [1.0]
    room = max(1.12, math.sqrt(3 * min(known) / max(known)))  # the range covers at least a factor of three
    low, high = min(known) / room, max(known) * room
    decades = math.log10(high / low)
    between = (1, 2, 5) if decades < 1.5 else (1, 3) if decades < 2.5 else (1,)
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    steps = [each * 10.0**power for power in powers for each in between]
    ticks = [(each, round_words(label(each))) for each in steps if low <= each <= high]
    return Scale(lambda value: min(1, max(0, math.log10(max(value, low) / low) / decades)), ticks)


def ordinal(values: Sequence[float], label: Label) -> Scale:
    """Return a scale for these values only, equally spaced."""
    steps = max(1, len(values) - 1)
    return Scale(
        lambda value: values.index(value) / steps, [(each, round_words(label(each))) for each in values]
    )


def round_words(words: str) -> str:
    """Strip trailing zeros from the label of a round value.

    >>> round_words("1.00 ms"), round_words("2.50"), round_words("10,000"), round_words("20.0 KiB")
    ('1 ms', '2.5', '10,000', '20 KiB')
    """
    return re.sub(r"\.?0+(?=\s|$)", "", words) if "." in words else words


def apart(places: Sequence[float], gap: float, high: float) -> list[float]:
    """Move coordinates to keep them at least ``gap`` apart, in their order and at most at ``high``.

    >>> apart([10, 12, 50], 10, 60), apart([58, 59], 10, 60)
    ([10, 20, 50], [50, 60])
    """
    order = sorted(range(len(places)), key=lambda index: places[index])
    moved = list(places)
    for before, after in pairwise(order):
        moved[after] = max(moved[after], moved[before] + gap)
    for above, index in enumerate(reversed(order)):
        moved[index] = min(moved[index], high - gap * above)
    return moved
