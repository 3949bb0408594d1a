"""Line charts: one line per peer, labelled at its end, with reactor in colour and in front."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from benchmarks.report.markup import NOTHING, Markup, join, peer_class, picture, tag, text
from benchmarks.report.scales import Scale, apart
from benchmarks.results.statistics import OURS

HEIGHT = 280
LEFT, RIGHT, TOP, BOTTOM = 56, 352, 26, 238
GAP = 13  # between two labels
DOTS = 12  # lines with at most this many points get dots


@dataclass(frozen=True)
class Series:
    """The points of one peer; ``low`` and ``high`` are the range over rounds, or empty."""

    peer: str
    points: Sequence[tuple[float, float]]
    low: Sequence[float] = field(default_factory=tuple)
    high: Sequence[float] = field(default_factory=tuple)


@dataclass(frozen=True)
class Chart:
    """A line chart; ``x`` and ``y`` are the labels of the axes."""

    name: str  # unique in the page
    title: str
    description: str
    x: str
    y: str
    series: Sequence[Series]
    across: Scale
    up: Scale


def draw(chart: Chart) -> Markup:
    """Return the chart as SVG."""
    # reactor comes last, in front of the others.
    ordered = sorted(chart.series, key=lambda series: series.peer == OURS)
    lines = (_line(chart, series) for series in ordered if series.points)
    return picture(chart.name, chart.title, chart.description, HEIGHT, _axes(chart), *lines, _names(chart))


def _axes(chart: Chart) -> Markup:
    across, up = chart.across, chart.up
    rows = [
        join(
            tag("line", x1=LEFT, x2=RIGHT, y1=up(value), y2=up(value), class_="grid"),
            text(LEFT - 6, up(value) + 4, words, "end", "tick"),
        )
        for value, words in up.ticks()
    ]
    columns = [
        join(
            tag("line", x1=across(value), x2=across(value), y1=BOTTOM, y2=BOTTOM + 4, class_="grid"),
            text(across(value), BOTTOM + 17, words, "middle", "tick"),
        )
        for value, words in across.ticks()
    ]
    below = text((LEFT + RIGHT) / 2, HEIGHT - 6, chart.x, "middle", "axis")
    return join(*rows, *columns, text(4, 12, chart.y, kind="axis"), below)


def _line(chart: Chart, series: Series) -> Markup:
    places = [(chart.across(x), chart.up(y)) for x, y in series.points]
    dots = (tag("circle", cx=x, cy=y, r=3) for x, y in places) if len(places) <= DOTS else ()
    line = tag("polyline", points=_points(places), class_="line")
    return tag("g", _band(chart, series), line, *dots, class_=f"series {peer_class(series.peer)}")


def _band(chart: Chart, series: Series) -> Markup:
    """Fill the range over rounds, for reactor only, to keep the chart readable."""
    if series.peer != OURS or len(series.low) != len(series.points):
        return NOTHING
    across = [chart.across(x) for x, _ in series.points]
    above = [(x, chart.up(y)) for x, y in zip(across, series.high, strict=True)]
    below = [(x, chart.up(y)) for x, y in zip(across, series.low, strict=True)]
    return tag("polygon", points=_points([*above, *reversed(below)]), class_="band")


def _points(places: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in places)


def _names(chart: Chart) -> Markup:
    """Label each line at its end, without overlaps."""
    drawn = [series for series in chart.series if series.points]
    ends = [(chart.across(series.points[-1][0]), chart.up(series.points[-1][1])) for series in drawn]
    heights = apart([y for _, y in ends], GAP, TOP, BOTTOM + GAP)
    return join(
        *(
            _name(series.peer, x + 4, y, height)
            for series, (x, y), height in zip(drawn, ends, heights, strict=True)
        )
    )


def _name(peer: str, x: float, y: float, height: float) -> Markup:
    """Write a label, connected to the end of its line."""
    lead = tag("polyline", points=_points([(x, y), (RIGHT + 8, height), (RIGHT + 12, height)]), class_="lead")
    return join(lead, text(RIGHT + 15, height + 4, peer, kind=f"name {peer_class(peer)}"))


def finite(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return the points that any scale can draw: finite and above 0."""
    return [(x, y) for x, y in points if 0 < y < math.inf]
