"""Tables fit a terminal, mark ties, and are written into a README."""

from collections.abc import Sequence
from dataclasses import replace
from math import nan

import pytest

from benchmarks.load.histogram import Histogram
from benchmarks.questions import QUESTIONS
from benchmarks.results import readme_table
from benchmarks.results.assertions import is_figure
from benchmarks.results.samples import Run
from benchmarks.results.statistics import rows
from benchmarks.results.tables import LEFT, RIGHT, SHOWN, WIDTH, Table, closing_tables, cpu_table, tables
from benchmarks.results.targets import TARGETS


def test_columns_are_aligned() -> None:
    table = Table("t", ("name", "n", "why"), (LEFT, RIGHT, LEFT), [["a", "1", "x"], ["bcd e", "1,000", "y"]])
    assert table.text().splitlines() == ["t", "name       n  why", "a          1  x", "bcd e  1,000  y"]


def test_a_last_column_that_is_long_is_folded_below_itself() -> None:
    table = Table("", ("a", "b"), (LEFT, LEFT), [["x", "word " * 40]])
    lines = table.text().splitlines()[1:]
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
    assert [each.title.partition(":")[0] for each in closing_tables(run)] == [
        "CPU time per request in µs; for large files requests/s; * limited by the client",
        "targets",
        "self-checks",
        "not measured",
    ]
    for table in closing_tables(run):
        assert max(map(len, table.text().splitlines())) <= WIDTH


def test_a_question_that_was_not_asked_has_no_table() -> None:
    assert [tables(Run(), question) for question in QUESTIONS] == [[]] * len(QUESTIONS)
    assert closing_tables(Run()) == []


def test_all_questions_are_described() -> None:
    assert set(SHOWN) == set(QUESTIONS)
    assert not [name for shown in SHOWN.values() for name, *_ in shown.headlines if not is_figure(name)]


def test_cpu_times_are_in_one_table_with_their_spread(run: Run) -> None:
    cpu = {"reactor": 0.5, "reactor +log": 0.75, "nginx": 0.25}
    several = [
        replace(
            sample,
            requests=1000,
            seconds=0.03 + 0.001 * sample.round,
            server_cpu=cpu.get(sample.peer, 1.0),
            client_cpu=0.95 if (sample.peer, sample.round) == ("bjoern", 2) else 0.94,
        )
        for sample in run.samples
        if sample.workload in ("hot", "file 1 MiB")
    ]
    run.samples = [*several, *(replace(each, peer="mine") for each in several if each.peer == "nginx")]
    run.peers["mine"] = run.peers["nginx"]
    table = cpu_table(run)
    assert table.heads == (
        "workload",
        "bare loop",
        "nginx",
        "bjoern",
        "granian",
        "uvicorn",
        "reactor",
        "mine",
    )
    lines = {name: dict(zip(table.heads[1:], line, strict=True)) for name, *line in table.lines}
    assert list(lines) == ["hot", "hot, access log", "file 1 MiB"]
    assert (
        lines["hot"] | {"granian": "32.0 ±3 %", "reactor": "16.0 ±3 %", "mine": "8.00 ±3 %"} == lines["hot"]
    )
    assert lines["hot"]["bjoern"] == "32.0 ±3 % *"
    assert {each for each in lines["hot, access log"].values() if each != "-"} == {"24.0 ±3 %"}
    assert (lines["file 1 MiB"]["bare loop"], lines["file 1 MiB"]["nginx"]) == ("-", "31,250/s ±3 %")
    run.samples = [each for each in several if each.round == 1]
    assert cpu_table(run).lines[0][1] == "31.0"


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
    found = rows(run, "throughput")
    row = next(row for row in found if (row.cell.workload, row.peer) == ("hot", "nginx"))
    samples = run.select(question="throughput", workload="hot", peer="nginx")
    assert row.rate.median == sorted(each.rate for each in samples)[1]
    assert row.latency.count == sum(each.latency.count for each in samples)
    assert row.against is not None
    assert row.against.rounds == len(samples) == 3
    assert [each.peer for each in found if each.against is None] == ["reactor"] * 7


def test_failed_requests_are_shown_with_their_reasons(run: Run) -> None:
    assert [table.note for table in tables(run, "files")] == [""] * 6
    run.samples = [
        replace(each, errors=4, failures={"503": 4}) if each.peer in ("nginx", "tornado") else each
        for each in run.samples
    ]
    lines = next(iter(tables(run, "files"))).text().splitlines()
    assert lines[-1] == "errors: file-4-KiB, nginx: 12 (503: 12); file-4-KiB, tornado: 12 (503: 12)"
    assert max(map(len, lines)) <= WIDTH
    assert "concurrency-512, nginx: 12 (503: 12)" in " ".join(tables(run, "concurrency")[0].text().split())


@pytest.mark.parametrize(
    ("question", "columns"), [("throughput", ("CPU", "client CPU")), ("idle", ("CPU", "memory", "per idle"))]
)
def test_unknown_processor_time_and_memory_are_not_zero(
    run: Run, question: str, columns: Sequence[str]
) -> None:
    run.samples = [
        replace(each, server_cpu=nan, client_cpu=nan, resident=nan, latency=Histogram(), requests=0)
        for each in run.samples
    ]
    for table in tables(run, question):
        for line in table.lines:
            cells = dict(zip(table.heads, line, strict=True))
            assert {cells[name] for name in columns} <= {"unknown", "-"}
            assert cells["p99"] == "-"


def test_markdown_cannot_be_broken_out_of() -> None:
    table = Table("", ("a",), (LEFT,), [["x | <b>"]])
    assert table.markdown().splitlines()[2] == "| x \\| &lt;b> |"


def test_the_readme_says_what_was_measured_where_and_when(run: Run) -> None:
    text = readme_table.markdown(run)
    words = " ".join(text.split())
    assert "on 2026-11-24" in words
    assert "Example CPU at 3 GHz, 2 cores, CPython 3.11.7" in words
    assert "commit abc1234 and seed 7" in words
    assert "`python -m benchmarks`" in words
    assert "| hot | at least 0.70 " in text
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    tables = len(TARGETS), len(run.select(question="attack")), len(cpu_table(run).lines)
    assert len(lines) == sum(tables) + 2 * len(tables)
    assert "\ntargets: " in text
    assert "| storm | reactor | 2.00 ms | " in text
    assert "\n\nSelf-checks: 9 passed.\n\n" in text
    assert text.endswith("\n\n- Not measured: waitress: file 1 MiB: wrong body at byte 1,024.")


def test_the_readme_lists_the_warnings_of_the_self_checks(run: Run) -> None:
    run.environment["load"] = 9.5
    ending = "- quiet machine: the load average was 9.50 on 2 cores at the start."
    assert f"Self-checks: 8 passed, 1 with a warning.\n\n{ending}\n" in readme_table.markdown(run)
