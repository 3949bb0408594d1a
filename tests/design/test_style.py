"""The rules of the house style that a program can check."""

import ast
from collections.abc import Callable, Iterator

import pytest

from tests.design.sources import read_sources

SOURCES = read_sources("reactor", "handlers")
TESTS = read_sources("tests")
MAY_PRINT = "reactor/lessons/"
FUNCTION = (ast.FunctionDef, ast.AsyncFunctionDef)


def undocumented(source: str) -> Iterator[str]:
    """Yield the public module, classes, functions and methods that have no docstring, overloads left out."""

    def visit(node: ast.Module | ast.ClassDef, prefix: str) -> Iterator[str]:
        for child in node.body:
            if isinstance(child, (ast.ClassDef, *FUNCTION)) and not child.name.startswith("_"):
                is_overload = "overload" in map(ast.unparse, child.decorator_list)
                if not ast.get_docstring(child) and not is_overload:
                    yield prefix + child.name
                if isinstance(child, ast.ClassDef):
                    yield from visit(child, f"{prefix}{child.name}.")

    tree = ast.parse(source)
    if not ast.get_docstring(tree):
        yield "the module"
    yield from visit(tree, "")


def bare_excepts(source: str) -> Iterator[int]:
    """Yield the lines with an ``except`` without an exception class."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ExceptHandler) and node.type is None:
            yield node.lineno


def prints(source: str) -> Iterator[int]:
    """Yield the lines that call ``print``."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Name) and node.id == "print":
            yield node.lineno


def sleeps(source: str) -> Iterator[int]:
    """Yield the lines that call, or import, a ``sleep``."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute) and node.attr == "sleep":
            yield node.lineno
        if isinstance(node, ast.ImportFrom) and any(alias.name == "sleep" for alias in node.names):
            yield node.lineno


def star_imports(source: str) -> Iterator[int]:
    """Yield the lines that import all names of a module."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and any(alias.name == "*" for alias in node.names):
            yield node.lineno


def docstring_uses(source: str) -> Iterator[int]:
    """Yield the lines that read a docstring, which is missing under -OO."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Name | ast.Attribute) and ast.unparse(node).endswith("__doc__"):
            yield node.lineno
        if isinstance(node, ast.Attribute | ast.Name) and ast.unparse(node).endswith("getdoc"):
            yield node.lineno


Check = Callable[[str], Iterator[object]]

RULES: list[tuple[Check, dict[str, str]]] = [
    (undocumented, SOURCES),
    (bare_excepts, SOURCES | TESTS),
    (prints, {path: source for path, source in SOURCES.items() if not path.startswith(MAY_PRINT)}),
    (sleeps, SOURCES | TESTS),
    (star_imports, SOURCES | TESTS),
    (docstring_uses, SOURCES),
]


@pytest.mark.parametrize(("check", "sources"), RULES, ids=lambda value: getattr(value, "__name__", ""))
def test_every_file_follows_the_rule(check: Check, sources: dict[str, str]) -> None:
    assert len(sources) > 20
    assert {path: found for path, source in sources.items() if (found := list(check(source)))} == {}


@pytest.mark.parametrize(
    ("check", "source"),
    [
        (undocumented, "x = 1"),
        (undocumented, "'''M.'''\ndef f(): pass"),
        (undocumented, "'''M.'''\nasync def f(): pass"),
        (undocumented, "'''M.'''\nclass C: pass"),
        (undocumented, "'''M.'''\nclass C:\n    '''C.'''\n    def m(self): pass"),
        (undocumented, "'''M.'''\nclass C:\n    '''C.'''\n    class D: pass"),
        (bare_excepts, "try:\n    pass\nexcept:\n    pass"),
        (docstring_uses, "text = module.__doc__"),
        (docstring_uses, "text = __doc__"),
        (docstring_uses, "text = inspect.getdoc(module)"),
        (prints, "print(1)"),
        (prints, "tell = print"),
        (sleeps, "import time\ntime.sleep(1)"),
        (sleeps, "from time import sleep as wait"),
        (sleeps, "nap = asyncio.sleep"),
        (star_imports, "from os import *"),
    ],
)
def test_a_planted_violation_is_found(check: Check, source: str) -> None:
    assert list(check(source))


@pytest.mark.parametrize(
    ("check", "source"),
    [
        (undocumented, "'''M.'''\ndef _f(): pass\nclass _C:\n    def m(self): pass"),
        (undocumented, "'''M.'''\ndef f():\n    '''F.'''\n    def inner(): pass"),
        (undocumented, "'''M.'''\n@overload\ndef f() -> int: ..."),
        (bare_excepts, "try:\n    pass\nexcept OSError:\n    pass"),
        (prints, "'print(1)'"),
    ],
)
def test_allowed_code_is_not_reported(check: Check, source: str) -> None:
    assert not list(check(source))
