"""The report is one well-formed, self-contained page without scripts, and all text is escaped."""

import math
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from benchmarks.load.histogram import Histogram
from benchmarks.report import STYLE, page
from benchmarks.report.charts import log
from benchmarks.report.markup import VOID, Markup, tag
from benchmarks.results.samples import Peer, Run, Sample
from benchmarks.results.statistics import figures
from benchmarks.results.tables import SHOWN
from benchmarks.results.targets import evaluate
from benchmarks.results.units import seconds

HOSTILE = '<script>alert("1")</script>&amp;\'/><img src=x onerror=y>'


class Reader(HTMLParser):
    """Parses a page, and fails for unclosed or misnested elements."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []  # element, attribute, value
        self.elements: list[str] = []
        self.words = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        assert len({name for name, _ in attrs}) == len(attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] != ["style"]:
            self.words += data

    def values(self, name: str) -> list[str]:
        return [value for _, attribute, value in self.attributes if attribute == name]


def test_a_whole_run_is_well_formed(run: Run) -> None:
    reader = Reader(page(run))
    ids = reader.values("id")
    assert len(set(ids)) == len(ids)
    assert reader.elements.count("figure") == 28
    assert reader.elements.count("details") == len(SHOWN)
    assert not {"script", "link", "img", "iframe", "object", "foreignobject"} & set(reader.elements)


def test_nothing_is_fetched(run: Run) -> None:
    text = page(run)
    assert not re.search(r"https?://|//[a-z]|url\(|@import|javascript:", text)
    assert {value[:1] for _, name, value in Reader(text).attributes if name in ("href", "src")} == {"#"}
    assert "default-src 'none'" in text.replace("&#x27;", "'")


def test_links_lead_somewhere(run: Run) -> None:
    reader = Reader(page(run))
    assert set(reader.values("href")) == {f"#{name}" for name in reader.values("id")}


def header(run: Run) -> str:
    """Return the words above the first section."""
    text = page(run)
    return " ".join(Reader(text[text.index("<header>") : text.index("</header>") + 9]).words.split())


def test_pictures_can_be_read_aloud(run: Run) -> None:
    reader = Reader(page(run))
    labels = [value for tag, name, value in reader.attributes if (tag, name) == ("svg", "aria-label")]
    assert len(labels) == len(set(labels)) == reader.elements.count("svg") == 4
    assert all("; the figures are in the table of this section" in each for each in labels)
    # The other charts are tables with the figures as text; their marks are empty elements.
    assert reader.values("class").count("chart") == reader.elements.count("figure") - 4


def test_lines_lead_from_label_to_label_and_reactor_is_in_front(run: Run) -> None:
    run.samples = run.select(question="concurrency")
    text = page(run)
    picture = text[text.index("<svg") : text.index("</svg>")]
    words = re.findall("<text[^>]*>([^<]*)", picture)
    assert words[-6:] == ["1", "8", "64", "512", "4,096", "10,000"]
    assert picture.rindex("p-reactor") > picture.rindex("p-uvicorn")
    paths = [
        [tuple(map(int, point.split(","))) for point in points.split()]
        for points in re.findall('points="(.*?)"', picture)
    ]
    assert {len(path) for path in paths} == {6}
    assert len({tuple(x for x, _ in path) for path in paths}) == 1
    # The bare loop is the fastest everywhere, so its line is above all others.
    assert all(high < low for (_, high), (_, low) in zip(paths[0], paths[-1], strict=True))


def test_the_fastest_peer_is_first(run: Run) -> None:
    run.samples = run.select(question="throughput", workload="hot")
    labels = re.findall('scope="row" title="(.*?)"', page(run))
    assert labels[:4] == ["bare loop", "nginx", "reactor", "bjoern"]


def test_attacks_have_a_line_at_the_target(run: Run) -> None:
    run.samples = [replace(each, latency=Histogram([0.001])) for each in run.select(question="attack")]
    places = re.findall('class="bound" style="left:(.*?)%', page(run))
    assert len(places) == len(run.samples)
    assert all(50 < float(place) < 100 for place in places)


def test_verdicts_have_a_colour(run: Run) -> None:
    classes = Reader(page(run)).values("class")
    verdicts = [each.result for each in evaluate(figures(run))]
    assert classes.count("missed") == verdicts.count("MISSED") > 0
    assert classes.count("met") == verdicts.count("PASS") + 9  # self-checks


def test_the_top_says_what_was_measured(run: Run) -> None:
    run.samples[0] = replace(run.samples[0], errors=3, failures={"503": 3})
    words = header(run)
    for expected in (
        "Questionsthroughput, latency, from 1 to 10,000 connections, idle connections",
        "Serversbare loop, reactor, nginx, bjoern, uvicorn",
        "Rounds3, interleaved",
        "Date2026-11-24",
        "Commitabc1234",
        "MachineExample CPU at 3 GHz, 2 cores",
        "Not measuredwaitress: file 1 MiB: wrong body at byte 1,024",
        "Failed requests3 (503: 3)",
        "Self-checks8 passed, 1 with a warning",
        "of the floor",
        "p99at 90 % of the capacity",
    ):
        assert expected in words, expected


@pytest.mark.parametrize("question", SHOWN)
def test_a_question_that_was_not_asked_is_not_in_the_report(run: Run, question: str) -> None:
    run.samples = [each for each in run.samples if each.question == question]
    reader = Reader(page(run))
    assert [each for each in reader.values("id") if each in SHOWN] == [question]
    assert [each for each in reader.values("href") if each[1:] in SHOWN] == [f"#{question}"]
    assert f"Questions{SHOWN[question].title.lower()}Servers" in header(run)
    assert "<strong>" in page(run)
    assert ("#targets" in reader.values("href")) == ("targets met" in reader.words)


def test_the_headlines_of_all_questions_have_room(run: Run) -> None:
    assert 9 <= page(run).count("<strong>") <= 12
    # Of several attacks, the worst is shown.
    run.samples = run.select(question="attack")
    (words,) = re.findall("<strong>(.*?)</strong>", page(run))
    assert float(words.removesuffix(" ms")) > 100


def test_the_page_has_the_figures_and_the_method(run: Run) -> None:
    words = Reader(page(run)).words
    for expected in ("Little's law", "targets met", "uvicorn 1.0", "python -m benchmarks", "wrk 4.1.0"):
        assert expected in words, expected


def test_a_run_of_one_round_has_a_warning(run: Run) -> None:
    assert "Only " not in page(run)
    run.samples = [each for each in run.samples if each.round == 1]
    assert "Only 1 round: too few for reliable figures" in page(run)


def test_directories_of_the_machine_are_not_in_the_page(run: Run) -> None:
    run.peers["nginx"] = Peer("nginx", "nginx", "/home/someone/bin/nginx -p /tmp/secret/scratch")
    text = page(run)
    assert "someone" not in text
    assert "secret" not in text
    assert "nginx -p scratch" in text


def test_servers_of_the_user_have_headlines_and_a_colour(run: Run) -> None:
    run.samples = [
        replace(each, peer="127.0.0.1:8000") if each.peer == "nginx" else each for each in run.samples
    ]
    assert "\N{MULTIPLICATION SIGN} 127.0.0.1:8000requests per second" in header(run)
    classes = set(" ".join(Reader(page(run)).values("class")).split())
    assert {"p-reactor", "p-uvicorn", "p-other", "p-added"} <= classes
    assert "p-nginx" not in classes
    assert ".p-added {" in STYLE.read_text()


def test_failed_requests_are_shown_in_their_section(run: Run) -> None:
    run.samples = [
        replace(each, errors=2, failures={"404": 2}, requests=0, latency=Histogram())
        if (each.question, each.peer) == ("idle", "nginx")
        else each
        for each in run.samples
    ]
    words = Reader(page(run)).words
    assert (
        "Failed requests: idle-0, nginx: 6 (404: 6); idle-100, nginx: 6 (404: 6); idle-1000, nginx" in words
    )


@pytest.mark.parametrize("question", ["throughput", "idle"])
def test_unknown_processor_time_and_memory_have_no_points(run: Run, question: str) -> None:
    nan = math.nan
    run.samples = [
        replace(each, server_cpu=nan, client_cpu=nan, resident=nan) for each in run.select(question=question)
    ]
    text = page(run)
    assert "unknown" in Reader(text).words
    assert_finite(text)


def hostile(sample: Sample) -> Sample:
    """Replace the texts of a sample with hostile ones."""
    peer = HOSTILE if sample.peer == "nginx" else sample.peer
    workload = HOSTILE if sample.workload in ("browser", "during both", "storm") else sample.workload
    return replace(sample, peer=peer, workload=workload)


def assert_finite(text: str) -> None:
    """Fail if a number in an attribute (coordinates, styles) is NaN or infinite."""
    assert not re.search(r'"[^"]*\b(nan|inf)\b[^"]*"', text)


def test_all_texts_of_a_run_are_escaped(run: Run) -> None:
    run.samples = [hostile(each) for each in run.samples]
    run.peers[HOSTILE] = Peer(HOSTILE, HOSTILE, HOSTILE)
    run.skipped[HOSTILE] = HOSTILE
    run.environment.update({"cpu": HOSTILE, "commit": HOSTILE, "command": HOSTILE, HOSTILE: HOSTILE})
    run.environment["attack"] = {HOSTILE: [HOSTILE]}
    text = page(run)
    reader = Reader(text)
    assert "<script" not in text
    assert "<img" not in text
    assert not [name for _, name, _ in reader.attributes if name.startswith("on")]
    assert reader.words.count("<script>") > 10


@pytest.mark.parametrize(
    "run",
    [
        Run(),
        Run(environment={"started": 7}),
        Run(samples=[Sample("throughput", "hot", "reactor", 1)]),
        Run(samples=[Sample("latency", "hot", "reactor", 1, x=0.5)]),
        Run(samples=[Sample("idle", "hot", "reactor", 1, x=0.0, resident=1)]),
        Run(samples=[Sample("fairness", "alone", "reactor", 1)]),
        Run(samples=[Sample("concurrency", "hot", "x", 1, x=1.0, requests=1, seconds=1.0)]),
        Run(samples=[Sample("attack", "storm", "reactor", 1, latency=Histogram([0.1]))]),
    ],
    ids=["nothing", "no date", "no answers", "no times", "one place", "no tails", "one", "one attack"],
)
def test_a_run_that_was_broken_off_has_a_report(run: Run) -> None:
    text = page(run)
    Reader(text)
    assert_finite(text)


def test_a_row_without_times_has_no_marks() -> None:
    def marks(*times: float) -> list[str]:
        sample = Sample("fairness", "alone", "reactor", 1, latency=Histogram(times))
        reader = Reader(page(Run(samples=[sample])))
        return [each for each in reader.values("class") if each in ("reach", "half", "most", "nearly-all")]

    key = ["half", "most", "nearly-all"]
    assert marks() == key
    assert marks(0.001) == [*key, "reach", *key]


# Colours.


def colours() -> tuple[dict[str, str], dict[str, str]]:
    """Return the colours of the light and the dark theme."""
    light, dark = (
        dict(re.findall(r"--([a-z]+): (#[0-9a-f]+)", block))
        for block in re.findall(r":root \{(.*?)\}", STYLE.read_text(), re.DOTALL)
    )
    return light, dark


def luminance(colour: str) -> float:
    """Return the relative luminance, as WCAG defines it."""
    digits = colour[1:] if len(colour) == 7 else "".join(each * 2 for each in colour[1:])
    parts = [int(digits[index : index + 2], 16) / 255 for index in (0, 2, 4)]
    red, green, blue = (
        each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(
    "name", ["ink", "muted", "accent", "good", "bad", "nginx", "bjoern", "uvicorn", "granian", "added"]
)
def test_words_stand_out_from_what_is_behind_them(theme: int, name: str) -> None:
    colour = colours()[theme]
    for behind in ("page", "card"):
        bright, dark = sorted((luminance(colour[name]), luminance(colour[behind])), reverse=True)
        assert (bright + 0.05) / (dark + 0.05) >= 4.5


def test_both_themes_have_every_colour() -> None:
    light, dark = colours()
    assert light.keys() == dark.keys()
    used = set(re.findall(r"var\(--([a-z]{2,})", STYLE.read_text()))
    assert used <= light.keys()


# Parts.


def test_only_markup_is_not_escaped() -> None:
    assert tag("p", "<", Markup("<br>")) == "<p>&lt;<br></p>"
    assert tag("p", title='"><x>') == '<p title="&quot;&gt;&lt;x&gt;"></p>'


def test_logarithmic_scales_go_by_factors() -> None:
    scale = log([0.001, 0.01, 1], seconds)
    assert [words for _, words in scale.ticks] == ["1 ms", "10 ms", "100 ms", "1 s"]
    assert scale.place(0.1) - scale.place(0.01) == pytest.approx(scale.place(0.01) - scale.place(0.001))
    assert (scale.place(0), scale.place(5)) == (0, 1)


@pytest.mark.parametrize("values", [[], [1], [0, math.nan], [2, 2], [1e-6, 60]])
def test_logarithmic_scales_have_ticks_for_any_values(values: list[float]) -> None:
    scale = log(values, seconds)
    assert scale.ticks
    assert all(0 <= scale.place(value) <= 1 for value in values if value > 0)
