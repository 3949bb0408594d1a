"""The layers of the design, and a checker of imports that takes sources by path and returns faults."""

import ast
import sys
from collections.abc import Mapping
from functools import lru_cache
from graphlib import CycleError, TopologicalSorter
from typing import NamedTuple

# From top to bottom: a module imports from its own layer and from those below. A folder covers all its files.
LAYERS = (
    ("reactor/__init__.py", "reactor/__main__.py", "reactor/cli/", "reactor/testing/"),
    ("reactor/application.py",),
    ("reactor/workers/",),
    ("reactor/inspector/",),
    ("reactor/lessons/",),
    ("reactor/wsgi/",),
    ("reactor/observe/",),
    ("reactor/server/",),
    ("reactor/logs/",),
    (
        "reactor/routing.py",
        "reactor/error_handlers.py",
        "reactor/basic_auth.py",
        "reactor/allowed_hosts.py",
        "reactor/trusted_proxies.py",
    ),
    ("reactor/http11/",),
    (
        "reactor/loop.py",
        "reactor/loop_hooks.py",
        "reactor/event_handler.py",
        "reactor/call_order.py",
        "reactor/deadlines.py",
        "reactor/timer.py",
        "reactor/wakeup.py",
    ),
    ("reactor/settings.py", "reactor/_version.py"),
)
# Handlers import these, and only the command and the vocabulary of applications import handlers.
# Their package is reactor.handlers (reactor/__init__.py).
HANDLERS = "handlers/"
IMPORTS_HANDLERS = LAYERS[0] + LAYERS[1]
IMPORTED_BY_HANDLERS = ("reactor/routing.py", "reactor/basic_auth.py", "reactor/http11/", HANDLERS)

# No sockets, clocks, files or randomness; and of the layers below only the settings.
PURE = ("reactor/http11/", "reactor/settings.py", "reactor/_version.py")
IMPURE = frozenset(
    {
        "socket",
        "time",
        "os",
        "selectors",
        "io",
        "pathlib",
        "select",
        "ssl",
        "asyncio",
        "threading",
        "subprocess",
        "tempfile",
        "shutil",
        "random",
        "secrets",
    }
)
# A lock is not input or output: another thread may send to a live stream, or resolve a Deferred.
LOCKS = {("reactor/http11/deferred.py", "threading"), ("reactor/http11/message.py", "threading")}
# The event loop does not use HTTP, not even the standard library's.
NO_HTTP = (
    "reactor/loop.py",
    "reactor/loop_hooks.py",
    "reactor/event_handler.py",
    "reactor/call_order.py",
    "reactor/deadlines.py",
    "reactor/timer.py",
    "reactor/wakeup.py",
)
HTTP = frozenset({"http", "email", "urllib"})

# Optional packages, each imported by one file that works without it.
OPTIONAL = {
    ("reactor/http11/coding.py", "isal"),
    ("reactor/observe/metrics.py", "psutil"),
    ("reactor/cli/wsgi_options.py", "?"),  # the user's application
}
# Imports for the type checker only; at run time they would be circular.
NAMED_FOR_TYPES = {
    ("reactor.server.context", "reactor.server.connection"),
    ("reactor.observe.events", "reactor.observe.instrumented"),
}


class Import(NamedTuple):
    """One import of one module, and whether only the type checker sees it."""

    line: int
    name: str
    for_types: bool


def module_of(path: str) -> str:
    """Return the name of the module in a file."""
    name = path.removesuffix(".py").replace("/", ".").removesuffix(".__init__")
    return f"reactor.{name}" if path.startswith(HANDLERS) else name


def layer_of(path: str) -> int | None:
    """Return the index of a file's layer, 0 at the top; None when it has none."""
    for index, places in enumerate(LAYERS):
        if is_in(path, places):
            return index
    return None


def is_in(path: str, places: tuple[str, ...]) -> bool:
    """Say whether a file is one of these, or in one of these folders."""
    return any(path.startswith(place) if place.endswith("/") else path == place for place in places)


@lru_cache(maxsize=256)
def imports_of(path: str, source: str, modules: frozenset[str]) -> tuple[Import, ...]:
    """Find every import in a file, at any depth."""
    tree = ast.parse(source, path)
    for_types = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test).rpartition(".")[2] == "TYPE_CHECKING"
        for statement in node.body
        for inner in ast.walk(statement)
    }
    return tuple(
        Import(getattr(node, "lineno", 0), name, id(node) in for_types)
        for node in ast.walk(tree)
        for name in _names(path, node, modules)
    )


def _names(path: str, node: ast.AST, modules: frozenset[str]) -> list[str]:
    """Return the modules that a node imports: ``from x import y`` is x.y where that is a module."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        package = module_of(path).split(".")
        if not path.endswith("__init__.py"):
            package.pop()
        start = package[: len(package) - node.level + 1] if node.level else []
        base = ".".join([*start, *([node.module] if node.module else [])])
        inner = [f"{base}.{alias.name}" for alias in node.names]
        return sorted({name if name in modules else base for name in inner})
    if isinstance(node, ast.Call):
        function = ast.unparse(node.func).rpartition(".")[2]
        if function in ("__import__", "import_module"):
            known = node.args and isinstance(node.args[0], ast.Constant)
            return [str(node.args[0].value)] if known else ["?"]  # type: ignore[attr-defined]
    return []


def faults(sources: Mapping[str, str]) -> list[str]:
    """Return what is wrong with the imports of all files, each fault in a line."""
    paths = {module_of(path): path for path in sources}
    found = []
    graph: dict[str, set[str]] = {}
    for path, source in sorted(sources.items()):
        found += faults_in(path, source, paths)
        importer = module_of(path)
        graph[importer] = {
            each.name
            for each in imports_of(path, source, frozenset(paths))
            if each.name in paths and not (each.for_types and (importer, each.name) in NAMED_FOR_TYPES)
        }
    return found + _cycles(graph)


def faults_in(path: str, source: str, paths: Mapping[str, str]) -> list[str]:
    """Return what is wrong with the imports of one file; ``paths`` has the path of each of our modules."""
    if layer_of(path) is None and not is_in(path, (HANDLERS,)):
        return [f"{path} has no layer"]
    found = [(each, _fault(path, each, paths)) for each in imports_of(path, source, frozenset(paths))]
    return [f"{path}:{each.line} {fault}" for each, fault in found if fault]


def _fault(path: str, each: Import, paths: Mapping[str, str]) -> str:
    """Return what is wrong with one import; empty when nothing is."""
    top = each.name.partition(".")[0]
    if top != "reactor":
        if top not in sys.stdlib_module_names and (path, top) not in OPTIONAL:
            return f"imports {each.name}, which is not in the standard library"
        if is_in(path, PURE) and top in IMPURE and (path, top) not in LOCKS:
            return f"imports {each.name} in a module without I/O"
        if is_in(path, NO_HTTP) and top in HTTP:
            return f"imports {each.name} in a module without HTTP"
        return ""
    if each.name not in paths:
        return f"imports {each.name}, which does not exist"
    return _fault_between(path, each.name, paths[each.name])


def _fault_between(path: str, name: str, imported: str) -> str:
    """Return what is wrong with an import of one of our modules by a file."""
    if is_in(path, (HANDLERS,)):
        return "" if is_in(imported, IMPORTED_BY_HANDLERS) else f"imports {name} in a handler"
    layer, other = layer_of(path), layer_of(imported)
    if is_in(imported, (HANDLERS,)):
        return "" if is_in(path, IMPORTS_HANDLERS) else f"imports {name}, a handler"
    if layer is None or other is None:
        return ""  # reported for the file that has no layer
    if is_in(path, PURE) and not is_in(imported, PURE):
        return f"imports {name} in a module without I/O"
    return f"imports {name}, which is in a higher layer" if other < layer else ""


def _cycles(graph: Mapping[str, set[str]]) -> list[str]:
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return ["import cycle: " + " -> ".join(reversed(error.args[1]))]
    return []
