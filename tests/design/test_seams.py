"""No object assigns a function to an attribute of another one: functions are passed to constructors.

A function is what is annotated or declared as one, a lambda, or a function or method that the same file
defines. Other attributes are data, such as the deadline of an event handler.
"""

import ast
from collections.abc import Iterator, Mapping

import pytest

from tests.design.sources import read_sources

SOURCES = read_sources("reactor", "handlers")
FUNCTION = (ast.FunctionDef, ast.AsyncFunctionDef)


def parse(sources: Mapping[str, str]) -> dict[str, ast.Module]:
    return {path: ast.parse(source) for path, source in sources.items()}


def callable_types(trees: Mapping[str, ast.Module]) -> set[str]:
    """Return Callable, and the names that modules define with it."""
    found = {"Callable"}
    for tree in trees.values():
        for node in tree.body:
            if not isinstance(node, ast.Assign) or isinstance(node.value, ast.Constant):
                continue
            if mentions(node.value, {"Callable"}):
                found |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return found


def mentions(annotation: ast.expr | None, names: set[str]) -> bool:
    """Say whether an annotation is one of the names, or a union with one; a list of them is data."""
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        annotation = ast.parse(annotation.value, mode="eval").body
    if isinstance(annotation, ast.BinOp):
        return mentions(annotation.left, names) or mentions(annotation.right, names)
    if isinstance(annotation, ast.Subscript):
        annotation = annotation.value
    return isinstance(annotation, ast.Name) and annotation.id in names


def assignments(tree: ast.AST) -> Iterator[tuple[ast.Attribute, ast.expr | None, ast.expr | None]]:
    """Yield each attribute that is assigned, with the value and the annotation, each None if missing."""
    for node in ast.walk(tree):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Attribute):
            yield node.target, node.value, node.annotation
        elif isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Attribute):
                    yield target, node.value, None
                elif isinstance(target, ast.Tuple):
                    values = (
                        node.value.elts if isinstance(node.value, ast.Tuple) else [None] * len(target.elts)
                    )
                    for each, value in zip(target.elts, values, strict=True):
                        if isinstance(each, ast.Attribute):
                            yield each, value, None


def is_own(target: ast.Attribute) -> bool:
    return isinstance(target.value, ast.Name) and target.value.id in ("self", "cls")


def slots(trees: Mapping[str, ast.Module]) -> set[str]:
    """Return the names of all attributes that are declared to hold a function."""
    types = callable_types(trees)
    found = set()
    for tree in trees.values():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                fields = [each for each in node.body if isinstance(each, ast.AnnAssign)]
                found |= {ast.unparse(each.target) for each in fields if mentions(each.annotation, types)}
            elif isinstance(node, FUNCTION):
                arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
                functions = {each.arg for each in arguments if mentions(each.annotation, types)}
                for target, value, annotation in assignments(node):
                    is_function = isinstance(value, ast.Lambda) or mentions(annotation, types)
                    if is_own(target) and (
                        is_function or (isinstance(value, ast.Name) and value.id in functions)
                    ):
                        found.add(target.attr)
    return found


def is_function(value: ast.expr | None, defined: set[str]) -> bool:
    """Say whether a value is a lambda, or a function or method with a name that is defined."""
    if isinstance(value, ast.Attribute):
        return is_own(value) and value.attr in defined
    return isinstance(value, ast.Lambda) or (isinstance(value, ast.Name) and value.id in defined)


def functions_assigned(sources: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return each file and attribute of another object to which it assigns a function."""
    trees = parse(sources)
    names = slots(trees)
    found = []
    for path, tree in trees.items():
        defined = {node.name for node in ast.walk(tree) if isinstance(node, FUNCTION)}
        found += [
            (path, ast.unparse(target))
            for target, value, _ in assignments(tree)
            if not is_own(target) and (target.attr in names or is_function(value, defined))
        ]
        found += [
            (path, ast.unparse(node))
            for node in ast.walk(tree)
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "setattr"
        ]
    return found


def test_no_function_is_assigned_from_outside() -> None:
    assert functions_assigned(SOURCES) == []


def test_replaceable_functions_are_found() -> None:
    assert {"clock", "wall_clock", "make_connection", "handler", "_wake"} <= slots(parse(SOURCES))


DECLARED = """
class Server:
    def __init__(self):
        self.heard: Callable[[int], None] = lambda number: None
"""
BY_ALIAS = """
Hear = Callable[[int], None]
class Server:
    heard: Hear | None
def watch(server, hear):
    server.heard = hear
"""
BY_PARAMETER = """
class Server:
    def __init__(self, hear: "Callable[[int], None]"):
        self.heard = hear
def watch(server, hear):
    server.heard = hear
"""
METHOD = """
class Inspector:
    def hear(self): ...
    def watch(self, server):
        server.anything = self.hear
"""


@pytest.mark.parametrize(
    ("planted", "attribute"),
    [
        (f"{DECLARED}def watch(server, hear):\n    server.heard = hear\n", "server.heard"),
        (f"{DECLARED}def watch(server, hear):\n    server.other, server.heard = 1, hear\n", "server.heard"),
        (f"{DECLARED}def watch(server, both):\n    server.other, server.heard = both\n", "server.heard"),
        (
            f"{DECLARED}class A:\n    def b(self, hear):\n        self.server.heard = hear\n",
            "self.server.heard",
        ),
        (BY_ALIAS, "server.heard"),
        (BY_PARAMETER, "server.heard"),
        (METHOD, "server.anything"),
        ("def watch(server):\n    server.anything = lambda: None\n", "server.anything"),
        ("def hear(): ...\ndef watch(server):\n    server.anything = hear\n", "server.anything"),
        ("def close(self): ...\nConnection._close = close\n", "Connection._close"),
        ("def watch(server, hear):\n    setattr(server, 'heard', hear)\n", "setattr(server, 'heard', hear)"),
    ],
)
def test_a_planted_assignment_is_found(planted: str, attribute: str) -> None:
    assert ("reactor/planted.py", attribute) in functions_assigned({"reactor/planted.py": planted})


@pytest.mark.parametrize(
    "harmless",
    [
        "def move(handler, now):\n    handler.deadline = now + 1\n",
        f"{DECLARED}def watch(server):\n    server.other = server.heard\n",
        "class A:\n    def __init__(self, hear: Callable[[], None]):\n        self.heard = hear\n",
        "class A:\n    hears: list[Callable[[], None]]\ndef b(a):\n    a.hears = []\n",
    ],
)
def test_data_and_own_attributes_are_not_found(harmless: str) -> None:
    assert functions_assigned({"reactor/harmless.py": harmless}) == []
