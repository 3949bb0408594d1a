"""Each requirement is in its place, and is shown by a test that exists, or says why not."""

import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.conformance.rfc.tables import HERE, ROOT, TABLES, faults, read_rows, read_source, summary

OWN_TESTS = sorted(path.name for path in HERE.glob("test_rfc*.py"))
KNOWN = "tests/unit/server/test_refusals.py::test_a_refused_request_is_answered_with_the_logged_reason"
PLAIN = "tests/unit/server/test_refusals.py::test_a_refused_large_upload_is_not_reset"


def read(name: str) -> str:
    return (HERE / name).read_text()


@pytest.mark.parametrize("name", TABLES)
def test_a_table_has_no_fault(name: str) -> None:
    assert list(faults(read(name))) == []


@pytest.mark.parametrize("name", TABLES)
def test_most_rows_of_a_table_name_tests(name: str) -> None:
    rows = read_rows(read(name))
    assert len(rows) >= 100
    assert sum(not row.exemption for row in rows) > len(rows) / 2
    assert sum(row.exemption == "not done" for row in rows) < len(rows) / 10


@pytest.mark.parametrize("name", OWN_TESTS)
def test_every_test_of_this_folder_is_named_in_a_table(name: str) -> None:
    named = set(named_tests())
    path = f"tests/conformance/rfc/{name}"
    assert {f"{path}::{test}" for test in read_source(path).tests} <= named


def named_tests() -> Iterator[str]:
    for table in TABLES:
        for row in read_rows(read(table)):
            yield from (test.partition("[")[0] for test in row.tests)


def test_every_chapter_with_requirements_is_listed() -> None:
    chapters = {name: {row.chapter for row in read_rows(read(name))} for name in TABLES}
    assert chapters["rfc9112.md"] == {str(number) for number in range(2, 12)}
    assert chapters["rfc9110.md"] == {str(number) for number in range(2, 18)}


@pytest.mark.system
def test_pytest_collects_every_named_case() -> None:
    cases = {test for name in TABLES for row in read_rows(read(name)) for test in row.tests if "[" in test}
    paths = sorted({case.partition("::")[0] for case in cases})
    command = [
        sys.executable,
        "-m",
        "pytest",
        "--collect-only",
        "-q",
        "-m",
        "",
        "-p",
        "no:cacheprovider",
        *paths,
    ]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    assert cases
    assert sorted(cases - set(listed.stdout.splitlines())) == []


# The checks find what they are there for.


def table(*rows: str) -> str:
    """Write a table of one chapter, with a summary that is right."""
    body = "\n".join(rows)
    head = "## 2 Message\n\n| section | level | requirement | shown by |\n|---|---|---|---|\n"
    return summary(read_rows(head + body)) + "\n" + head + body


def row(
    section: str = "2.1",
    level: str = "MUST",
    requirement: str = "This is what is required here.",
    shown_by: str = f"`{PLAIN}`",
) -> str:
    return f"| {section} | {level} | {requirement} | {shown_by} |"


FAULTY = {
    "malformed section": ([row("2.x")], "is not a section"),
    "trailing dot in the section": ([row("2.1.")], "is not a section"),
    "leading zero in the section": ([row("2.01")], "is not a section"),
    "section of another chapter": ([row("3.1")], "is listed in chapter 2"),
    "unknown level": ([row(level="SHALL")], "is not a level"),
    "level in lower case": ([row(level="must")], "is not a level"),
    "requirement is not a sentence": ([row(requirement="short.")], "is not a sentence"),
    "neither tests nor a reason": ([row(shown_by="")], "neither tests nor a reason"),
    "unknown exemption": ([row(shown_by="to be done")], "neither tests nor a reason"),
    "exemption without a reason": ([row(shown_by="not done:")], "neither tests nor a reason"),
    "test without backticks": ([row(shown_by=PLAIN)], "neither tests nor a reason"),
    "missing file": ([row(shown_by="`tests/test_none.py::test_a`")], "the file does not exist"),
    "missing test": (
        [row(shown_by="`tests/unit/server/test_refusals.py::test_a`")],
        "the test does not exist",
    ),
    "function that is not a test": (
        [row(shown_by="`tests/unit/server/test_refusals.py::head`")],
        "not the name of a test",
    ),
    "file without tests": (
        [row(shown_by="`tests/support/in_process.py::test_a`")],
        "not the name of a test",
    ),
    "missing test in a reason": (
        [row(shown_by="not done: it is refused (`tests/unit/server/test_refusals.py::test_a`)")],
        "the test does not exist",
    ),
    "missing case": ([row(shown_by=f"`{KNOWN}[none]`")], "the case does not exist"),
    "case of a test without cases": ([row(shown_by=f"`{PLAIN}[host-missing]`")], "has no cases"),
    "repeated test": ([row(shown_by=f"`{PLAIN}`<br>`{PLAIN}`")], "named twice"),
    "wrong order": ([row("2.10"), row("2.9", requirement="This is another.......")], "is after 2.10"),
    "repeated requirement": ([row(), row("2.2")], "2 rows have the requirement"),
}


@pytest.mark.parametrize(("rows", "fault"), FAULTY.values(), ids=FAULTY.keys())
def test_a_planted_fault_is_found(rows: list[str], fault: str) -> None:
    found = list(faults(table(*rows)))
    assert len(found) == 1
    assert fault in found[0]


@pytest.mark.parametrize(
    "shown_by",
    [
        f"`{PLAIN}`",
        f"`{KNOWN}[host-missing]`",
        f"`{KNOWN}[host-missing]`<br>`{PLAIN}`",
        "not done: there is a good reason for it",
        f"not applicable: another test explains it (`{PLAIN}`)",
    ],
)
def test_a_valid_table_has_no_fault(shown_by: str) -> None:
    assert list(faults(table(row(shown_by=shown_by)))) == []


def test_a_wrong_summary_is_found() -> None:
    assert "1 requirements" in next(faults(table(row()).replace("**1", "**2")))


def test_a_row_with_missing_cells_is_found() -> None:
    with pytest.raises(ValueError, match="line 5 has 3 cells"):
        read_rows("\n\n\n\n| 2.1 | MUST | This is required. |")
