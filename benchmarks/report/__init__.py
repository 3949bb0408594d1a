"""The HTML report: one self-contained file, in light and dark colours, for desktop and phone.

Charts are inline SVG. The page has no scripts and loads nothing; its Content-Security-Policy forbids both.

    markup.py    escaped HTML and SVG elements   lines.py      line charts
    scales.py    values to coordinates, ticks    bars.py       bars, latency ranges, rows of targets
    style.css    style sheet                     sections.py   one section per question

This module assembles the page.
"""

from collections.abc import Mapping
from pathlib import Path

from benchmarks.report.bars import target_row
from benchmarks.report.markup import NOTHING, Markup, join, tag
from benchmarks.report.sections import TITLES, folded, html_table, questions
from benchmarks.results.checks import PASS, WARN, check
from benchmarks.results.environment import commit, date, machine
from benchmarks.results.samples import Run
from benchmarks.results.statistics import Figure, figures
from benchmarks.results.tables import (
    checks_table,
    measured_targets,
    peers_table,
    skipped_table,
    targets_table,
)
from benchmarks.results.targets import Verdict, evaluate, score
from benchmarks.results.units import BY, format_figure

STYLE = Path(__file__).with_name("style.css")
POLICY = "default-src 'none'; style-src 'unsafe-inline'"

# Candidates for the first row, in order; the first TILES that were measured are shown.
HEADLINES = (
    ("hot.floor", "", "of the floor", "a bare loop that receives and sends a constant response"),
    ("hot.uvicorn", BY, "uvicorn", "with uvloop and httptools"),
    ("hot.bjoern", BY, "bjoern", "written in C, on libev"),
    ("hot.nginx", BY, "nginx", "one worker"),
    ("hot.rate", "", "requests per second", "on one core, GET /echo/abc"),
    ("idle.bytes", "", "per idle connection", "with 10,000 idle connections"),
)
TILES = 5
FEWEST = 3  # rounds for a meaningful median and spread


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
    main = tag("main", targets(verdicts), questions(run), about(run))
    body = tag("body", header(run, known, verdicts), main)
    return f"<!DOCTYPE html>\n{tag('html', head, body, lang='en')}\n"


# The parts outside the sections of questions.


def header(run: Run, known: Mapping[str, Figure], verdicts: list[Verdict]) -> Markup:
    """Return the page header: environment, headline figures, navigation."""
    what = run.environment
    words = [each for each in (date(what), commit(what) and f"commit {commit(what)}", machine(what)) if each]
    asked = [name for name in TITLES if run.select(question=name)]
    links = (tag("a", TITLES[name], href=f"#{name}") for name in asked)
    target = tag("a", "Targets", href="#targets") if measured_targets(verdicts) else NOTHING
    return tag(
        "header",
        tag("h1", "Reactor benchmarks"),
        tag("p", " · ".join(words), class_="where"),
        beware(run),
        tag("ul", *tiles(known, verdicts), class_="tiles"),
        tag("nav", target, *links, tag("a", "How it was measured", href="#about")),
    )


def beware(run: Run) -> Markup:
    """Return a warning if the run has too few rounds."""
    rounds = max((each.round for each in run.samples), default=0)
    if rounds >= FEWEST:
        return NOTHING
    words = f"Only {rounds} round{'' if rounds == 1 else 's'}: too few for reliable figures."
    return tag("p", words, class_="beware")


def tiles(known: Mapping[str, Figure], verdicts: list[Verdict]) -> list[Markup]:
    """Return the headline figures."""
    found = [
        tile(format_figure(known[name].median, known[name].unit) + sign, of, note)
        for name, sign, of, note in HEADLINES
        if name in known
    ][:TILES]
    some = measured_targets(verdicts)
    if some:
        met, _, rest = score(some).partition(" ")
        found.append(tile(met, rest, ""))
    return found


def tile(number: str, of: str, note: str) -> Markup:
    """Return one headline figure."""
    return tag("li", tag("strong", number), tag("span", of), tag("small", note) if note else NOTHING)


def targets(verdicts: list[Verdict]) -> Markup:
    """Return the section of targets."""
    some = measured_targets(verdicts)
    if not some:
        return NOTHING
    lead = f"{score(verdicts)}. The line in the middle is the target; right of it is better. "
    lead += "The bar shows the range over all rounds. The scale is logarithmic."
    return tag(
        "section",
        tag("h2", "Targets"),
        tag("p", lead, class_="lead"),
        tag("ul", *map(target_row, some), class_="targets"),
        folded(targets_table(verdicts), "All targets as a table"),
        id="targets",
    )


def about(run: Run) -> Markup:
    """Return the section on the method: self-checks, servers, skipped measurements, environment, command."""
    return tag(
        "section",
        tag("h2", "How it was measured"),
        tag("h3", "Self-checks"),
        tag("ul", *(_check(*line) for line in checks_table(check(run)).lines), class_="checks"),
        join(tag("h3", "Servers"), html_table(peers_table(run))) if run.peers else NOTHING,
        join(tag("h3", "Not measured"), html_table(skipped_table(run))) if run.skipped else NOTHING,
        tag("h3", "Environment"),
        environment(run),
        tag("h3", "Command"),
        tag("pre", str(run.environment.get("command", "python -m benchmarks"))),
        id="about",
    )


def _check(name: str, result: str, words: str) -> Markup:
    kind = {PASS: "met", WARN: "missed"}.get(result, "unknown")
    return tag("li", tag("span", result, class_=f"verdict {kind}"), tag("b", name), tag("span", words))


def environment(run: Run) -> Markup:
    """Return the environment of the run."""
    plain = {name: value for name, value in run.environment.items() if not isinstance(value, dict | list)}
    return tag("dl", *(tag("div", tag("dt", name), tag("dd", value)) for name, value in plain.items()))
