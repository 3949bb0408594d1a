"""The HTML report: one self-contained file, in light and dark colours, for desktop and phone.

Line charts are inline SVG, other charts are tables. The page has no scripts and loads nothing; its
Content-Security-Policy forbids both.

    markup.py    escaped HTML and SVG elements   charts.py     rows of marks, and lines
    scales.py    values to places, ticks         sections.py   one section per question
    style.css    style sheet

This module assembles the page: what was measured, headline figures, a section per question, targets, method.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

from benchmarks.report.charts import Track, tracks
from benchmarks.report.markup import NOTHING, Markup, join, peer_class, tag
from benchmarks.report.scales import log
from benchmarks.report.sections import SECTIONS, html_table, section
from benchmarks.results.checks import check, shortened, summary
from benchmarks.results.environment import commit, date, machine
from benchmarks.results.samples import Run, errors_text
from benchmarks.results.statistics import OURS, REACTORS, Figure, figures, peer_slugs, rows
from benchmarks.results.tables import run_tables
from benchmarks.results.targets import PASS, Verdict, evaluate, score
from benchmarks.results.units import BY, number

STYLE = Path(__file__).with_name("style.css")
POLICY = "default-src 'none'; style-src 'unsafe-inline'"

# Headline figures: question, name, what it is, note.
HEADLINES = (
    ("throughput", "hot.floor", "of the floor", "a bare loop that receives and sends a constant response"),
    ("throughput", "hot.rate", "requests per second", "on one core, GET /echo/abc"),
    ("throughput", "hot.nginx", f"{BY} nginx", "one worker"),
    ("throughput", "hot.uvicorn", f"{BY} uvicorn", "with uvloop and httptools"),
    ("throughput", "hot.bjoern", f"{BY} bjoern", "written in C, on libev"),
    ("latency", "latency-90.p99", "p99", "at 90 % of the capacity"),
    ("latency", "latency-50.p99", "p99", "at 50 % of the capacity"),
    ("concurrency", "concurrency-10000.rate", "requests per second", "on 10,000 connections"),
    ("idle", "idle.bytes", "per idle connection", "with 10,000 idle connections"),
    ("idle", "idle.rate", f"{BY} the throughput", "with 10,000 idle connections"),
    ("fairness", "fairness.p99", "p99 of small requests", "during downloads and uploads"),
    ("files", "file-4-KiB.nginx", f"{BY} nginx", "files of 4 KiB"),
    ("files", "file-4-KiB.rate", "files per second", "of 4 KiB"),
    ("compression", "gzip-different.uvicorn", f"{BY} uvicorn", "compressing different texts"),
    ("compression", "gzip-different.rate", "requests per second", "compressing different texts"),
    ("watching", "watching.explained", f"{BY} the throughput", "with --explain"),
    ("watching", "watching.traced", f"{BY} the throughput", "with --trace"),
    ("watching", "watching.inspected", f"{BY} the throughput", "with --inspect"),
    ("attack", "attack.p99", "p99 of honest clients", "during the worst attack"),
)
TILES = 12
FEWEST = 3  # rounds for a meaningful median and spread
SCALE = log([1 / 4, 4], number)._replace(ticks=())  # of figures relative to their targets


def page(run: Run) -> str:
    """Return the HTML of the whole report."""
    known = figures(run)
    verdicts = evaluate(known)
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("meta", http_equiv="Content-Security-Policy", content=POLICY),
        tag("title", f"Reactor benchmarks, {date(run.environment) or 'undated'}"),
        tag("style", Markup(STYLE.read_text())),
    )
    sections = [section(run, question) for question in asked(run)]
    main = tag("main", *sections, targets(verdicts) if verdicts else NOTHING, about(run))
    body = tag("body", header(run, known, verdicts), main)
    return f"<!DOCTYPE html>\n{tag('html', head, body, lang='en')}\n"


def asked(run: Run) -> list[str]:
    """Return the questions that were measured, in the order of the report."""
    found = {row.cell.question for row in rows(run)}
    return [question for question in SECTIONS if question in found]


def header(run: Run, known: Mapping[str, Figure], verdicts: list[Verdict]) -> Markup:
    """Return the page header: what was measured, headline figures, navigation."""
    rounds = max((each.round for each in run.samples), default=0)
    few = f"Only {rounds} round{'' if rounds == 1 else 's'}: too few for reliable figures."
    links = [*((SECTIONS[name][0], name) for name in asked(run)), ("How it was measured", "about")]
    links[-1:-1] = [("Targets", "targets")] if verdicts else []
    facts = [tag("div", tag("dt", name), tag("dd", each)) for name, each in measured(run, rounds) if each]
    return tag(
        "header",
        tag("h1", "Reactor benchmarks"),
        tag("dl", *facts),
        tag("p", few, class_="beware") if rounds < FEWEST else NOTHING,
        tag("ul", *tiles(run, known), class_="tiles"),
        tag("nav", *(tag("a", words, href=f"#{name}") for words, name in links)),
    )


def measured(run: Run, rounds: int) -> Iterator[tuple[str, str]]:
    """Yield what was measured: questions, servers, rounds, date, commit, machine, and what failed."""
    yield "Questions", ", ".join(SECTIONS[name][0].lower() for name in asked(run))
    peers = dict.fromkeys(each.peer for each in run.samples)
    yield "Servers", ", ".join(peer for peer in peers if peer == OURS or peer not in REACTORS)
    yield "Rounds", f"{rounds}, interleaved"
    yield "Date", date(run.environment)
    yield "Commit", commit(run.environment)
    yield "Machine", machine(run.environment)
    yield "Not measured", shortened([f"{what}: {why}" for what, why in run.skipped.items()])
    if any(each.errors for each in run.samples):
        yield "Failed requests", errors_text(run.samples)
    yield "Self-checks", summary(check(run))


def tiles(run: Run, known: Mapping[str, Figure]) -> list[Markup]:
    """Return the headline figures of the questions that were asked, and of servers given by the user."""
    slugs = peer_slugs(each.peer for each in run.samples)
    added = [peer for peer in slugs if peer_class(peer) == "p-added"]
    others = [("throughput", f"hot.{slugs[peer]}", f"{BY} {peer}", "requests per second") for peer in added]
    found: dict[str, list[Markup]] = {question: [] for question in SECTIONS}
    for question, name, of, note in (*others, *HEADLINES):
        if name in known:
            words = tag("strong", known[name]), tag("span", of), tag("small", note)
            found[question].append(tag("li", *words))
    # The first figure of each question, then the second ones, as long as there is room.
    ranked = sorted((rank, place) for place, some in enumerate(found.values()) for rank in range(len(some)))
    shown = sorted((place, rank) for rank, place in ranked[:TILES])
    return [[*found.values()][place][rank] for place, rank in shown]


def targets(verdicts: list[Verdict]) -> Markup:
    """Return the section of targets: bounds, figures relative to them, verdicts."""
    lead = f"{score(verdicts)}. The line in the middle is the target; right of it is better. "
    lead += "The bar shows the range over all rounds. The scale is logarithmic."
    drawn = []
    for each in verdicts:
        marks = [("goal", 1.0, 1.0), ("stem", 1.0, each.reached), ("reach", *each.range)]
        label = join(tag("b", each.target.workload), " ", each.target)
        cells = each.figure, each.figure.range, each.words
        kind = "met" if each.result == PASS else "missed"
        drawn.append(Track(label, kind, [*marks, ("dot", each.reached, each.reached)], cells))
    return tag(
        "section",
        tag("h2", "Targets"),
        tag("p", lead, class_="lead"),
        tracks(("median", "range of rounds", "verdict"), drawn, SCALE, "targets"),
        id="targets",
    )


def about(run: Run) -> Markup:
    """Return the section on the method: self-checks, servers, skipped measurements, environment."""
    shown = map(html_table, run_tables(run).values())
    return tag("section", tag("h2", "How it was measured"), *shown, id="about")
