"""The report: one HTML file with everything in it, light and dark, on a screen and on a phone.

Charts are inline SVG, there is no script, and nothing is fetched: the page's own policy forbids it.

    markup.py    elements, escaped              lines.py      charts along an axis
    scales.py    from values to places          bars.py       bars, ranges, and rows of targets
    style.css    how it looks                   sections.py   what is said of each question

This module puts the page together.
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

# Figures of the first row: as many as are known, the most telling ones first.
HEADLINES = (
    ("hot.floor", "", "of the floor", "a bare loop that receives, sends a constant, and does nothing else"),
    ("hot.uvicorn", BY, "uvicorn", "with uvloop and httptools"),
    ("hot.bjoern", BY, "bjoern", "in C, on libev"),
    ("hot.nginx", BY, "nginx", "one worker"),
    ("hot.rate", "", "requests a second", "on one core, GET /echo/abc"),
    ("idle.octets", "", "for an idle connection", "10,000 of them"),
)
TILES = 5
FEWEST = 3  # rounds, of which a median and a spread say something


def page(run: Run) -> str:
    """Return the whole file."""
    known = figures(run)
    verdicts = evaluate(known)
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("meta", http_equiv="Content-Security-Policy", content=POLICY),
        tag("title", f"Reactor, measured on {date(run.environment) or 'some day'}"),
        tag("style", Markup(STYLE.read_text())),
    )
    main = tag("main", targets(verdicts), questions(run), about(run))
    body = tag("body", header(run, known, verdicts), main)
    return f"<!DOCTYPE html>\n{tag('html', head, body, lang='en')}\n"


# The parts that belong to no question.


def header(run: Run, known: Mapping[str, Figure], verdicts: list[Verdict]) -> Markup:
    """Return what one sees first."""
    what = run.environment
    words = [each for each in (date(what), commit(what) and f"commit {commit(what)}", machine(what)) if each]
    asked = [name for name in TITLES if run.select(question=name)]
    links = (tag("a", TITLES[name], href=f"#{name}") for name in asked)
    target = tag("a", "Targets", href="#targets") if measured_targets(verdicts) else NOTHING
    return tag(
        "header",
        tag("h1", "Reactor, measured"),
        tag("p", " · ".join(words), class_="where"),
        beware(run),
        tag("ul", *tiles(known, verdicts), class_="tiles"),
        tag("nav", target, *links, tag("a", "How it was measured", href="#about")),
    )


def beware(run: Run) -> Markup:
    """Warn of a run that is too short to rely on."""
    rounds = max((each.round for each in run.samples), default=0)
    if rounds >= FEWEST:
        return NOTHING
    words = (
        f"Only {rounds} round{'' if rounds == 1 else 's'}: this shows that it works, and not how fast it is."
    )
    return tag("p", words, class_="beware")


def tiles(known: Mapping[str, Figure], verdicts: list[Verdict]) -> list[Markup]:
    """Return the figures that one remembers."""
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
    """Return one of them."""
    return tag("li", tag("strong", number), tag("span", of), tag("small", note) if note else NOTHING)


def targets(verdicts: list[Verdict]) -> Markup:
    """Return the targets, each with how far it was reached."""
    some = measured_targets(verdicts)
    if not some:
        return NOTHING
    lead = f"{score(verdicts)}. The line in the middle is the target, to the right of it is better, "
    lead += "the bar is the spread from round to round; the scale is logarithmic."
    return tag(
        "section",
        tag("h2", "Targets"),
        tag("p", lead, class_="lead"),
        tag("ul", *map(target_row, some), class_="targets"),
        folded(targets_table(verdicts), "All targets as a table"),
        id="targets",
    )


def about(run: Run) -> Markup:
    """Return how it was measured, whether it can be believed, and how to do it again."""
    return tag(
        "section",
        tag("h2", "How it was measured"),
        tag("h3", "Self-checks"),
        tag("ul", *(_check(*line) for line in checks_table(check(run)).lines), class_="checks"),
        join(tag("h3", "Servers"), html_table(peers_table(run))) if run.peers else NOTHING,
        join(tag("h3", "Not measured"), html_table(skipped_table(run))) if run.skipped else NOTHING,
        tag("h3", "Environment"),
        environment(run),
        tag("h3", "Again"),
        tag("pre", str(run.environment.get("command", "python -m benchmarks"))),
        id="about",
    )


def _check(name: str, result: str, words: str) -> Markup:
    kind = {PASS: "met", WARN: "missed"}.get(result, "unknown")
    return tag("li", tag("span", result, class_=f"verdict {kind}"), tag("b", name), tag("span", words))


def environment(run: Run) -> Markup:
    """Return what is known of where it was measured."""
    plain = {name: value for name, value in run.environment.items() if not isinstance(value, dict | list)}
    return tag("dl", *(tag("div", tag("dt", name), tag("dd", value)) for name, value in plain.items()))
