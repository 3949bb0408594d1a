"""Charts: rows of marks in an HTML table, and lines in an SVG.

A scale is a function from a value to its share of the axis (0 to 1), with ticks.
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from benchmarks.report.markup import NOTHING, Markup, join, peer_class, tag
from benchmarks.results.statistics import OURS

Mark = tuple[str, float, float]  # CSS class, from, to
Series = Mapping[str, Sequence[tuple[str, float]]]  # points by peer: label on the horizontal axis, value

WIDTH, HEIGHT, LEFT, TOP, BOTTOM = 440, 260, 60, 12, 236  # of a line chart, in SVG units


class Scale(NamedTuple):
    """``place`` returns the share of the axis; ``ticks`` are values with labels."""

    place: Callable[[float], float]
    ticks: Sequence[tuple[float, str]] = ()


def log(values: Sequence[float], label: Callable[[float], str], unit: float = 1) -> Scale:
    """Return a logarithmic scale around the values above 0; its ticks are powers of ten units, or closer."""
    known = [value for value in values if 0 < value < math.inf] or [1.0]
    room = max(1.12, math.sqrt(3 * min(known) / max(known)))  # the range covers at least a factor of three
    low, high = min(known) / room, max(known) * room
    decades = math.log10(high / low)
    between = (1, 2, 5) if decades < 1.5 else (1, 3) if decades < 2.5 else (1,)
    powers = range(math.floor(math.log10(low / unit)), math.ceil(math.log10(high / unit)) + 1)
    steps = [each * unit * 10.0**power for power in powers for each in between]
    ticks = [(each, round_words(label(each))) for each in steps if low <= each <= high]
    return Scale(lambda value: min(1, max(0, math.log10(max(value, low) / low) / decades)), ticks)


def round_words(words: str) -> str:
    """Strip trailing zeros from the label of a round value.

    >>> round_words("1.00 ms"), round_words("2.50"), round_words("10,000"), round_words("20.0 KiB")
    ('1 ms', '2.5', '10,000', '20 KiB')
    """
    return re.sub(r"\.?0+(?=\s|$)", "", words) if "." in words else words


class Track(NamedTuple):
    """A row of a chart: a label, marks on the scale, and cells with figures."""

    label: str
    kind: str  # CSS class
    marks: Sequence[Mark]
    cells: Sequence[object]


def chart(heads: Sequence[str], rows: Sequence[Track], scale: Scale) -> Markup:
    """Draw rows of marks on one scale; ``heads`` are those of the cells."""
    axis = [tag("span", words, style=f"left:{scale.place(at) * 100:.1f}%") for at, words in scale.ticks]
    grid = [_mark(scale, "grid", at, at) for at, _ in scale.ticks]
    head = tag("th"), tag("th", tag("div", *axis, class_="axis")), *(tag("th", each) for each in heads)
    lines = [
        tag(
            "tr",
            tag("th", row.label, scope="row", title=row.label),
            tag("td", tag("div", *grid, *(_mark(scale, *each) for each in row.marks)), class_="track"),
            *(tag("td", each) for each in row.cells),
            class_=row.kind,
        )
        for row in rows
    ]
    return tag("table", tag("thead", tag("tr", *head)), tag("tbody", *lines), class_="chart")


def _mark(scale: Scale, kind: str, low: float, high: float) -> Markup:
    if not (math.isfinite(low) and math.isfinite(high)):
        return NOTHING
    begin, end = scale.place(low) * 100, scale.place(high) * 100
    return tag("i", class_=kind, style=f"left:{begin:.1f}%;width:{end - begin:.1f}%")


def lines(title: str, labels: Sequence[str], scale: Scale, series: Series) -> Markup:
    """Draw a line per peer above equally spaced labels; reactor is drawn last, in front."""
    step = (WIDTH - LEFT - 30) / max(1, len(labels) - 1)
    across = {label: round(LEFT + step * index) for index, label in enumerate(labels)}

    def up(value: float) -> int:
        return round(BOTTOM + (TOP - BOTTOM) * scale.place(value))

    def line(peer: str) -> Markup:
        places = [(across[label], up(value)) for label, value in series[peer]]
        dots = (tag("circle", cx=x, cy=y, r=3) for x, y in places)
        path = tag("polyline", points=" ".join(f"{x},{y}" for x, y in places))
        return tag("g", path, *dots, class_=peer_class(peer))

    grid = (tag("line", x1=LEFT, x2=WIDTH, y1=up(at), y2=up(at)) for at, _ in scale.ticks)
    rows = (tag("text", words, x=LEFT - 8, y=up(at) + 4, class_="row") for at, words in scale.ticks)
    columns = (tag("text", label, x=x, y=HEIGHT - 4) for label, x in across.items())
    drawn = map(line, sorted(series, key=lambda peer: peer == OURS))
    words = f"{title}; the figures are in the table of this section"
    svg = tag(
        "svg", *grid, *rows, *columns, *drawn, viewBox=f"0 0 {WIDTH} {HEIGHT}", role="img", aria_label=words
    )
    return join(
        tag("p", *(tag("span", tag("i"), peer, class_=peer_class(peer)) for peer in series), class_="key"),
        svg,
    )
