"""The report's section on each question: its charts, failed requests, and tables."""

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from benchmarks.report.charts import Scale, Track, chart, lines, log
from benchmarks.report.markup import NOTHING, Markup, join, peer_class, tag
from benchmarks.results.checks import PASS, WARN
from benchmarks.results.samples import Run
from benchmarks.results.statistics import COMPARISONS, Row, grouped, rows
from benchmarks.results.tables import COLUMNS, SHOWN, Table, failures, tables
from benchmarks.results.targets import MISSED, P99
from benchmarks.results.units import BY, MIB, byte_size, number, seconds

OPEN = "open loop: a fixed rate, each request timed from when it was due"
DASHED = f"the dashed line is {seconds(P99)}, the target for p99"
SPAN = {"half": 0.5, "most": 0.99, "nearly-all": 0.999}  # percentiles by CSS class

Label = Callable[[Row], str]
Draw = Callable[[Label, Sequence[Row], Sequence[Row]], Markup]  # label and rows of a chart, all rows


class Kind(NamedTuple):
    """A chart for each group of a question's rows; groups and labels are columns of its tables."""

    question: str
    group: str
    label: str  # of each row
    title: str  # {} is the name of the group
    draw: Draw
    note: str = ""


def bars(label: Label, some: Sequence[Row], _everything: Sequence[Row]) -> Markup:
    """Draw requests per second, the highest first, with the range over rounds."""
    highest = max(row.rate.high for row in some) or 1
    drawn = []
    for row in sorted(some, key=lambda row: -row.rate.median):
        marks = [("bar", 0, row.rate.median), ("whisker", row.rate.low, row.rate.high)]
        cells = row.rate, f"{row.against}{BY}" if row.against else ""
        drawn.append(Track(label(row), peer_class(row.peer), marks, cells))
    return chart(("requests/s", "reactor/peer"), drawn, Scale(lambda rate: rate / highest))


def along(
    measure: str, value: Callable[[Row], float], words: Callable[[float], str], unit: float = 1
) -> Draw:
    """Return a function that draws a value of each peer along the question's axis."""

    def draw(label: Label, some: Sequence[Row], _everything: Sequence[Row]) -> Markup:
        known = [row for row in some if value(row) > 0]
        peers = grouped(known, COLUMNS["peer"][1])
        series = {peer: [(label(row), value(row)) for row in group] for peer, group in peers.items()}
        scale = log([*map(value, known)], words, unit)
        return lines(
            f"{measure}, {some[0].cell.question}", list(dict.fromkeys(map(label, some))), scale, series
        )

    return draw


def spans(label: Label, some: Sequence[Row], everything: Sequence[Row]) -> Markup:
    """Draw p50, p99 and p99.9 of each row; under attack also the target."""
    drawn, bounds = [], [P99] if some[0].cell.question == "attack" else []
    for row in some:
        p50, p99, p999 = (row.latency.percentile(at) for at in SPAN.values())
        marks = [("reach", p50, p999), ("half", p50, p50), ("most", p99, p99), ("nearly-all", p999, p999)]
        limits = [("bound", each, each) for each in bounds]
        drawn.append(Track(label(row), peer_class(row.peer), [*limits, *marks], [seconds(p99)]))
    times = [row.latency.percentile(at) for row in everything for at in SPAN.values()]
    key = [tag("span", tag("i", class_=kind), f"p{at * 100:g}") for kind, at in SPAN.items()]
    return join(tag("p", *key, class_="key"), chart(("p99",), drawn, log([*bounds, *times], seconds)))


RATES = along("Requests per second", lambda row: row.rate.median, number)
MEMORY = along("Memory", lambda row: row.memory.median if row.memory else 0, byte_size, MIB)
TIMES = along("p99", lambda row: row.latency.percentile(0.99), seconds)
KINDS = [
    Kind("latency", "of capacity", "peer", "At {} of capacity", spans, OPEN),
    Kind("concurrency", "situation", "connections", "Requests per second by connections", RATES),
    Kind("concurrency", "situation", "connections", "p99 by connections", TIMES),
    Kind("idle", "situation", "idle", "Memory by idle connections", MEMORY),
    Kind("idle", "situation", "idle", "p99 by idle connections", TIMES),
    Kind("fairness", "situation", "peer", "Small requests {}", spans),
    Kind("attack", "peer", "situation", "Honest clients during each attack", spans, DASHED),
    *(Kind(question, "situation", "peer", "{}", bars) for question in COMPARISONS),
]


def section(run: Run, question: str) -> Markup:
    """Return the section of a question."""
    shown, some, notes = SHOWN[question], rows(run, question), SHOWN[question].notes
    kinds = [each for each in KINDS if each.question == question]
    cards = [
        tag(
            "figure",
            tag("figcaption", tag("h3", kind.title.format(name)), tag("p", kind.note or notes.get(name, ""))),
            kind.draw(COLUMNS[kind.label][1], group, some),
            class_="card",
        )
        for name, group in grouped(some, COLUMNS[kinds[0].group][1]).items()
        for kind in kinds
    ]
    failed = failures(some)
    return tag(
        "section",
        tag("h2", shown.title),
        tag("p", shown.question, class_="lead"),
        tag("p", f"Failed requests: {'; '.join(failed)}", class_="beware") if failed else NOTHING,
        tag("div", *cards, class_="cards"),
        tag("details", tag("summary", "Figures as a table"), *map(html_table, tables(run, question))),
        id=question,
    )


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
    shown = tag("table", *parts, class_="figures")
    return tag("div", shown, class_="scroll", tabindex=0, role="region", aria_label=table.title)
