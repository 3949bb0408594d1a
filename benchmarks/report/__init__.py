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
from benchmarks.report.sections import html_table, section
from benchmarks.results.checks import check, shortened, summary
from benchmarks.results.environment import commit, date, machine
from benchmarks.results.samples import Run, errors_text
from benchmarks.results.statistics import OURS, REACTORS, Figure, figures, peer_slugs, rows
from benchmarks.results.tables import SHOWN, run_tables
from benchmarks.results.targets import PASS, Verdict, evaluate, score
from benchmarks.results.units import BY, number

STYLE = Path(__file__).with_name("style.css")
POLICY = "default-src 'none'; style-src 'unsafe-inline'"

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
    return [question for question in SHOWN if question in found]


def header(run: Run, known: Mapping[str, Figure], verdicts: list[Verdict]) -> Markup:
    """Return the page header: what was measured, headline figures, navigation."""
    rounds = max((each.round for each in run.samples), default=0)
    few = f"Only {rounds} round{'' if rounds == 1 else 's'}: too few for reliable figures."
    links = [*((SHOWN[name].title, name) for name in asked(run)), ("How it was measured", "about")]
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
    yield "Questions", ", ".join(SHOWN[name].title.lower() for name in asked(run))
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

    def tile(name: str, of: str, note: str) -> Markup:
        return tag("li", tag("strong", known[name]), tag("span", of), tag("small", note))

    slugs = peer_slugs(each.peer for each in run.samples)
    added = [peer for peer in slugs if peer_class(peer) == "p-added"]
    others = {"throughput": [(f"hot.{slugs[peer]}", f"{BY} {peer}", "requests per second") for peer in added]}
    found = [
        [tile(*each) for each in (*others.get(question, ()), *shown.headlines) if each[0] in known]
        for question, shown in SHOWN.items()
    ]
    # The first figure of each question, then the second ones, as long as there is room.
    ranked = sorted((rank, place) for place, some in enumerate(found) for rank in range(len(some)))
    return [found[place][rank] for place, rank in sorted((place, rank) for rank, place in ranked[:TILES])]


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
