"""Collect the log and error messages of source files from their syntax trees.

1. A sink is a call that shows its arguments to users: a method of ``log`` or ``turns``, the construction of
   an exception (a name that ends in ``Error``), ``Response.error``, ``error`` and ``exit`` of a parser.
2. A function that passes a parameter to a sink is a sink in its module as well.
3. Messages are the string literals in the arguments of sinks, in assignments to variables that are such
   arguments or parts of them, and in the return values of functions whose results are.
"""

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

LOGGERS = {"log", "turns"}
LEVELS = {"debug", "info", "warning", "error", "exception", "critical"}
OTHERS = {"Response.error", "parser.error", "parser.exit", "self.exit"}

Function = ast.FunctionDef | ast.AsyncFunctionDef


class Sink(NamedTuple):
    """The kind of a sink, and the indices of the arguments that are messages (None: all)."""

    kind: str
    parameters: frozenset[int] | None = None


def messages_of(sources: Mapping[str, str]) -> list[str]:
    """Return ``path: kind: message`` for each message of several words, sorted, each once."""
    trees = {path: ast.parse(source) for path, source in sources.items()}
    functions: dict[str, list[Function]] = {}
    for tree in trees.values():
        for function in functions_in(tree):
            functions.setdefault(function.name, []).append(function)
    found = {
        f"{path}: {kind}: {text.strip()}"
        for path, tree in trees.items()
        for kind, text in Module(tree, functions).messages()
        if re.search("[A-Za-z]{3}", re.sub("{[^}]*}", "", text)) and " " in text.strip()
    }
    return sorted(found)


class Module:
    """One module: its sinks, and the values assigned to its variables."""

    def __init__(self, tree: ast.Module, functions: Mapping[str, list[Function]]) -> None:
        self._functions = functions
        self._calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
        self._passing: dict[str, Sink] = {}
        count = -1
        while count < len(self._passing):  # a function may pass a parameter to one that is found later
            count = len(self._passing)
            for function in functions_in(tree):
                self._note_passing(function)
        self._assigned: dict[str, list[ast.expr]] = {}
        for target, value in assignments_in(tree):
            self._assigned.setdefault(target, []).append(value)

    def messages(self) -> Iterator[tuple[str, str]]:
        """Yield the kind and the text of each message."""
        for call in self._calls:
            sink = self._sink(call)
            if sink is not None:
                for argument in shown(call, sink):
                    for text in self._texts(argument, set()):
                        yield kind_of(call, sink), text

    def _sink(self, call: ast.Call) -> Sink | None:
        name = ast.unparse(call.func)
        owner, _, method = name.rpartition(".")
        if owner in LOGGERS and method in LEVELS:
            return Sink(f"{owner}.{method}")
        if name in OTHERS or method.endswith("Error"):
            return Sink(name)
        return self._passing.get(method)

    def _note_passing(self, function: Function) -> None:
        """Make a function a sink if it passes a parameter to a sink."""
        names = [each.arg for each in function.args.args]
        is_method = names[:1] in (["self"], ["cls"])
        for call in (node for node in ast.walk(function) if isinstance(node, ast.Call)):
            sink = self._sink(call)
            passed = {node.id for node in shown(call, sink) if isinstance(node, ast.Name)} if sink else set()
            indices = frozenset(index - is_method for index, name in enumerate(names) if name in passed)
            if sink is not None and indices:
                self._passing[function.name] = Sink(kind_of(call, sink), indices)

    def _texts(self, node: ast.AST, seen: set[str]) -> Iterator[str]:
        """Yield the possible texts of an argument."""
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        elif isinstance(node, ast.JoinedStr):
            yield template(node)
            for piece in node.values:
                if isinstance(piece, ast.FormattedValue):
                    yield from self._texts(piece.value, seen)
        elif isinstance(node, ast.IfExp | ast.BoolOp | ast.BinOp):
            parts = (node.body, node.orelse) if isinstance(node, ast.IfExp) else ast.iter_child_nodes(node)
            for part in parts:
                yield from self._texts(part, seen)
        elif isinstance(node, ast.Name) and node.id not in seen:
            for value in self._assigned.get(node.id, ()):
                yield from self._texts(value, seen | {node.id})
        elif isinstance(node, ast.Call):
            name = ast.unparse(node.func).rpartition(".")[2]
            for function in self._functions.get(name, ()) if name not in seen else ():
                for value in returned_by(function):
                    yield from self._texts(value, seen | {name})


def shown(call: ast.Call, sink: Sink) -> Iterator[ast.expr]:
    """Yield the arguments of a call that are messages."""
    for index, argument in enumerate(call.args):
        if sink.parameters is None or index in sink.parameters:
            yield argument


def kind_of(call: ast.Call, sink: Sink) -> str:
    """Return the kind of a sink, with the status of a response."""
    status = call.args[0] if call.args else None
    is_status = isinstance(status, ast.Constant) and isinstance(status.value, int)
    return f"{sink.kind} {ast.unparse(call.args[0])}" if is_status and " " not in sink.kind else sink.kind


def functions_in(tree: ast.AST) -> Iterator[Function]:
    """Yield all functions and methods."""
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def returned_by(function: Function) -> Iterator[ast.expr]:
    """Yield the values that a function returns."""
    for node in ast.walk(function):
        if isinstance(node, ast.Return) and node.value is not None:
            yield node.value


def assignments_in(tree: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    """Yield the variables and their values in assignments."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign | ast.AnnAssign | ast.NamedExpr) and node.value is not None:
            targets: Iterable[ast.expr] = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                if isinstance(target, ast.Name):
                    yield target.id, node.value


def template(node: ast.JoinedStr) -> str:
    """Return an f-string as it is written, without the quotes."""
    text = ""
    for part in node.values:
        if isinstance(part, ast.FormattedValue):
            conversion = f"!{chr(part.conversion)}" if part.conversion != -1 else ""
            form = f":{template(part.format_spec)}" if isinstance(part.format_spec, ast.JoinedStr) else ""
            text += f"{{{ast.unparse(part.value)}{conversion}{form}}}"
        elif isinstance(part, ast.Constant):
            text += str(part.value)
    return text
