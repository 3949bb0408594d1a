"""The floors of the design, and a checker of imports: from sources by path to a list of faults."""

import ast
import sys
from collections.abc import Mapping
from fnmatch import fnmatch
from functools import lru_cache
from graphlib import CycleError, TopologicalSorter
from typing import NamedTuple

BESIDE = -1  # the handlers stand beside the floors

# Which floor a file stands on. One that is not listed is a fault, until its place is decided.
FLOORS = {
    "reactor/__init__.py": 4,
    "reactor/__main__.py": 4,
    "reactor/cli.py": 4,
    "reactor/server.py": 4,
    "reactor/sharing.py": 4,
    "reactor/watching.py": 4,
    "reactor/lessons/*.py": 4,
    "reactor/explain.py": 3,
    "reactor/trace.py": 3,
    "reactor/trace_lines.py": 3,
    "reactor/line_file.py": 1,
    "reactor/metrics.py": 3,
    "reactor/families.py": 1,
    "reactor/process_figures.py": 1,
    "reactor/exposition.py": 1,
    "reactor/names.py": 3,
    "reactor/messages.py": 1,
    "reactor/inspector/*.py": 4,
    "reactor/acceptor.py": 3,
    "reactor/access_log.py": 3,
    "reactor/connection.py": 3,
    "reactor/intake.py": 3,
    "reactor/outbox.py": 3,
    "reactor/service.py": 3,
    "reactor/shutdown.py": 3,
    "reactor/watched.py": 3,
    "reactor/routing.py": 2,
    "reactor/guard.py": 2,
    "reactor/allowed_hosts.py": 2,
    "reactor/loop.py": 1,
    "reactor/deadlines.py": 1,
    "reactor/wakeup.py": 1,
    "reactor/observer.py": 1,
    "reactor/line_writer.py": 1,
    "reactor/http11/*.py": 0,
    "reactor/settings.py": 0,
    "handlers/*.py": BESIDE,
}

# What would bring sockets, the clock, files or chance to the floor that has none of them.
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
# Where a lock is taken, which is no input or output: another thread may send to a live stream.
LOCKS = {("reactor/http11/message.py", "threading")}
# What would bring HTTP to the reactor: whatever of ours is beneath it, and the standard library's own.
HTTP = frozenset({"http", "email", "urllib"})

# What is used where somebody has installed it, by one file, which does without.
OPTIONAL = {("reactor/http11/coding.py", "isal"), ("reactor/process_figures.py", "psutil")}
# Who may name whom for the type checker alone, though that makes a circle.
NAMED_FOR_TYPES = {("reactor.service", "reactor.connection")}


class Import(NamedTuple):
    """One import of one module, and whether only the type checker sees it."""

    line: int
    name: str
    for_types: bool


def module_of(path: str) -> str:
    """Return the name of the module in a file."""
    return path.removesuffix(".py").replace("/", ".").removesuffix(".__init__")


def floor_of(path: str) -> int | None:
    """Return the floor of a file, None when it has no place."""
    for pattern, floor in FLOORS.items():
        if fnmatch(path, pattern) and path.count("/") == pattern.count("/"):
            return floor
    return None


@lru_cache(maxsize=256)
def imports_of(path: str, source: str, modules: frozenset[str]) -> tuple[Import, ...]:
    """Find every import in a file, wherever it stands."""
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
    """Return what is wrong with the imports of some files, each fault in a line."""
    paths = {module_of(path): path for path in sources}
    modules = frozenset(paths)
    found = []
    graph: dict[str, set[str]] = {}
    for path, source in sorted(sources.items()):
        importer = module_of(path)
        if floor_of(path) is None:
            found.append(f"{path} has no floor")
            continue
        graph[importer] = set()
        for each in imports_of(path, source, modules):
            fault = _fault(path, each, paths)
            if fault:
                found.append(f"{path}:{each.line} {fault}")
            if each.name in modules and not (each.for_types and (importer, each.name) in NAMED_FOR_TYPES):
                graph[importer].add(each.name)
    return found + _circles(graph)


def _fault(path: str, each: Import, paths: Mapping[str, str]) -> str:
    """Return what is wrong with one import; empty when nothing is."""
    top = each.name.partition(".")[0]
    floor = floor_of(path)
    if top not in ("reactor", "handlers"):
        if top not in sys.stdlib_module_names and (path, top) not in OPTIONAL:
            return f"imports {each.name}, which is not of the standard library"
        if floor == 0 and top in IMPURE and (path, top) not in LOCKS:
            return f"imports {each.name}, and is to be pure"
        if floor == 1 and top in HTTP:
            return f"imports {each.name}, and is to know no HTTP"
        return ""
    if each.name not in paths:
        return f"imports {each.name}, which is not there"
    return _fault_between(floor, each.name, floor_of(paths[each.name]))


def _fault_between(floor: int | None, name: str, other: int | None) -> str:
    """Return what is wrong with an import of one of our modules from a floor."""
    if floor == BESIDE:
        within = name == "reactor.routing" or name.startswith(("reactor.http11", "handlers"))
        return "" if within else f"imports {name}, and is a handler"
    if other is None or floor is None:
        return ""  # said already of the file that has no floor
    if other == BESIDE:
        return "" if floor == 4 else f"imports {name}, a handler"
    if floor == 1 and other != 1:
        return f"imports {name}, and is to know no HTTP"
    return f"imports {name}, which stands higher" if other > floor else ""


def _circles(graph: Mapping[str, set[str]]) -> list[str]:
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return ["a circle: " + " -> ".join(reversed(error.args[1]))]
    return []
