"""Bar charts of rates, range charts of latencies, and rows of targets."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from benchmarks.report.markup import NOTHING, WIDTH, Markup, join, peer_class, picture, tag, text
from benchmarks.report.scales import Log, log_around
from benchmarks.results.statistics import FLOOR
from benchmarks.results.summary import Row
from benchmarks.results.tables import is_ours, spread
from benchmarks.results.targets import PASS, UNKNOWN, Verdict
from benchmarks.results.units import BY, format_figure, number, seconds

STEP, THICK = 24, 14  # height of a row, and of its bar
LABEL, BEGIN, END = 88, 94, 290
HEAD = 18

Span = tuple[str, str, Sequence[float]]  # label, peer, and p50, p99, p99.9 in seconds


def bars(name: str, title: str, rows: Sequence[Row]) -> Markup:
    """Draw requests per second of all peers, the fastest first, with whiskers for the range over rounds."""
    ordered = sorted(rows, key=lambda row: -row.rate.median)
    greatest = max((row.rate.high for row in rows), default=0) or 1
    description = "; ".join(f"{row.peer} {number(row.rate.median)} requests/s" for row in ordered)
    heads = text(BEGIN, 11, "requests/s", kind="axis"), text(WIDTH, 11, "reactor/peer", "end", "axis")
    drawn = (_bar(row, HEAD + STEP * index, greatest) for index, row in enumerate(ordered))
    return picture(name, title, description, HEAD + STEP * len(ordered), *heads, *drawn)


def _bar(row: Row, top: float, greatest: float) -> Markup:
    def place(value: float) -> float:
        return BEGIN + (END - BEGIN) * value / greatest

    middle, rate = top + STEP / 2, row.rate
    begin, length = middle - THICK / 2, max(1.0, place(rate.median) - BEGIN)
    against = f"{number(row.against.median)}{BY}" if row.against else ""
    return tag(
        "g",
        tag("title", f"{row.peer}: {number(rate.median)} requests/s, rounds {spread(rate)}"),
        text(LABEL, middle + 4, row.peer, "end", "label"),
        tag("rect", x=BEGIN, y=begin, width=length, height=THICK, rx=2),
        _whisker(place(rate.low), place(rate.high), middle) if rate.rounds > 1 else NOTHING,
        text(place(rate.high) + 7, middle + 4, number(rate.median), kind="value"),
        text(WIDTH, middle + 4, against, "end", "against"),
        class_=" ".join(_kinds(row.peer)),
    )


def _kinds(peer: str) -> Iterator[str]:
    yield "bar"
    yield peer_class(peer)
    if peer == FLOOR:
        yield "floor"
    if is_ours(peer):
        yield "ours"


def _whisker(low: float, high: float, middle: float) -> Markup:
    path = f"M{low:.1f} {middle - 3:.1f}v6M{low:.1f} {middle:.1f}H{high:.1f}M{high:.1f} {middle - 3:.1f}v6"
    return tag("path", d=path, class_="whisker")


@dataclass(frozen=True)
class Group:
    """Latency ranges under one heading."""

    heading: str
    spans: Sequence[Span]


def ranges(name: str, title: str, groups: Sequence[Group], bound: float | None = None) -> Markup:
    """Draw p50, p99 and p99.9 of each span on one time axis, and the bound (in seconds) as a line."""
    values = [each for group in groups for _, _, times in group.spans for each in times]
    left = max((7.4 * len(label) + 12 for group in groups for label, _, _ in group.spans), default=0.0)
    scale = log_around([*values, *([bound] if bound else [])], max(LABEL, left), WIDTH - 14, seconds)
    top, drawn = 40.0, []
    for group in groups:
        if group.heading:
            drawn.append(text(0, top + 14, group.heading, kind="heading"))
            top += STEP
        for span in group.spans:
            drawn.append(_span(span, top, scale))
            top += STEP
    words = "; ".join(
        f"{group.heading} {label}: {_tail(times)}" for group in groups for label, _, times in group.spans
    )
    axis = _key(), _time_axis(scale, top), _bound(bound, scale, top)
    return picture(name, title, words, top + 6, *axis, *drawn)


def _tail(times: Sequence[float]) -> str:
    return ", ".join(map(seconds, times))


def _span(span: Span, top: float, scale: Log) -> Markup:
    label, peer, times = span
    middle = top + STEP / 2
    p50, p99, p999 = (scale(each) for each in times)
    return tag(
        "g",
        tag("title", f"{label}: p50, p99, p99.9 {_tail(times)}"),
        text(scale.start - 8, middle + 4, label, "end", "label"),
        tag("line", x1=p50, x2=p999, y1=middle, y2=middle, class_="reach"),
        tag("line", x1=p50, x2=p50, y1=middle - 6, y2=middle + 6, class_="half"),
        tag("circle", cx=p99, cy=middle, r=5.5, class_="most"),
        tag("circle", cx=p999, cy=middle, r=4, class_="nearly-all"),
        class_=f"span {peer_class(peer)}",
    )


def _key() -> Markup:
    return tag(
        "g",
        tag("line", x1=6, x2=6, y1=3, y2=15, class_="half"),
        text(14, 13, "p50", kind="tick"),
        tag("circle", cx=58, cy=9, r=5.5, class_="most"),
        text(69, 13, "p99", kind="tick"),
        tag("circle", cx=112, cy=9, r=4, class_="nearly-all"),
        text(121, 13, "p99.9", kind="tick"),
        class_="span key",
    )


def _time_axis(scale: Log, bottom: float) -> Markup:
    return join(
        *(
            join(
                tag("line", x1=scale(value), x2=scale(value), y1=38, y2=bottom, class_="grid"),
                text(scale(value), 32, words, "middle", "tick"),
            )
            for value, words in scale.ticks()
        )
    )


def _bound(bound: float | None, scale: Log, bottom: float) -> Markup:
    if bound is None:
        return NOTHING
    return tag("line", x1=scale(bound), x2=scale(bound), y1=36, y2=bottom, class_="bound")


# Targets: one HTML row each, so that they wrap on a phone.

NARROW, MOST = 190, 4.0  # width of the picture in a row, and the largest factor it shows


def reached(verdict: Verdict) -> Markup:
    """Draw the figure relative to its target: the line in the middle is the target, right of it is better."""
    if verdict.result == UNKNOWN:
        return NOTHING
    scale = log_around([1 / MOST, MOST], 4, NARROW - 4, number)
    low, high = map(scale, verdict.range)
    kind = "met" if verdict.result == PASS else "missed"
    return tag(
        "svg",
        tag("line", x1=4, x2=NARROW - 4, y1=10, y2=10, class_="grid"),
        tag("line", x1=scale(1), x2=scale(1), y1=1, y2=19, class_="goal"),
        tag("line", x1=scale(1), x2=scale(verdict.reached), y1=10, y2=10, class_="stem"),
        tag("line", x1=low, x2=high, y1=10, y2=10, class_="reach"),
        tag("circle", cx=scale(verdict.reached), cy=10, r=5, class_="dot"),
        viewBox=f"0 0 {NARROW} 20",
        class_=f"reached {kind}",
        aria_hidden="true",
    )


def target_row(verdict: Verdict) -> Markup:
    """Return the row of one target: bound, figure, verdict."""
    figure = verdict.figure
    measured = f"{format_figure(figure.median, figure.unit)}" if figure else "-"
    bound = tag("span", verdict.target, class_="bound")
    rounds = spread(figure) if figure else ""
    kind = {PASS: "met", UNKNOWN: "unknown"}.get(verdict.result, "missed")
    return tag(
        "li",
        tag("span", tag("b", verdict.target.workload), " ", bound, class_="what"),
        reached(verdict),
        tag("span", tag("b", measured), " ", tag("small", rounds), class_="measured"),
        tag("span", verdict.words, class_=f"verdict {kind}"),
    )
