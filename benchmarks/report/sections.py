"""The report's section on each question: charts, each with its figures as a table."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from benchmarks.questions import question_text
from benchmarks.report import bars
from benchmarks.report.bars import Group
from benchmarks.report.lines import BOTTOM, LEFT, RIGHT, TOP, Chart, Series, draw, finite
from benchmarks.report.markup import NOTHING, Markup, join, tag
from benchmarks.report.scales import Label, Linear, Ordinal, Scale, Tail, log_around
from benchmarks.results.samples import Run
from benchmarks.results.statistics import OURS
from benchmarks.results.summary import Row, summarize
from benchmarks.results.tables import COLUMNS, COMPARISON, Table, by_workload, table_of
from benchmarks.results.tables import RIGHT as TO_THE_RIGHT
from benchmarks.results.targets import P99
from benchmarks.results.units import MIB, byte_size, number, seconds, share, slug

TITLES = {
    "throughput": "Throughput",
    "latency": "Latency by percentile",
    "concurrency": "From 1 to 10,000 connections",
    "idle": "Idle connections",
    "fairness": "Fairness",
    "files": "Files",
    "compression": "Compression",
    "watching": "Cost of observing",
    "attack": "Under attack",
}
NOTES = {
    "hot": "GET /echo/abc with wrk's short request head",
    "browser": "the same with a browser's eight header fields",
    "varied": "a browser's head, with a new path and X-Request-Id in each request",
    "pipelined": "16 pipelined requests per connection",
    "new connection": "one request per connection",
    "gzip same": "1,000 bytes, the same text in each request",
    "watched": "GET /echo/abc: explained (--explain), traced (--trace), inspected (--inspect)",
    "gzip different": "1,000 bytes, a new text in each request",
    "file 100 MiB": "eight connections",
}
OPEN = "open loop: a fixed rate, each request timed from when it was due"
CLOSED = "closed loop: each connection sends its next request after the response"
CURVE = [1 - 10 ** (-step / 12) for step in range(4, 49)]  # shares from about 54 % to 99.99 %
TIMES = (0.5, 0.99, 0.999)

Value = Callable[[Row], float]


# Parts of sections.


def section(question: str, *parts: Markup) -> Markup:
    """Return a section, or nothing if the question was not measured."""
    if not any(parts):
        return NOTHING
    heading = tag("h2", TITLES[question])
    return tag("section", heading, tag("p", question_text(question), class_="lead"), *parts, id=question)


def cards(*several: Markup) -> Markup:
    """Arrange figures side by side, as many as fit."""
    return tag("div", *several, class_="cards") if any(several) else NOTHING


def card(title: str, note: str, picture: Markup, table: Table | None = None) -> Markup:
    """Return a picture with its title and, folded, its table."""
    words = tag("figcaption", tag("h3", title), tag("p", note) if note else NOTHING)
    return tag("figure", words, picture, folded(table) if table else NOTHING, class_="card")


def folded(table: Table, summary: str = "Figures as a table") -> Markup:
    """Return a collapsed table."""
    return tag("details", tag("summary", summary), html_table(table))


def html_table(table: Table) -> Markup:
    """Return an HTML table that scrolls horizontally."""
    kinds = ["number" if side == TO_THE_RIGHT else None for side in table.sides]
    heads = [tag("th", head, scope="col", class_=kind) for head, kind in zip(table.heads, kinds, strict=True)]
    lines = (
        tag("tr", *(tag("td", word, class_=kind) for word, kind in zip(line, kinds, strict=True)))
        for line in table.lines
    )
    body = tag("table", tag("thead", tag("tr", *heads)), tag("tbody", *lines))
    return tag("div", body, class_="scroll", tabindex=0, role="region", aria_label=table.title or "figures")


# Throughput, files, compression.


def comparison(run: Run, question: str) -> Markup:
    """Return a bar chart per workload."""
    several = [
        card(
            name,
            NOTES.get(name, ""),
            bars.bars(slug(f"bars {question} {name}"), f"Requests per second, {name}", some),
            table_of(f"{question}: {name}", COMPARISON, some),
        )
        for name, some in by_workload(summarize(run, question)).items()
    ]
    return section(question, cards(*several))


# Latency by percentile.


def latency(run: Run) -> Markup:
    """Return latency curves at each share of the capacity, and under full load."""
    by_share: dict[float, list[Row]] = {}
    for row in summarize(run, "latency"):
        by_share.setdefault(row.cell.x or 0, []).append(row)
    several = [curves(f"At {share(x)} of capacity", OPEN, some) for x, some in by_share.items()]
    hot = [row for row in summarize(run, "throughput") if row.cell.workload == "hot"]
    if hot:
        several.append(curves("At full load", CLOSED, hot))
    table = table_of("latency", COLUMNS["latency"], summarize(run, "latency"))
    return section("latency", cards(*several), folded(table) if by_share else NOTHING)


def curves(title: str, note: str, rows: Sequence[Row]) -> Markup:
    """Return a card with latency by percentile."""
    series = [Series(row.peer, curve(row)) for row in rows]
    times = [y for each in series for _, y in each.points]
    # The axis ends at the highest percentile that any peer has enough requests for.
    furthest = max((x for each in series for x, _ in each.points), default=0.99)
    chart = Chart(
        slug(f"curves {title}"),
        f"Latency by percentile: {title}",
        "; ".join(f"{row.peer} {tail(row)}" for row in rows),
        "share of requests",
        "response time at most",
        series,
        Tail(LEFT, RIGHT, max(0.99, furthest)),
        log_around(times, BOTTOM, TOP, seconds),
    )
    return card(title, note, draw(chart))


def curve(row: Row) -> list[tuple[float, float]]:
    """Return (share, response time), up to the highest share with requests beyond it."""
    known = [each for each in CURVE if row.latency.count * (1 - each) >= 1]
    return [(each, row.percentile(each)) for each in known]


def tail(row: Row) -> str:
    """Return p50, p99 and p99.9 in words."""
    return ", ".join(seconds(row.percentile(each)) for each in TIMES)


# Along an axis.


def concurrency(run: Run) -> Markup:
    """Return throughput and latency against connections."""
    rows = summarize(run, "concurrency")
    if not rows:
        return NOTHING
    across = log_around([row.cell.x or 1 for row in rows], LEFT, RIGHT, number)
    axis = Axis("connections (closed loop)", across)
    several = (
        along("Throughput by connections", axis, "requests/s", rows, at_rate, spread=True),
        along("Median latency by connections", axis, "p50", rows, at_p50, log=True),
        along("p99 by connections", axis, "p99", rows, at_p99, log=True),
    )
    table = table_of("connections", COLUMNS["concurrency"], rows)
    return section("concurrency", cards(*several), folded(table))


def idle(run: Run) -> Markup:
    """Return memory and latency against idle connections."""
    rows = summarize(run, "idle")
    if not rows:
        return NOTHING
    places = sorted({row.cell.x or 0.0 for row in rows})
    axis = Axis("idle connections, in addition to the active ones", Ordinal(places, LEFT + 12, RIGHT, number))
    several = (
        along("Memory by idle connections", axis, "resident", rows, at_resident, label=byte_size),
        along("p99 by idle connections", axis, "p99", rows, at_p99, log=True),
    )
    return section("idle", cards(*several), folded(table_of("idle", COLUMNS["idle"], rows)))


@dataclass(frozen=True)
class Axis:
    """A horizontal axis and its label."""

    words: str
    scale: Scale


def at_rate(row: Row) -> float:
    """Return requests per second."""
    return row.rate.median


def at_p50(row: Row) -> float:
    """Return the median, in seconds."""
    return row.percentile(0.5)


def at_p99(row: Row) -> float:
    """Return the p99, in seconds."""
    return row.percentile(0.99)


def at_resident(row: Row) -> float:
    """Return the memory, in bytes."""
    return row.resident


def along(
    title: str,
    axis: Axis,
    y: str,
    rows: Sequence[Row],
    value: Value,
    *,
    log: bool = False,
    spread: bool = False,
    label: Label = number,
) -> Markup:
    """Return a card with one line per peer; ``log`` is for values in seconds."""
    series = [_series(peer, some, value, spread) for peer, some in by_peer(rows).items()]
    values = [each for line in series for each in (*(y for _, y in line.points), *line.high)]
    up: Scale = (
        log_around(values, BOTTOM, TOP, seconds)
        if log
        else Linear(max(values, default=1), BOTTOM, TOP, label, MIB if label is byte_size else 1)
    )
    words = "; ".join(_ends(line, seconds if log else label) for line in series if line.points)
    chart = Chart(slug(title), title, words, axis.words, y, series, axis.scale, up)
    return card(title, "", draw(chart))


def _series(peer: str, some: Sequence[Row], value: Value, spread: bool) -> Series:
    points = finite([(row.cell.x or 0.0, value(row)) for row in some])
    if not spread:
        return Series(peer, points)
    return Series(peer, points, [row.rate.low for row in some], [row.rate.high for row in some])


def _ends(line: Series, label: Label) -> str:
    (first, low), (last, high) = line.points[0], line.points[-1]
    return f"{line.peer} from {label(low)} at {number(first)} to {label(high)} at {number(last)}"


def by_peer(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """Return rows by peer, reactor first."""
    peers: dict[str, list[Row]] = {OURS: []}
    for row in rows:
        peers.setdefault(row.peer, []).append(row)
    return {peer: some for peer, some in peers.items() if some}


# Tails.


def fairness(run: Run) -> Markup:
    """Return the times of small requests in each situation."""
    rows = summarize(run, "fairness")
    if not rows:
        return NOTHING
    groups = [
        Group(name, [(row.peer, row.peer, _times(row)) for row in some])
        for name, some in by_workload(rows).items()
    ]
    picture = bars.ranges("fairness-ranges", "Response times of small requests", groups)
    table = table_of("fairness", COLUMNS["fairness"], rows)
    return section("fairness", cards(card("Response times of small requests", "", picture, table)))


def attack(run: Run) -> Markup:
    """Return the times of honest requests during each attack."""
    rows = summarize(run, "attack")
    if not rows:
        return NOTHING
    group = Group("", [(row.cell.workload, row.peer, _times(row)) for row in rows])
    title = "Response times of honest clients during each attack"
    picture = bars.ranges("attack-ranges", title, [group], P99)
    table = table_of("attack", COLUMNS["attack"], rows)
    note = f"the dashed line is {seconds(P99)}, the target for p99"
    return section("attack", cards(card(title, note, picture, table)))


def _times(row: Row) -> list[float]:
    return [row.percentile(each) for each in TIMES]


def questions(run: Run) -> Markup:
    """Return the sections of all measured questions."""
    return join(
        comparison(run, "throughput"),
        latency(run),
        concurrency(run),
        idle(run),
        fairness(run),
        comparison(run, "files"),
        comparison(run, "compression"),
        comparison(run, "watching"),
        attack(run),
    )
