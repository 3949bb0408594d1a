"""Tables fit a terminal, mark ties, and are written into a README."""

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.questions import QUESTIONS
from benchmarks.results import readme_table
from benchmarks.results.checks import check
from benchmarks.results.samples import Run
from benchmarks.results.statistics import Figure, figures
from benchmarks.results.summary import summarize
from benchmarks.results.tables import LEFT, RIGHT, WIDTH, Table, checks_table, spread, tables, targets_table
from benchmarks.results.targets import evaluate
from benchmarks.results.units import SECONDS


def test_columns_are_aligned() -> None:
    table = Table("t", ("name", "n", "why"), (LEFT, RIGHT, LEFT), [["a", "1", "x"], ["bcd e", "1,000", "y"]])
    assert table.text().splitlines() == [
        "t",
        "name       n  why",
        "a          1  x",
        "bcd e  1,000  y",
    ]


def test_what_the_line_above_says_is_not_said_again() -> None:
    table = Table("", ("a", "b"), (LEFT, RIGHT), [["x", "1"], ["x", "2"], ["y", "3"]])
    assert [line[:1] for line in table.text().splitlines()[2:]] == ["x", " ", "y"]


def test_a_last_column_that_is_long_is_folded_below_itself() -> None:
    table = Table("", ("a", "b"), (LEFT, LEFT), [["x", "word " * 40]])
    lines = table.text().splitlines()[2:]
    assert len(lines) > 1
    assert all(line.startswith("   word") for line in lines[1:])
    assert max(map(len, lines)) <= WIDTH


@pytest.mark.parametrize("question", QUESTIONS)
def test_every_question_has_tables_that_fit_a_terminal(run: Run, question: str) -> None:
    found = tables(run, question)
    assert found
    for table in found:
        assert table.lines
        assert max(map(len, table.text().splitlines())) <= WIDTH


def test_the_tables_of_a_whole_run_fit_a_terminal(run: Run) -> None:
    for table in (targets_table(evaluate(figures(run))), checks_table(check(run))):
        assert max(map(len, table.text().splitlines())) <= WIDTH


def test_a_question_that_was_not_asked_has_no_table() -> None:
    assert [tables(Run(), question) for question in QUESTIONS] == [[]] * len(QUESTIONS)


def test_a_peer_that_is_level_is_said_to_be(run: Run) -> None:
    run.samples = [each for each in run.samples if each.workload == "hot" and each.question == "throughput"]
    ours = [each for each in run.samples if each.peer == "reactor"]
    faster = {1: 1.1, 2: 0.9, 3: 1.0}
    level = [replace(each, peer="level", seconds=each.seconds * faster[each.round]) for each in ours]
    run.samples += level
    (table,) = tables(run, "throughput")
    line = next(line for line in table.lines if line[0] == "level")
    assert line[3].endswith("a tie")
    assert not any("tie" in line[3] for line in table.lines if line[0] in ("uvicorn", "bare loop"))


def test_rows_are_medians_and_all_times_together(run: Run) -> None:
    row = next(
        row for row in summarize(run, "throughput") if (row.cell.workload, row.peer) == ("hot", "nginx")
    )
    samples = run.select(question="throughput", workload="hot", peer="nginx")
    assert row.rate.median == sorted(each.rate for each in samples)[1]
    assert row.latency.count == sum(each.latency.count for each in samples)
    assert row.errors == 0
    assert row.against is not None
    assert row.against.rounds == len(samples) == 3
    assert [each.peer for each in summarize(run, "throughput") if each.against is None] == ["reactor"] * 5


@pytest.mark.parametrize(
    ("figure", "words"),
    [
        (Figure(1, 0.5, 2, 3), "0.50 to 2.00"),
        (Figure(1, 0.001, 0.002, 3, SECONDS), "1.00 to 2.00 ms"),
        (Figure(1, 0.0001, 0.002, 3, SECONDS), "100 µs to 2.00 ms"),
        (Figure(1, 1, 1, 1), "one round"),
    ],
)
def test_a_spread_says_its_unit_once(figure: Figure, words: str) -> None:
    assert spread(figure) == words


def test_markdown_cannot_be_broken_out_of() -> None:
    table = Table("", ("a",), (LEFT,), [["x | <b>"]])
    assert table.markdown().splitlines()[2] == "| x \\| &lt;b> |"


def test_the_readme_says_what_was_measured_where_and_when(run: Run) -> None:
    text = readme_table.markdown(run)
    assert "24 November 2026" in text
    assert "Example CPU at 3 GHz, 2 cores, CPython 3.11.7" in text
    assert "commit abc1234" in text
    assert "`python -m benchmarks`" in text
    assert "| hot | at least 0.70 " in text
    assert len([line for line in text.splitlines() if line.startswith("| ")]) == 31 + 2
    assert "Self-checks: 8 PASS." in text


def test_the_readme_says_what_a_request_takes_of_the_processor(run: Run) -> None:
    known = figures(run)
    expected = f"hot {known['hot.cpu.floor'].median:.2f}, browser {known['browser.cpu.floor'].median:.2f}"
    assert f"the ratios to the floor are: {expected}" in readme_table.markdown(run)
    run.samples = [each for each in run.samples if each.peer != "bare loop"]
    assert "ratios to the floor" not in readme_table.markdown(run)


def test_the_readme_tells_what_the_self_checks_warn_of(run: Run) -> None:
    run.environment["load"] = 9.5
    assert "quiet machine: load average 9.50" in readme_table.markdown(run)


def test_figures_replace_what_is_between_the_markers() -> None:
    text = f"before\n{readme_table.BEGIN}\nold\n{readme_table.END}\nafter\n"
    assert (
        readme_table.replaced(text, "new")
        == f"before\n{readme_table.BEGIN}\nnew\n{readme_table.END}\nafter\n"
    )
    assert readme_table.replaced(readme_table.replaced(text, "new"), "new") == readme_table.replaced(
        text, "new"
    )


@pytest.mark.parametrize(
    "text", ["", f"{readme_table.BEGIN}\n", f"{readme_table.END}\n{readme_table.BEGIN}\n"]
)
def test_a_text_without_markers_is_left_alone(text: str, run: Run, tmp_path: Path) -> None:
    file, results = tmp_path / "README.md", tmp_path / "run.json"
    file.write_text(text)
    run.save(results)
    assert readme_table.main([str(results), "--write", str(file)]) == 2
    assert file.read_text() == text


def test_the_readme_is_written(run: Run, tmp_path: Path) -> None:
    file, results = tmp_path / "README.md", tmp_path / "run.json"
    file.write_text(f"a\n{readme_table.BEGIN}\n{readme_table.END}\nb\n")
    run.save(results)
    assert readme_table.main([str(results), "--write", str(file)]) == 0
    assert (
        file.read_text() == f"a\n{readme_table.BEGIN}\n{readme_table.markdown(run)}\n{readme_table.END}\nb\n"
    )
