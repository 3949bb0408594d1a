"""The HTML report: one self-contained file, in light and dark colours, for desktop and phone.

Line charts are inline SVG, other charts are tables. The page has no scripts and loads nothing; its
Content-Security-Policy forbids both.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path

from benchmarks.report.markup import NOTHING, Markup, peer_class, tag
from benchmarks.report.sections import html_table, section
from benchmarks.results.checks import check, shortened, summary
from benchmarks.results.environment import commit, date, machine
from benchmarks.results.samples import Run, errors_text
from benchmarks.results.statistics import OURS, REACTORS, Figure, figures, peer_slugs, rows
from benchmarks.results.tables import SHOWN, run_tables, summary_tables
from benchmarks.results.units import BY

STYLE = Path(__file__).with_name("style.css")
POLICY = "default-src 'none'; style-src 'unsafe-inline'"
FEWEST = 3  # rounds for a meaningful median and spread


def page(run: Run) -> str:
    """Return the HTML of the whole report."""
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("meta", http_equiv="Content-Security-Policy", content=POLICY),
        tag("title", f"Reactor benchmarks, {date(run.environment) or 'undated'}"),
        tag("style", Markup(STYLE.read_text())),
    )
    known = figures(run)
    links = [(SHOWN[question].title, question) for question in asked(run)]
    sections = [section(run, question) for question in asked(run)]
    for title, name, tables in (
        ("Summary", "targets", summary_tables(run)),
        ("How it was measured", "about", list(run_tables(run).values())),
    ):
        if tables:
            links.append((title, name))
            sections.append(tag("section", tag("h2", title), *map(html_table, tables), id=name))
    body = tag("body", header(run, known, links), tag("main", *sections))
    return f"<!DOCTYPE html>\n{tag('html', head, body, lang='en')}\n"


def asked(run: Run) -> list[str]:
    """Return the questions that were measured, in the order of the report."""
    found = {row.cell.question for row in rows(run)}
    return [question for question in SHOWN if question in found]


def header(run: Run, known: Mapping[str, Figure], links: Sequence[tuple[str, str]]) -> Markup:
    """Return the page header: what was measured, headline figures, navigation."""
    few = f"Only {run.rounds} round{'' if run.rounds == 1 else 's'}: too few for reliable figures."
    facts = [tag("div", tag("dt", name), tag("dd", words)) for name, words in measured(run) if words]
    return tag(
        "header",
        tag("h1", "Reactor benchmarks"),
        tag("dl", *facts),
        tag("p", few, class_="beware") if run.rounds < FEWEST else NOTHING,
        tag("ul", *tiles(run, known), class_="tiles"),
        tag("nav", *(tag("a", title, href=f"#{name}") for title, name in links)),
    )


def measured(run: Run) -> Iterator[tuple[str, str]]:
    """Yield what was measured: questions, servers, rounds, date, commit, machine, and what failed."""
    yield "Questions", ", ".join(SHOWN[name].title.lower() for name in asked(run))
    peers = dict.fromkeys(each.peer for each in run.samples)
    yield "Servers", ", ".join(peer for peer in peers if peer == OURS or peer not in REACTORS)
    yield "Rounds", f"{run.rounds}, interleaved"
    yield "Date", date(run.environment)
    yield "Commit", commit(run.environment)
    yield "Machine", machine(run.environment)
    yield "Not measured", shortened([f"{what}: {why}" for what, why in run.skipped.items()])
    if any(each.errors for each in run.samples):
        yield "Failed requests", errors_text(run.samples)
    yield "Self-checks", summary(check(run))


def tiles(run: Run, known: Mapping[str, Figure]) -> Iterator[Markup]:
    """Yield the headline figures of servers given by the user, and of the questions that were asked."""
    slugs = peer_slugs(each.peer for each in run.samples)
    added = [peer for peer in slugs if peer_class(peer) == "p-added"]
    headlines = [(f"hot.{slugs[peer]}", f"{BY} {peer}", "requests per second") for peer in added]
    for name, of, note in (*headlines, *chain.from_iterable(each.headlines for each in SHOWN.values())):
        if name in known:
            yield tag("li", tag("strong", known[name]), tag("span", of), tag("small", note))
