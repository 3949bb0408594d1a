"""Reads the tables of requirements, and says what is wrong with them.

    python -m tests.conformance.rfc.tables    counts the rows of each table, and checks them

A table is a Markdown file of this directory. Its rows are under the heading of their chapter, in the
order of the sections:

    section | level | requirement | shown by

The last cell is one or more tests, each in backticks as ``path::name`` or ``path::name[case]``, or else
"not done", "not yet" or "not applicable", a colon, and the reason. A test named within a reason has to
exist, too. Whether it exists is read from its source; only the entries of the corpus
are imported, after which cases are named.
"""

import ast
import re
import sys
from collections import Counter
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from tests.conformance.corpus.build import all_entries

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
TABLES = ("rfc9112.md", "rfc9110.md")

COLUMNS = ["section", "level", "requirement", "shown by"]
LEVELS = ("MUST", "MUST NOT", "SHOULD", "SHOULD NOT", "MAY")
EXEMPTIONS = ("not done", "not yet", "not applicable")

match_section = re.compile(r"[1-9][0-9]*(\.[1-9][0-9]*){0,3}").fullmatch
match_exemption = re.compile(rf"({'|'.join(EXEMPTIONS)}): (.{{10,}})").fullmatch
match_tests = re.compile(r"`[^`]+`(<br>`[^`]+`)*").fullmatch
match_test = re.compile(r"(tests/(?:\w+/)*test_\w+\.py)::(test_\w+)(?:\[(.+)\])?").fullmatch


class Row(NamedTuple):
    """One requirement, its cells as they are written, and its line and chapter."""

    line: int
    chapter: str
    section: str
    level: str
    requirement: str
    shown_by: str

    @property
    def exemption(self) -> str:
        """Which kind of reason is given instead of tests; empty where there are tests."""
        match = match_exemption(self.shown_by)
        return match[1] if match else ""

    @property
    def place(self) -> tuple[int, ...]:
        """The section as numbers, to be compared."""
        return tuple(int(number) for number in self.section.split("."))

    @property
    def tests(self) -> list[str]:
        """Every test that the last cell names, in a reason as well."""
        return re.findall(r"`([^`]*)`", self.shown_by)


class Source(NamedTuple):
    """What a test module holds: its tests, those of them with cases, and every constant as text."""

    tests: frozenset[str]
    parametrized: frozenset[str]
    texts: frozenset[str]


def read_rows(text: str) -> list[Row]:
    """Read the rows of a table; raise ValueError for a line of a table that has other columns."""
    rows, chapter = [], ""
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("## "):
            chapter = line.split()[1]
        if not line.startswith("|"):
            continue
        cells = [cell.strip() for cell in line.strip().strip("|").split(" | ")]
        if cells == COLUMNS or set(line) <= set("|-"):
            continue
        if len(cells) != len(COLUMNS):
            raise ValueError(f"line {number} has {len(cells)} cells")
        rows.append(Row(number, chapter, *cells))
    return rows


def summary(rows: list[Row]) -> str:
    """Count the rows in words, as the head of each table has them."""
    count = Counter(row.exemption for row in rows)
    exempted = ", ".join(f"{count[exemption]} {exemption}" for exemption in EXEMPTIONS)
    return f"**{len(rows)} requirements**: {count['']} shown by tests, {exempted}."


# What can be wrong.


def faults(text: str) -> Iterator[str]:
    """Say in words what is wrong with a table."""
    rows = read_rows(text)
    if summary(rows) not in text:
        yield f"wrong summary; expected: {summary(rows)}"
    for row in rows:
        for fault in (*_faults_of_cells(row), *_faults_of_tests(row)):
            yield f"line {row.line}: {fault}"
    yield from _faults_of_order(rows)


def _faults_of_cells(row: Row) -> Iterator[str]:
    if match_section(row.section) is None:
        yield f"{row.section!r} is not a section"
    elif row.section.split(".")[0] != row.chapter:
        yield f"section {row.section} is listed in chapter {row.chapter}"
    if row.level not in LEVELS:
        yield f"{row.level!r} is not a level"
    if not row.requirement.endswith(".") or len(row.requirement.split()) < 3:
        yield "the requirement is not a sentence"
    if not row.exemption and match_tests(row.shown_by) is None:
        yield "neither tests nor a reason"


def _faults_of_tests(row: Row) -> Iterator[str]:
    for test in row.tests:
        fault = fault_of_test(test)
        if fault:
            yield f"{test}: {fault}"
    if len(set(row.tests)) < len(row.tests):
        yield "a test is named twice"


def _faults_of_order(rows: list[Row]) -> Iterator[str]:
    well_formed = [row for row in rows if match_section(row.section)]
    for before, row in pairwise(well_formed):
        if row.place < before.place:
            yield f"line {row.line}: section {row.section} is after {before.section}"
    for requirement, count in Counter(row.requirement.casefold() for row in rows).items():
        if count > 1:
            yield f"{count} rows have the requirement: {requirement}"


# The tests that are named.


def fault_of_test(name: str) -> str:
    """Say what is wrong with the name of a test; nothing, where there is such a test."""
    match = match_test(name)
    if match is None:
        return "is not the name of a test"
    path, function, case = match.groups()
    if not (ROOT / path).is_file():
        return "the file does not exist"
    source = read_source(path)
    if function not in source.tests:
        return "the test does not exist"
    if case is None:
        return ""
    if function not in source.parametrized:
        return "has no cases"
    # A case is known by its id, or by the values in it, joined by hyphens. This finds a name that is
    # misspelt; that pytest collects just this case, a test asks of pytest.
    known = case in source.texts or set(case.split("-")) & source.texts
    return "" if known else "the case does not exist"


@cache
def read_source(path: str) -> Source:
    """Read the tests of a module out of its source."""
    tree = ast.parse((ROOT / path).read_text())
    imported = {node.module for node in tree.body if isinstance(node, ast.ImportFrom)}
    functions = [
        node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    ]
    marks = {
        target.id
        for node in tree.body
        if isinstance(node, ast.Assign) and "parametrize" in ast.dump(node.value)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    constants = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)]
    if "tests.support.malformed" in imported:  # the cases have its names
        shared = ast.parse((ROOT / "tests" / "support" / "malformed.py").read_text())
        constants += [node.value for node in ast.walk(shared) if isinstance(node, ast.Constant)]
    texts = {str(value) for value in constants} | {ascii(value) for value in constants}
    if "tests.conformance.corpus.build" in imported:  # the cases are named after its entries
        texts |= {name for entry in all_entries() for name in (entry.name, f"{entry.directory}/{entry.name}")}
    return Source(
        frozenset(function.name for function in functions),
        frozenset(function.name for function in functions if _has_cases(function, marks)),
        frozenset(texts),
    )


def _has_cases(function: ast.FunctionDef, marks: set[str]) -> bool:
    """Say whether a test is parametrized, by a decorator or by one that has a name of its own."""
    return any(
        "parametrize" in ast.dump(decorator) or (isinstance(decorator, ast.Name) and decorator.id in marks)
        for decorator in function.decorator_list
    )


def main() -> int:
    """Print what each table holds, and what is wrong with it; return how many things are."""
    total = 0
    for name in TABLES:
        text = (HERE / name).read_text()
        print(f"{name}: {summary(read_rows(text)).replace('*', '')}")
        for fault in faults(text):
            print(f"    {fault}")
            total += 1
    return total


if __name__ == "__main__":
    sys.exit(min(main(), 1))
