"""The report's section on each question: its charts, failed requests, and tables."""

import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

from benchmarks.report.charts import Track, lines, tracks
from benchmarks.report.markup import NOTHING, Markup, join, peer_class, tag
from benchmarks.report.scales import Scale, linear, log, ordinal
from benchmarks.results.checks import PASS, WARN, shortened
from benchmarks.results.samples import Run
from benchmarks.results.statistics import Row, grouped, rows
from benchmarks.results.tables import SHOWN, Table, failures, tables
from benchmarks.results.targets import MISSED, P99
from benchmarks.results.units import BY, MIB, byte_size, number, seconds, share

OPEN = "open loop: a fixed rate, each request timed from when it was due"
SPAN = {"half": 0.5, "most": 0.99, "nearly-all": 0.999}  # percentiles by CSS class

Draw = Callable[[Sequence[Row], Sequence[Row]], Markup]  # of the rows of a chart, and all rows


class Charts(NamedTuple):
    """Charts of a question: one for each group of rows."""

    title: str  # {} is the name of the group
    group: Callable[[Row], str]
    draw: Draw
    note: str = ""


def bars(some: Sequence[Row], _everything: Sequence[Row]) -> Markup:
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


def spans(label: Callable[[Row], str], *bounds: float) -> Draw:
    """Return a function that draws p50, p99 and p99.9 of each row, and bounds in seconds."""

    def track(row: Row) -> Track:
        p50, p99, p999 = (row.latency.percentile(at) for at in SPAN.values())
        marks = [("reach", p50, p999), ("half", p50, p50), ("most", p99, p99), ("nearly-all", p999, p999)]
        limits = [("bound", each, each) for each in bounds]
        return Track(label(row), peer_class(row.peer), [*limits, *marks], [seconds(p99)])

    def draw(some: Sequence[Row], everything: Sequence[Row]) -> Markup:
        times = [row.latency.percentile(at) for row in everything for at in SPAN.values()]
        key = [tag("span", tag("i", class_=kind), f"p{at * 100:g}") for kind, at in SPAN.items()]
        chart = tracks(("p99",), [*map(track, some)], log([*bounds, *times], seconds))
        return join(tag("p", *key, class_="key"), chart)

    return draw


def along(
    axis: str, measure: str, value: Callable[[Row], float], scale: Callable[[list[float]], Scale]
) -> Charts:
    """Return a line chart of a measure against the question's axis."""

    def draw(some: Sequence[Row], _everything: Sequence[Row]) -> Markup:
        across = ordinal(sorted({row.cell.x or 0.0 for row in some}), number)
        series = {
            peer: [(row.cell.x or 0.0, value(row)) for row in group if value(row) > 0]
            for peer, group in grouped(some, peer_of).items()
        }
        values = [y for line in series.values() for _, y in line]
        return lines((axis, measure), (across, scale(values)), series)

    return Charts(f"{measure} by {axis}", lambda _: axis, draw)


def peer_of(row: Row) -> str:
    """Return the peer of a row."""
    return row.peer


def workload(row: Row) -> str:
    """Return the workload of a row."""
    return row.cell.workload


def p50(row: Row) -> float:
    """Return the median response time of a row."""
    return row.latency.percentile(0.5)


def p99(row: Row) -> float:
    """Return the 99th percentile of the response times of a row."""
    return row.latency.percentile(0.99)


RATES, TIMES = partial(linear, label=number), partial(log, label=seconds)
SIZES = partial(linear, label=byte_size, unit=MIB)
CHARTS = {  # of each question; the others have bars
    "latency": [Charts("At {} of capacity", lambda row: share(row.cell.x or 0), spans(peer_of), OPEN)],
    "concurrency": [
        along("connections", "Requests/s", lambda row: row.rate.median, RATES),
        along("connections", "p50", p50, TIMES),
        along("connections", "p99", p99, TIMES),
    ],
    "idle": [
        along("idle connections", "Memory", lambda row: row.resident, SIZES),
        along("idle connections", "p99", p99, TIMES),
    ],
    "fairness": [Charts("Small requests {}", workload, spans(peer_of))],
    "attack": [
        Charts(
            "Honest clients during each attack",
            *(
                lambda _: "attack",
                spans(workload, P99),
                f"the dashed line is {seconds(P99)}, the target for p99",
            ),
        )
    ],
}


def section(run: Run, question: str) -> Markup:
    """Return the section of a question."""
    shown = SHOWN[question]
    some = rows(run, question)
    cards = [
        card(charts, name, shown.notes.get(name, ""), group, some)
        for charts in CHARTS.get(question, [Charts("{}", workload, bars)])
        for name, group in grouped(some, charts.group).items()
    ]
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


def card(charts: Charts, name: str, note: str, some: Sequence[Row], everything: Sequence[Row]) -> Markup:
    """Return a chart with its title and note."""
    words = tag("h3", charts.title.format(name)), tag("p", charts.note or note)
    return tag("figure", tag("figcaption", *words), charts.draw(some, everything), class_="card")


def html_table(table: Table) -> Markup:
    """Return an HTML table that scrolls horizontally."""
    results = {PASS: "met", WARN: "missed", MISSED: "missed"}

    def line(kind: str, words: Sequence[str]) -> Markup:
        sided = zip(words, table.sides, strict=True)
        return tag(
            "tr",
            *(tag(kind, word, class_=results.get(re.split("[ ,]", word)[0], side)) for word, side in sided),
        )

    body = [line("td", words) for words in table.lines]
    parts = tag("caption", table.title), tag("thead", line("th", table.heads)), tag("tbody", *body)
    content = tag("table", *parts, class_="figures")
    note = tag("p", table.note) if table.note else NOTHING
    return tag("div", content, note, class_="scroll", tabindex=0, role="region", aria_label=table.title)
