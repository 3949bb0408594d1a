"""No cache belongs to the process: each one is owned by an object, such as one server's serializer."""

import ast
from collections.abc import Iterator

import pytest

from tests.design.sources import read_sources

SOURCES = read_sources("reactor", "handlers")
DECORATORS = {"lru_cache", "cache"}
CONTAINERS = {"dict", "list", "set", "OrderedDict", "defaultdict", "deque", "Counter", "bytearray"}
MUTATORS = {"add", "append", "appendleft", "clear", "extend", "insert", "pop", "popitem", "popleft", "put"}
MUTATORS |= {"discard", "move_to_end", "remove", "setdefault", "update"}
FUNCTION = (ast.FunctionDef, ast.AsyncFunctionDef)


def global_caches(source: str) -> Iterator[str]:
    """Yield the names of caches that last as long as the process.

    Such a cache is a decorated function, or a module or class attribute that a function changes.
    """
    tree = ast.parse(source)
    decorators = DECORATORS | {
        alias.asname
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "functools"
        for alias in node.names
        if alias.asname and alias.name in DECORATORS
    }
    changed = set(_changed_in_functions(tree))
    for node in _made_at_import(tree.body):
        if isinstance(node, FUNCTION):
            if any(_called(each) in decorators for each in node.decorator_list):
                yield node.name
        elif isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names = [ast.unparse(target) for target in targets]
            maker = _called(node.value)
            is_cache = maker in decorators or (isinstance(node.value, ast.Call) and maker.endswith("Cache"))
            is_changed = _is_container(node.value) and not changed.isdisjoint(names)
            if is_cache or is_changed:
                yield from names
    yield from (name for node in ast.walk(tree) if isinstance(node, ast.Global) for name in node.names)


def _made_at_import(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield the statements that run when a module is imported, those of classes and branches too."""
    for node in body:
        yield node
        if not isinstance(node, FUNCTION):
            for _, value in ast.iter_fields(node):
                if isinstance(value, list):
                    yield from _made_at_import([each for each in value if isinstance(each, ast.stmt)])
                    for each in value:
                        if isinstance(each, ast.ExceptHandler):
                            yield from _made_at_import(each.body)


def _called(node: ast.expr) -> str:
    """Return the last name of what is called or named: that of ``functools.lru_cache(64)(f)``, say."""
    while isinstance(node, ast.Call | ast.Subscript):
        node = node.func if isinstance(node, ast.Call) else node.value
    return ast.unparse(node).rpartition(".")[2] if isinstance(node, ast.Name | ast.Attribute) else ""


def _is_container(node: ast.expr) -> bool:
    displays = ast.Dict | ast.List | ast.Set | ast.DictComp | ast.ListComp | ast.SetComp
    return isinstance(node, displays) or (isinstance(node, ast.Call) and _called(node) in CONTAINERS)


def _changed_in_functions(tree: ast.Module) -> Iterator[str]:
    """Yield the names whose values functions change: ``X[1] = 2``, ``del X[1]``, ``X.append(1)``."""
    for function in ast.walk(tree):
        if not isinstance(function, (*FUNCTION, ast.Lambda)):
            continue
        for node in ast.walk(function):
            changed = _what_changes(node)
            if isinstance(changed, ast.Name | ast.Attribute):
                yield ast.unparse(changed).rpartition(".")[2]


def _what_changes(node: ast.AST) -> ast.expr | None:
    if isinstance(node, ast.AugAssign):
        return node.target
    if isinstance(node, ast.Subscript) and not isinstance(node.ctx, ast.Load):
        return node.value
    return node.value if isinstance(node, ast.Attribute) and node.attr in MUTATORS else None


def test_no_cache_belongs_to_the_process() -> None:
    assert len(SOURCES) > 20
    assert {path: found for path, source in SOURCES.items() if (found := list(global_caches(source)))} == {}


@pytest.mark.parametrize(
    "source",
    [
        "@lru_cache(maxsize=64)\ndef f(a): pass",
        "@lru_cache\ndef f(a): pass",
        "@cache\ndef f(a): pass",
        "@functools.cache\ndef f(a): pass",
        "from functools import lru_cache as memo\n@memo(maxsize=4)\ndef f(a): pass",
        "class C:\n    @lru_cache(maxsize=64)\n    def m(self): pass",
        "if True:\n    @cache\n    def f(a): pass",
        "try:\n    pass\nexcept ImportError:\n    @cache\n    def f(a): pass",
        "find = lru_cache(maxsize=64)(_find)",
        "find: Callable[[str], str] = functools.lru_cache(64)(_find)",
        "_cache = BoundedCache(max_entries=64, max_length=9)",
        "_cache: BoundedCache[bytes, bytes] = BoundedCache[bytes, bytes](64, 9)",
        "class C:\n    cache = FileCache()",
        "_found = {}\ndef f(a): _found[a] = 1",
        "_found: dict[str, int] = {}\ndef f(a): return _found.setdefault(a, 1)",
        "_found = OrderedDict()\nclass C:\n    def m(self, a): _found.popitem()",
        "_found = {'a': 1}\ndef f(a):\n    def g():\n        _found.update(a)",
        "_found = {}\nput = lambda a: _found.update(a)",
        "_found = {}\ndef f(a): del _found[a]",
        "_last = [0, '']\ndef f(a): _last[:] = a, ''",
        "_seen = set()\ndef f(a): _seen.add(a)",
        "_seen = set()\ndef f(a):\n    global _seen\n    _seen = a",
        "_last = None\ndef f(a):\n    global _last\n    _last = a",
        "class C:\n    found = {}\n    def m(self, a): self.found[a] = 1",
    ],
)
def test_a_planted_cache_is_found(source: str) -> None:
    assert list(global_caches(source))


@pytest.mark.parametrize(
    "source",
    [
        "class C:\n    def __init__(self): self._find = lru_cache(maxsize=64)(_find)",
        "class C:\n    def __init__(self): self._found = {}\n    def m(self, a): self._found[a] = 1",
        "def f(a):\n    found = {}\n    found[a] = 1\n    return found",
        "_NAMES = {'a': 1}\ndef f(a): return _NAMES[a]",
        "_NAMES = {}\n_NAMES['a'] = 1\ndef f(a): return _NAMES.get(a)",
        "_names = []\nfor each in 'ab':\n    _names.append(each)",
        "class BoundedCache(dict):\n    pass",
        "class C:\n    @cached_property\n    def m(self): pass",
        "Caches = dict[str, BoundedCache[bytes, bytes]]",
        "TextCache = BoundedCache[bytes, str]",
    ],
)
def test_other_caches_are_not_reported(source: str) -> None:
    assert not list(global_caches(source))
