"""The report's section on each question: its charts, failed requests, and tables."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

from benchmarks.report.charts import Track, lines, tracks
from benchmarks.report.markup import NOTHING, Markup, join, peer_class, tag
from benchmarks.report.scales import Scale, linear, log, ordinal, tail
from benchmarks.results.checks import PASS, WARN, shortened
from benchmarks.results.samples import Run
from benchmarks.results.statistics import OURS, Row, grouped, rows
from benchmarks.results.tables import SHOWN, Table, failures, tables
from benchmarks.results.targets import P99
from benchmarks.results.units import BY, MIB, byte_size, number, seconds, share

OPEN = "open loop: a fixed rate, each request timed from when it was due"
CLOSED = "closed loop: each connection sends its next request after the response"
CURVE = [1 - 10 ** (-step / 12) for step in range(4, 49)]  # shares from about 54 % to 99.99 %
SPAN = {"half": 0.5, "most": 0.99, "nearly-all": 0.999}  # percentiles by CSS class

Draw = Callable[[str, Sequence[Row], Sequence[Row]], Markup]  # title, rows of a chart, all rows


class Charts(NamedTuple):
    """The charts of a question: one for each group of rows. Groups without a name have no chart."""

    title: str  # {} is the name of the group
    group: Callable[[Row], str]
    draw: Draw
    note: str = ""


def bars(_title: str, some: Sequence[Row], _everything: Sequence[Row]) -> Markup:
    """Draw requests per second of all peers, the fastest first, with the range over rounds."""
    highest = max(row.rate.high for row in some) or 1
    drawn = [
        Track(
            row.peer,
            peer_class(row.peer),
            [("bar", 0, row.rate.median), ("whisker", row.rate.low, row.rate.high)],
            (row.rate, f"{row.against}{BY}" if row.against else ""),
        )
        for row in sorted(some, key=lambda row: -row.rate.median)
    ]
    return tracks(("requests/s", "reactor/peer"), drawn, Scale(lambda rate: rate / highest))


def curves(title: str, some: Sequence[Row], _everything: Sequence[Row]) -> Markup:
    """Draw latency by percentile, up to the highest share with requests beyond it."""
    series = {
        row.peer: [
            (each, row.latency.percentile(each)) for each in CURVE if row.latency.count * (1 - each) >= 1
        ]
        for row in some
    }
    points = [point for line in series.values() for point in line]
    scales = tail(max((x for x, _ in points), default=0.99)), log([y for _, y in points], seconds)
    return lines(title, ("share of requests", "response time at most"), scales, series)


def spans(label: Callable[[Row], str], *bounds: float) -> Draw:
    """Return a function that draws p50, p99 and p99.9 of each row, and bounds in seconds."""

    def track(row: Row) -> Track:
        p50, p99, p999 = (row.latency.percentile(at) for at in SPAN.values())
        marks = [("reach", p50, p999), ("half", p50, p50), ("most", p99, p99), ("nearly-all", p999, p999)]
        limits = [("bound", each, each) for each in bounds]
        return Track(label(row), peer_class(row.peer), [*limits, *marks], [seconds(p99)])

    def draw(_title: str, some: Sequence[Row], everything: Sequence[Row]) -> Markup:
        times = [row.latency.percentile(at) for row in everything for at in SPAN.values()]
        key = [tag("span", tag("i", class_=kind), f"p{at * 100:g}") for kind, at in SPAN.items()]
        chart = tracks(("p99",), [*map(track, some)], log([*bounds, *times], seconds))
        return join(tag("p", *key, class_="key"), chart)

    return draw


# Line charts: the label of the axis, the value of a row, and the scale for the values.
_RATES, _TIMES = partial(linear, label=number), partial(log, label=seconds)
MEASURES: dict[str, tuple[str, Callable[[Row], float], Callable[[list[float]], Scale]]] = {
    "Throughput": ("requests/s", lambda row: row.rate.median, _RATES),
    "Median latency": ("p50", lambda row: row.latency.percentile(0.5), _TIMES),
    "p99": ("p99", lambda row: row.latency.percentile(0.99), _TIMES),
    "Memory": ("resident", lambda row: row.resident, partial(linear, label=byte_size, unit=MIB)),
}


def along(measure: str, axis: str) -> Charts:
    """Return a chart of a measure against the question's axis; throughput has a band: reactor's range."""
    words, value, scale = MEASURES[measure]

    def draw(title: str, some: Sequence[Row], _everything: Sequence[Row]) -> Markup:
        across = ordinal(sorted({row.cell.x or 0.0 for row in some}), number)
        series = {
            peer: [(row.cell.x or 0.0, value(row)) for row in group if value(row) > 0]
            for peer, group in grouped(some, lambda row: row.peer).items()
        }
        ours = [row for row in some if row.peer == OURS and measure == "Throughput"]
        band = [(row.cell.x or 0.0, row.rate.low, row.rate.high) for row in ours]
        values = [y for line in series.values() for _, y in line] + [high for *_, high in band]
        return lines(title, (axis, words), (across, scale(values)), series, band)

    return Charts(f"{measure} by {axis}", lambda _: measure, draw)


def workload(row: Row) -> str:
    """Group rows by workload."""
    return row.cell.workload


def full_load(row: Row) -> str:
    """Group the rows of the workload "hot"; the others have no chart."""
    return "hot" if row.cell.workload == "hot" else ""


CHARTS = {
    "rates": Charts("{}", workload, bars),
    "latency at full load": Charts("Latency at full load", full_load, curves, CLOSED),
    "latency by load": Charts("At {} of capacity", lambda row: share(row.cell.x or 0), curves, OPEN),
    "small requests": Charts("Small requests {}", workload, spans(lambda row: row.peer)),
    "honest clients": Charts(
        "Honest clients during each attack",
        *(lambda _: "attack", spans(workload, P99), f"the dashed line is {seconds(P99)}, the target for p99"),
    ),
}


def section(run: Run, question: str) -> Markup:
    """Return the section of a question."""
    shown = SHOWN[question]
    kinds = [CHARTS[name] if name in CHARTS else along(*name.split(" by ")) for name in shown.charts]
    some = rows(run, question)
    groups = [(kind, *item) for kind in kinds for item in grouped(some, kind.group).items()]
    cards = [card(kind, name, shown.notes.get(name, ""), group, some) for kind, name, group in groups if name]
    failed = failures(some)
    return tag(
        "section",
        tag("h2", shown.title),
        tag("p", shown.question, class_="lead"),
        tag("p", f"Failed requests: {shortened(failed)}", class_="beware") if failed else NOTHING,
        tag("div", *cards, class_="cards"),
        tag("details", tag("summary", "Figures as a table"), *map(html_table, tables(run, question))),
        id=question,
    )


def card(kind: Charts, name: str, note: str, some: Sequence[Row], everything: Sequence[Row]) -> Markup:
    """Return a chart with its title and note."""
    title, note = kind.title.format(name), kind.note or note
    words = tag("figcaption", tag("h3", title), tag("p", note) if note else NOTHING)
    return tag("figure", words, kind.draw(title, some, everything), class_="card")


def html_table(table: Table) -> Markup:
    """Return an HTML table that scrolls horizontally."""
    results = {PASS: "met", WARN: "missed"}

    def line(kind: str, words: Sequence[str]) -> Markup:
        sided = zip(words, table.sides, strict=True)
        return tag("tr", *(tag(kind, word, class_=results.get(word, side)) for word, side in sided))

    body = [line("td", words) for words in table.lines]
    parts = tag("caption", table.title), tag("thead", line("th", table.heads)), tag("tbody", *body)
    content = tag("table", *parts, class_="figures")
    note = tag("p", table.note) if table.note else NOTHING
    return tag("div", content, note, class_="scroll", tabindex=0, role="region", aria_label=table.title)
