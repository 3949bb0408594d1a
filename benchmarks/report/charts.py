"""Charts: rows of marks in an HTML table, and lines in an SVG."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from benchmarks.report.markup import NOTHING, Markup, peer_class, tag, text
from benchmarks.report.scales import Scale, apart
from benchmarks.results.statistics import OURS

Mark = tuple[str, float, float]  # CSS class, from, to
Series = Mapping[str, Sequence[tuple[float, float]]]  # points (x, y) by peer

# Of a line chart, in SVG units; the names of the lines are right of it.
WIDTH, HEIGHT = 440, 280
LEFT, TOP, BOTTOM = 56, 26, 238
CHARACTER, LONGEST = 8.2, 18  # width of a character, and number of characters of a name
GAP = 14  # between two names


class Track(NamedTuple):
    """A row of a chart: a label, marks on the scale, and cells with figures."""

    label: str
    kind: str  # CSS class
    marks: Sequence[Mark]
    cells: Sequence[object]


def tracks(heads: Sequence[str], rows: Sequence[Track], scale: Scale) -> Markup:
    """Draw rows of marks on one scale; ``heads`` are those of the cells."""
    axis = [tag("span", words, style=f"left:{scale.place(at) * 100:.1f}%") for at, words in scale.ticks]
    grid = [_mark(scale, "grid", at, at) for at, _ in scale.ticks]
    shown = tag("th"), tag("th", tag("div", *axis, class_="axis")), *(tag("th", each) for each in heads)
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
    return tag("table", tag("thead", tag("tr", *shown)), tag("tbody", *lines), class_="tracks")


def _mark(scale: Scale, kind: str, low: float, high: float) -> Markup:
    if not (math.isfinite(low) and math.isfinite(high)):
        return NOTHING
    begin, end = sorted((scale.place(low) * 100, scale.place(high) * 100))
    return tag("i", class_=kind, style=f"left:{begin:.1f}%;width:{end - begin:.1f}%")


def lines(axes: tuple[str, str], scales: tuple[Scale, Scale], series: Series) -> Markup:
    """Draw a line per peer, with its name at the end."""
    drawn = {peer: points for peer, points in series.items() if points}
    right = WIDTH - 15 - CHARACTER * max((len(_shortened(peer)) for peer in drawn), default=0)

    def across(x: float) -> float:
        return LEFT + (right - LEFT) * scales[0].place(x)

    def up(y: float) -> float:
        return BOTTOM + (TOP - BOTTOM) * scales[1].place(y)

    def line(peer: str, height: float) -> Markup:
        places = [(across(x), up(y)) for x, y in drawn[peer]]
        x, y = places[-1]
        return tag(
            "g",
            tag("polyline", points=_points(places), class_="line"),
            *(tag("circle", cx=x, cy=y, r=3) for x, y in places),
            tag(
                "polyline",
                points=_points([(x + 4, y), (right + 8, height), (right + 12, height)]),
                class_="lead",
            ),
            text(right + 15, height + 4, _shortened(peer), kind="name"),
            class_=f"series {peer_class(peer)}",
        )

    grid = [
        tag("line", x1=LEFT, x2=right, y1=up(value), y2=up(value), class_="grid")
        for value, _ in scales[1].ticks
    ]
    heights = apart([up(points[-1][1]) for points in drawn.values()], GAP, BOTTOM + GAP)
    several = sorted(zip(drawn, heights, strict=True), key=lambda each: each[0] == OURS)
    return tag(
        "svg",
        *(*grid, text(4, 12, axes[1]), text((LEFT + right) / 2, HEIGHT - 6, axes[0], "middle")),
        *(text(LEFT - 6, up(value) + 4, words, "end") for value, words in scales[1].ticks),
        *(text(across(value), BOTTOM + 17, words, "middle") for value, words in scales[0].ticks),
        *(line(*each) for each in several),  # reactor is drawn last, in front
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        role="img",
        aria_label=f"{axes[1]} by {axes[0]}; the figures are in the table of this section",
        class_="chart",
    )


def _points(places: Iterable[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in places)


def _shortened(peer: str) -> str:
    return peer if len(peer) <= LONGEST else f"{peer[: LONGEST - 1]}…"
