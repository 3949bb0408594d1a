"""The state table in the docstring of ``connection.py``, and flags that would duplicate a state."""

import ast
import re
from collections.abc import Iterable
from dataclasses import fields

import pytest

from reactor.server import connection
from reactor.server.state import OnTimeout, State, table
from reactor.settings import Settings
from tests.design.sources import ROOT, read_sources

TEXT = connection.__doc__ or ""
TIMEOUTS = {each.name for each in fields(Settings) if each.name.endswith("_timeout")}


def table_in(text: str) -> str:
    """Return the table in a docstring: the lines from its header to the next empty line."""
    lines = text.splitlines()
    start = next(index for index, line in enumerate(lines) if line.startswith("    State "))
    return "\n".join(line.removeprefix("    ") for line in lines[start : lines.index("", start)])


def test_the_docstring_table_matches_the_enum() -> None:
    assert table_in(TEXT) == table()


def test_the_map_explains_every_state() -> None:
    section = (ROOT / "reactor" / "README.md").read_text().split("\n### States\n")[1].split("\n### ")[0]
    assert sorted(re.findall(r"^\| ([A-Z_]+) \|", section, re.MULTILINE)) == sorted(State.__members__)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("IDLE                    READ ", "IDLE                    WRITE"),
        ("CLOSED                  -   ", "CLOSED                  READ"),
        ("keep_alive ", "head       "),
        ("keep_alive    close", "keep_alive    reset"),
        ("answer 408 ", "reset      "),
        ("measure rate    RESPONDING YIELDING", "measure rate    RESPONDING"),
        ("RESPONDING FINISHING CLOSED", "RESPONDING DRAINING CLOSED"),
        ("send heartbeat  RESPONDING FINISHING CLOSED", "send heartbeat  RESPONDING CLOSED"),
        (
            "    CONTINUING              WRITE      stall         reset           RECEIVING_CONTENT CLOSED\n",
            "",
        ),
        ("\n    IDLE ", "\n    IDEL "),
    ],
)
def test_a_planted_wrong_row_is_found(before: str, after: str) -> None:
    assert TEXT.count(before) == 1
    assert table_in(TEXT.replace(before, after)) != table()


def test_all_states_are_reachable_and_only_the_last_is_final() -> None:
    targets = {target for state in State for target in state.successors}
    assert set(State) - targets == {State.RECEIVING_PROXY_HEADER}
    assert [state for state in State if not state.successors] == [State.CLOSED]
    assert all(State.CLOSED in state.successors for state in State if state.successors)
    assert all(len(set(state.successors)) == len(state.successors) for state in State)


def test_every_timeout_has_a_setting_and_an_action() -> None:
    assert {f"{state.timeout}_timeout" for state in State if state.timeout} <= TIMEOUTS
    assert all((state.timeout is None) == (state.on_timeout is None) for state in State)
    assert {state.on_timeout for state in State} - {None} == set(OnTimeout)


def test_states_are_numbered_in_the_order_of_the_table() -> None:
    assert [state.index for state in State] == list(range(len(State.__members__)))


# One method changes the state, and no flag duplicates it.


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
    """Return the attributes that are assigned a bool anywhere, or are declared as one."""
    tree = ast.parse(source)
    declared = {
        ast.unparse(node.target).rpartition(".")[2] if isinstance(node, ast.AnnAssign) else node.arg
        for node in ast.walk(tree)
        if isinstance(node, ast.AnnAssign | ast.arg) and node.annotation is not None
        if ast.unparse(node.annotation).partition(" ")[0] == "bool"
    }

    def is_truth(value: ast.expr | None) -> bool:
        if isinstance(value, ast.Constant):
            return isinstance(value.value, bool)
        if isinstance(value, ast.BoolOp):
            return any(map(is_truth, value.values))
        if isinstance(value, ast.Call):
            return ast.unparse(value.func) in ("bool", "isinstance", "hasattr", "any", "all")
        if isinstance(value, ast.Name):
            return value.id in declared
        return isinstance(value, ast.Compare) or (
            isinstance(value, ast.UnaryOp) and isinstance(value.op, ast.Not)
        )

    return [name for _, name, value in assignments(source) if is_truth(value) or name in declared]


SOURCES = read_sources("reactor")
# Objects with a state of their own change it in the same way; the steps of a parser change theirs.
READER = ("__init__", "_read_content", "_read_boundary_end", "_read_boundary_end", "_read_head")
STATEFUL = {
    "reactor/http11/multipart.py": [f"FormReader.{name}" for name in READER],
    "reactor/server/acceptor.py": ["Acceptor.__init__", "Acceptor._enter"],
    "reactor/server/connection.py": ["Connection.__init__", "Connection._enter"],
    "reactor/server/context.py": ["ServerContext.__init__", "ServerContext.enter"],
    "reactor/workers/policy.py": ["WorkerRecord.__init__", "WorkerRecord.enter"],
}
# Objects of one connection, or of all: none of them may have a flag that represents a state.
WITHOUT_FLAGS = [
    "reactor/http11/chunked.py",
    "reactor/http11/framing.py",
    "reactor/http11/parser.py",
    "reactor/server/acceptor.py",
    "reactor/server/connection.py",
    "reactor/server/context.py",
    "reactor/server/request_body.py",
    "reactor/server/shutdown.py",
    "reactor/server/write_buffer.py",
]
PLANT = "class Connection:\n    def on_readable(self):\n        {line}\n"


def test_one_method_changes_the_state() -> None:
    found = {path: changes for path, source in SOURCES.items() if (changes := state_changes(source))}
    assert found == STATEFUL


@pytest.mark.parametrize("path", WITHOUT_FLAGS)
def test_no_flag_duplicates_the_state(path: str) -> None:
    assert flags(SOURCES[path]) == []


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
        "self.closing = bool(a)",
        "self.closing = b and a > 1",
        "self.closing: bool | None = a",
    ],
)
def test_a_planted_flag_is_found(line: str) -> None:
    assert flags(PLANT.format(line=line)) == ["closing"]


def test_a_planted_flag_that_is_an_argument_is_found() -> None:
    source = "class Connection:\n    def __init__(self, closing: bool):\n        self.closing = closing\n"
    assert flags(source) == ["closing"]
