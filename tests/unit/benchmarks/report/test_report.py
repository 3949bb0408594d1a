"""The report is one well-formed, self-contained page without scripts, and all text is escaped."""

import itertools
import math
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from benchmarks.load.histogram import Histogram
from benchmarks.report import STYLE, page
from benchmarks.report.markup import VOID, Markup, tag
from benchmarks.report.scales import Linear, Log, Ordinal, Tail, apart, log_around
from benchmarks.results.samples import Peer, Run, Sample
from benchmarks.results.units import MIB, byte_size, number, seconds

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
    assert reader.elements.count("svg") > 20
    assert reader.elements.count("details") > 15
    assert not {"script", "link", "img", "iframe", "object", "foreignobject"} & set(reader.elements)


def test_nothing_is_fetched(run: Run) -> None:
    text = page(run)
    assert not re.search(r"https?://|//[a-z]|url\(|@import|javascript:", text)
    assert {value[:1] for _, name, value in Reader(text).attributes if name in ("href", "src")} == {"#"}
    assert "default-src 'none'" in text.replace("&#x27;", "'")


def test_no_number_is_missing_from_a_picture(run: Run) -> None:
    for _, name, value in Reader(page(run)).attributes:
        if name in ("x", "y", "x1", "x2", "y1", "y2", "cx", "cy", "width", "points", "d"):
            assert "nan" not in value
            assert "inf" not in value


def test_links_lead_somewhere(run: Run) -> None:
    reader = Reader(page(run))
    assert set(reader.values("href")) <= {f"#{name}" for name in reader.values("id")}


def test_pictures_can_be_read_aloud(run: Run) -> None:
    reader = Reader(page(run))
    charts = [value for tag, name, value in reader.attributes if (tag, name) == ("svg", "aria-labelledby")]
    named = {name for value in charts for name in value.split()}
    assert len(charts) > 15
    assert named <= set(reader.values("id"))
    # The others are hidden, since the adjacent text has the same information.
    hidden = [value for tag, name, value in reader.attributes if (tag, name) == ("svg", "aria-hidden")]
    assert len(charts) + len(hidden) == reader.elements.count("svg")


def test_the_figures_are_there(run: Run) -> None:
    words = Reader(page(run)).words
    for expected in (
        "of the floor",
        "uvicorn",
        "24 November 2026",
        "abc1234",
        "Little's law",
        "not measured",
    ):
        assert expected.lower() in words.lower(), expected
    assert "wrong body at byte 1,024" in words
    assert "python -m benchmarks" in words


def test_a_run_of_one_round_is_said_to_be_no_measurement(run: Run) -> None:
    assert "Only " not in page(run)
    run.samples = [each for each in run.samples if each.round == 1]
    assert "Only 1 round: too few for reliable figures" in page(run)


def test_directories_of_the_machine_are_not(run: Run) -> None:
    run.peers["nginx"] = Peer("nginx", "nginx", "/home/someone/bin/nginx -p /tmp/secret/scratch")
    text = page(run)
    assert "someone" not in text
    assert "secret" not in text
    assert "nginx -p scratch" in text


def hostile(sample: Sample) -> Sample:
    """Replace the texts of a sample with hostile ones."""
    peer = HOSTILE if sample.peer == "nginx" else sample.peer
    workload = HOSTILE if sample.workload in ("browser", "during both", "storm") else sample.workload
    return replace(sample, peer=peer, workload=workload)


def test_whatever_was_measured_is_escaped(run: Run) -> None:
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
        Run(environment={"started": "some day"}),
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
    assert not re.search(r'"[^"]*\b(nan|inf)\b[^"]*"', text)


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
    "name", ["ink", "muted", "accent", "good", "bad", "nginx", "bjoern", "uvicorn", "granian"]
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


def test_linear_scales_begin_at_nothing_and_have_round_steps() -> None:
    scale = Linear(43_512, 100, 0, number)
    assert [words for _, words in scale.ticks()] == ["0", "20,000", "40,000", "60,000"]
    assert scale(0) == 100
    assert scale(60_000) == 0
    memory = Linear(120 * MIB, 0, 100, byte_size, MIB)
    assert [words for _, words in memory.ticks()] == ["0 B", "50 MiB", "100 MiB", "150 MiB"]


@pytest.mark.parametrize("high", [0, 0.001, 1, 7, 9.99, 10, 10.01, 99_999, 1e9])
def test_linear_scales_reach_the_greatest(high: float) -> None:
    scale = Linear(high, 0, 100, number)
    assert scale(high) <= 100.5
    assert 3 <= len(scale.ticks()) <= 7


def test_logarithmic_scales_go_by_factors() -> None:
    scale = Log(0.001, 1, 0, 300, seconds)
    assert scale(0.01) == pytest.approx(100)
    assert scale(5) == 300
    assert scale(0) == 0
    assert [words for _, words in scale.ticks()] == ["1 ms", "10 ms", "100 ms", "1 s"]


@pytest.mark.parametrize("values", [[], [1], [0, math.nan], [2, 2], [1e-6, 60]])
def test_logarithmic_scales_have_ticks_whatever_was_measured(values: list[float]) -> None:
    scale = log_around(values, 0, 100, seconds)
    assert scale.ticks()
    assert all(0 <= scale(value) <= 100 for value in values if value > 0)


def test_each_nine_is_as_far_from_the_next() -> None:
    scale = Tail(0, 300)
    places = [scale(each) for each in (0.9, 0.99, 0.999, 0.9999)]
    assert places[-1] == pytest.approx(300)
    assert places[1] - places[0] == pytest.approx(places[2] - places[1])
    assert [words for _, words in Tail(0, 300, 0.999).ticks()] == ["50%", "90%", "99%", "99.9%"]


def test_ordinal_places_are_evenly_apart() -> None:
    scale = Ordinal([0, 100, 10_000], 0, 10, number)
    assert [scale(each) for each in (0, 100, 10_000)] == [0, 5, 10]


@pytest.mark.parametrize("places", [[50, 50, 50], [0, 1, 99, 100], [3, 2, 1], [100] * 5, []])
def test_names_are_never_one_over_another(places: list[float]) -> None:
    moved = apart(places, 13, 0, 100)
    ordered = sorted(moved)
    assert all(after - before >= 13 - 1e-9 for before, after in itertools.pairwise(ordered))
    assert all(-1e-9 <= each <= 100 + 1e-9 for each in moved)
    # The order is unchanged.
    assert sorted(range(len(places)), key=lambda index: (places[index], index)) == sorted(
        range(len(places)), key=lambda index: moved[index]
    )
