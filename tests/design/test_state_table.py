"""The state table in the docstring of ``connection.py`` against the code, and planted faults."""

import ast
from collections.abc import Iterable
from dataclasses import fields
from typing import Protocol

import pytest

from reactor.event_handler import Interest
from reactor.server import connection
from reactor.server.connection import Connection
from reactor.server.state import State
from reactor.settings import Settings
from tests.design.sources import read_sources
from tests.design.state_table import read_table
from tests.support.in_process import TABLE

TEXT = connection.__doc__ or ""
TIMEOUTS = {each.name for each in fields(Settings) if each.name.endswith("_timeout")}


class Member(Protocol):
    """What the table tells of a state."""

    @property
    def name(self) -> str: ...
    @property
    def interest(self) -> Interest: ...
    @property
    def timeout(self) -> str | None: ...


def table_faults(text: str, states: Iterable[Member]) -> list[str]:
    """Return where a table and the states differ, each fault in a line."""
    rows = read_table(text)
    members = list(states)
    names = [member.name for member in members]
    faults = []
    if list(rows) != names:
        faults.append(f"the rows are {', '.join(rows)}, the states {', '.join(names)}")
    for member in members:
        row = rows.get(member.name)
        if row is None:
            continue
        interest = member.interest.name if member.interest else "-"
        if row.waits_for != interest:
            faults.append(f"{member.name} waits for {row.waits_for} in the table, {interest} in the code")
        if row.deadline != (member.timeout or "-"):
            faults.append(f"{member.name} has the deadline {row.deadline}, in the code {member.timeout}")
        if (row.deadline == "-") != (row.when_it_passes == "-"):
            faults.append(f"{member.name} has a deadline that does nothing, or the other way round")
        if member.timeout is not None and f"{member.timeout}_timeout" not in TIMEOUTS:
            faults.append(f"there is no setting {member.timeout}_timeout")
    for name, row in rows.items():
        faults += [f"{name} leads to {target}, which is none" for target in row.then if target not in rows]
        faults += [
            f"{name} leads to {target} twice" for target in set(row.then) if row.then.count(target) > 1
        ]
    return faults


def test_the_table_is_the_code() -> None:
    assert table_faults(TEXT, State) == []


def test_the_docstring_has_the_rows_of_the_data() -> None:
    assert read_table(TEXT) == TABLE


def test_every_state_can_be_reached_and_only_the_last_is_the_end() -> None:
    rows = TABLE
    targets = {target for row in rows.values() for target in row.then}
    assert set(rows) - targets == {"ACCEPTED"}
    assert [name for name, row in rows.items() if not row.then] == ["CLOSED"]
    assert all("CLOSED" in row.then for row in rows.values() if row.then)


@pytest.mark.parametrize(
    ("before", "after", "fault"),
    [
        ("IDLE               READ ", "IDLE               WRITE", "IDLE waits for WRITE in the table, READ"),
        ("DRAINING           READ", "DRAINING           -   ", "DRAINING waits for - in the table, READ"),
        ("CLOSED             -   ", "CLOSED             READ", "CLOSED waits for READ in the table, - "),
        ("keep_alive ", "head       ", "IDLE has the deadline head, in the code keep_alive"),
        ("linger  ", "-       ", "DRAINING has the deadline -, in the code linger"),
        ("keep_alive   close", "keep_alive   -    ", "IDLE has a deadline that does nothing"),
        ("WAITING            READ", "STANDING           READ", "the rows are "),
        (
            "RESPONDING  CLOSED\n    DRAINING",
            "GONE  CLOSED\n    DRAINING",
            "WAITING leads to GONE, which is none",
        ),
        ("answer 408      RESPONDING  CLOSED", "answer 408      CLOSED  CLOSED", "leads to CLOSED twice"),
    ],
)
def test_a_planted_fault_in_the_table_is_found(before: str, after: str, fault: str) -> None:
    assert TEXT.count(before) == 1
    assert fault in "\n".join(table_faults(TEXT.replace(before, after), State))


@pytest.mark.parametrize("name", [state.name for state in State])
def test_a_row_that_is_missing_is_found(name: str) -> None:
    rows = TEXT.split(f"\n    {name} ", 1)
    lines = rows[1].splitlines(keepends=True)[1:]
    while lines and lines[0].startswith(" " * 8):
        lines.pop(0)
    text = f"{rows[0]}\n{''.join(lines)}"
    assert table_faults(text, State)[0].startswith("the rows are ")


def test_rows_in_another_order_are_found() -> None:
    assert table_faults(TEXT, list(State)[::-1])[0].startswith("the rows are ")


def test_a_timeout_without_a_setting_is_found() -> None:
    class Impatient:
        name = "IDLE"
        interest = Interest.READ
        timeout = "nonsense"

    states = [Impatient() if state.name == "IDLE" else state for state in State]
    assert "there is no setting nonsense_timeout" in table_faults(TEXT, states)


# One place changes the state, and no flag stands beside it.


def assignments(source: str) -> Iterable[tuple[str, str, ast.expr | None]]:
    """Yield (class.function, attribute, value) of each assignment to an attribute."""

    def visit(node: ast.AST, where: str) -> Iterable[tuple[str, str, ast.expr | None]]:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            where = f"{where}.{node.name}".lstrip(".")
        targets: list[ast.expr] = []
        if isinstance(node, ast.Assign):
            targets = node.targets
        elif isinstance(node, ast.AnnAssign | ast.AugAssign):
            targets = [node.target]
        for target in targets:
            for each in ast.walk(target):
                if isinstance(each, ast.Attribute) and isinstance(each.ctx, ast.Store):
                    yield where, each.attr, getattr(node, "value", None)
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("setattr"):
            yield where, ast.literal_eval(node.args[1]), node.args[2]
        for child in ast.iter_child_nodes(node):
            yield from visit(child, where)

    return visit(ast.parse(source), "")


def state_changes(source: str) -> list[str]:
    """Return where the attribute ``state`` is assigned."""
    return [where for where, attribute, _ in assignments(source) if attribute == "state"]


def flags(source: str) -> list[str]:
    """Return the attributes that are ever assigned a truth value."""

    def is_truth(value: ast.expr | None) -> bool:
        if isinstance(value, ast.Constant):
            return isinstance(value.value, bool)
        return isinstance(value, ast.Compare) or (
            isinstance(value, ast.UnaryOp) and isinstance(value.op, ast.Not)
        )

    return [attribute for _, attribute, value in assignments(source) if is_truth(value)]


# The server's own state, and the acceptor's.
WITH_STATES_OF_THEIR_OWN = {
    "reactor/server/acceptor.py": ["Acceptor.__init__", "Acceptor._enter"],
    "reactor/server/context.py": ["ServerContext.__init__", "ServerContext.enter"],
}
SOURCE = read_sources("reactor")["reactor/server/connection.py"]
PLANT = "class Connection:\n    def on_readable(self):\n        {line}\n"


def test_one_method_changes_the_state() -> None:
    assert state_changes(SOURCE) == ["Connection._enter"]
    others = read_sources("reactor")
    del others["reactor/server/connection.py"]
    found = {path: changes for path, source in others.items() if (changes := state_changes(source))}
    assert found == WITH_STATES_OF_THEIR_OWN


def test_no_flag_stands_beside_the_state() -> None:
    assert "state" in Connection.__slots__
    assert flags(SOURCE) == []


@pytest.mark.parametrize(
    "line",
    ["self.state = IDLE", "self.state: State = IDLE", "self.x = self.state = 1", "a, self.state = 1, 2"],
)
def test_a_planted_change_of_state_is_found(line: str) -> None:
    assert state_changes(PLANT.format(line=line)) == ["Connection.on_readable"]


@pytest.mark.parametrize(
    "line",
    [
        "self.closing = True",
        "self.closing: bool = False",
        "self.closing = a > b",
        "self.closing = not a",
        "setattr(self, 'closing', True)",
    ],
)
def test_a_planted_flag_is_found(line: str) -> None:
    assert flags(PLANT.format(line=line)) == ["closing"]
