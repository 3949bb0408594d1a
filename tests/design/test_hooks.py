"""Subclasses that observe override public hooks only, and a hook does nothing in its base class."""

import ast
from collections.abc import Iterator, Mapping

import pytest

from tests.design.sources import read_sources

SOURCES = read_sources("reactor")
OBSERVED = ("Reactor", "Connection", "Deadlines")
HOOKS = ("LoopHooks", "ConnectionHooks", "Deadlines")
FUNCTION = (ast.FunctionDef, ast.AsyncFunctionDef)


def classes_in(sources: Mapping[str, str]) -> dict[str, ast.ClassDef]:
    """Return all classes by name."""
    nodes = [node for source in sources.values() for node in ast.walk(ast.parse(source))]
    return {node.name: node for node in nodes if isinstance(node, ast.ClassDef)}


def observers_in(classes: Mapping[str, ast.ClassDef]) -> dict[str, str]:
    """Return the subclasses of the observed classes, at any depth, each with the class that it observes."""
    roots = {name: name for name in OBSERVED}
    while more := {
        name: roots[base]
        for name, node in classes.items()
        for base in (ast.unparse(each).partition("[")[0] for each in node.bases)
        if base in roots and name not in roots
    }:
        roots |= more
    return {name: root for name, root in roots.items() if name not in OBSERVED}


def names_in(node: ast.ClassDef) -> set[str]:
    """Return what a class defines: its methods, and the attributes that it or its methods assign."""
    stored = {
        each.attr if isinstance(each, ast.Attribute) else each.id
        for each in ast.walk(node)
        if (isinstance(each, ast.Attribute) and ast.unparse(each.value) == "self")
        or (isinstance(each, ast.Name) and each in _class_level(node))
        if isinstance(each.ctx, ast.Store)
    }
    return stored | {each.name for each in node.body if isinstance(each, FUNCTION)}


def _class_level(node: ast.ClassDef) -> list[ast.AST]:
    return [
        each for statement in node.body if not isinstance(statement, FUNCTION) for each in ast.walk(statement)
    ]


def private_overrides(sources: Mapping[str, str]) -> Iterator[str]:
    """Yield the private names of a base class that a class that observes defines, too."""
    classes = classes_in(sources)
    for observer, base in observers_in(classes).items():
        for name in sorted(names_in(classes[observer]) & names_in(classes[base])):
            if name.startswith("_") and not name.endswith("__"):
                yield f"{observer}.{name}"


def hooks_in(node: ast.ClassDef) -> list[ast.FunctionDef]:
    """Return the methods for subclasses that observe."""
    return [
        each
        for each in node.body
        if isinstance(each, ast.FunctionDef) and (ast.get_docstring(each) or "").startswith("Observe ")
    ]


def busy_hooks(sources: Mapping[str, str]) -> Iterator[str]:
    """Yield the hooks that do something in their base class."""
    classes = classes_in(sources)
    for base in HOOKS:
        yield from (f"{base}.{hook.name}" for hook in hooks_in(classes[base]) if len(hook.body) > 1)


def planted(path: str, old: str, new: str) -> dict[str, str]:
    """Return the sources with a fault."""
    assert SOURCES[path].count(old) == 1
    return {**SOURCES, path: SOURCES[path].replace(old, new)}


def test_instrumented_classes_override_no_private_name() -> None:
    assert list(private_overrides(SOURCES)) == []


def test_every_instrumented_class_is_checked() -> None:
    assert {
        "InstrumentedReactor": "Reactor",
        "SteppedReactor": "Reactor",
        "InstrumentedConnection": "Connection",
        "InspectedConnection": "Connection",
        "InstrumentedDeadlines": "Deadlines",
    }.items() <= observers_in(classes_in(SOURCES)).items()


def test_hooks_do_nothing_in_the_base_class() -> None:
    classes = classes_in(SOURCES)
    assert [each.name for each in hooks_in(classes["Deadlines"])] == ["on_scheduled"]
    for base in ("LoopHooks", "ConnectionHooks"):
        methods = [each.name for each in classes[base].body if isinstance(each, FUNCTION)]
        assert methods == ["active_hooks", *(each.name for each in hooks_in(classes[base]))]
    assert list(busy_hooks(SOURCES)) == []


@pytest.mark.parametrize(
    ("path", "old", "new", "found"),
    [
        (
            "reactor/observe/instrumented.py",
            "    def after_call(",
            "    def _dispatch(self, handler: EventHandler, events: int) -> None:\n"
            "        super()._dispatch(handler, events)\n\n    def after_call(",
            "InstrumentedReactor._dispatch",
        ),
        (
            "reactor/observe/instrumented.py",
            "        self._clock = reactor.clock\n",
            "        self._clock = reactor.clock\n        self._parser = None\n",
            "InstrumentedConnection._parser",
        ),
        (
            "reactor/inspector/stepping.py",
            "class SteppedReactor(InstrumentedReactor):\n",
            "class SteppedReactor(InstrumentedReactor):\n    _fail = None\n",
            "SteppedReactor._fail",
        ),
        (
            "reactor/observe/instrumented.py",
            "    def on_scheduled(",
            "    def _update_first(self) -> None: ...\n\n    def on_scheduled(",
            "InstrumentedDeadlines._update_first",
        ),
    ],
)
def test_a_planted_override_is_found(path: str, old: str, new: str, found: str) -> None:
    assert list(private_overrides(planted(path, old, new))) == [found]


@pytest.mark.parametrize(
    ("path", "docstring", "found"),
    [
        (
            "reactor/server/connection_hooks.py",
            '"""Observe that the kernel has accepted bytes."""',
            "ConnectionHooks.on_sent",
        ),
        (
            "reactor/loop_hooks.py",
            '"""Observe that its callbacks have returned; ``began`` is when the previous call returned."""',
            "LoopHooks.after_call",
        ),
    ],
)
def test_a_planted_hook_with_a_body_is_found(path: str, docstring: str, found: str) -> None:
    busy = planted(path, docstring, f"{docstring}\n        self.count = 1")
    assert list(busy_hooks(busy)) == [found]
