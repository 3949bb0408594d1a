"""Mutation operators on the syntax tree: every fault that they can put into a source.

    Operator    Change
    compare     < to <=, > to >=, == to !=, is to is not, in to not in, and back
    boolean     and to or, and back
    negation    not x to x
    arithmetic  + to -, * to //, & to |, and back; augmented assignments too
    number      a number to the next one
    true, false the condition of if, while, a conditional expression or a comprehension to True, or to False
    result      a returned value to None
    statement   a call, raise, del, or assignment to an attribute or an item is deleted
    loop        break to continue, and back
    argument    a keyword argument is dropped
    handler     except E to except (), which catches nothing

Only the text of the node is replaced, and the number of its lines is kept. Left out are annotations,
assertions, decorators, type aliases, help texts, ``if TYPE_CHECKING`` and ``if __name__``, which have no
effect on what is served, and expressions in f-strings, whose positions are wrong before Python 3.12.
"""

import ast
import re
from collections.abc import Iterator
from typing import NamedTuple

COMPARE = {
    ast.Lt: ("<", "<="),
    ast.LtE: ("<=", "<"),
    ast.Gt: (">", ">="),
    ast.GtE: (">=", ">"),
    ast.Eq: ("==", "!="),
    ast.NotEq: ("!=", "=="),
    ast.Is: ("is", "is not"),
    ast.IsNot: (r"is\s+not", "is"),
    ast.In: ("in", "not in"),
    ast.NotIn: (r"not\s+in", "in"),
}
ARITHMETIC = {
    ast.Add: (r"\+", "-"),
    ast.Sub: ("-", "+"),
    ast.Mult: (r"\*", "//"),
    ast.FloorDiv: ("//", "*"),
    ast.BitAnd: ("&", "|"),
    ast.BitOr: (r"\|", "&"),
}
BOOLEAN = {ast.And: ("and", "or"), ast.Or: ("or", "and")}
TEXTS = ("help", "metavar", "description", "epilog", "usage", "prog")  # keyword arguments for people only
# The fields of a node in which nothing is changed.
SKIPPED_FIELDS = frozenset({"annotation", "returns", "decorator_list", "bases", "type_params"})
SKIPPED_TESTS = ("TYPE_CHECKING", "typing.TYPE_CHECKING", "__name__ == '__main__'")


class Fault(NamedTuple):
    """One change of one source file: the bytes from ``start`` to ``end`` become ``new``."""

    path: str
    line: int
    operator: str
    start: int
    end: int
    new: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.operator}:{self.start}"

    def apply(self, source: bytes) -> bytes:
        """Return the faulty source, with as many lines."""
        replaced = source[self.start : self.end]
        padding = "\n" * (replaced.count(b"\n") - self.new.count("\n"))
        in_brackets = padding and self.new not in ("pass", "")
        new = f"({self.new}{padding})" if in_brackets else self.new + padding
        return source[: self.start] + new.encode() + source[self.end :]


def is_valid(fault: Fault, source: bytes) -> bool:
    """Whether the faulty source compiles and is a different program."""
    try:
        return ast.dump(ast.parse(fault.apply(source))) != ast.dump(ast.parse(source))
    except SyntaxError:
        return False


def faults_in(path: str, source: bytes) -> list[Fault]:
    """Return all faults of a file, by place."""
    return sorted(_Finder(path, source).visit(ast.parse(source)))


class _Finder:
    """Finds the faults of one source; ``visit`` yields those of a node and of all below it."""

    def __init__(self, path: str, source: bytes) -> None:
        self._path = path
        self._source = source
        self._lines = [0, *(match.end() for match in re.finditer(b"\n", source))]

    def visit(self, node: ast.AST) -> Iterator[Fault]:
        if _is_skipped(node):
            return
        yield from self._expressions(node)
        yield from self._statements(node)
        for name, value in ast.iter_fields(node):
            for child in value if isinstance(value, list) else [value]:
                if name not in SKIPPED_FIELDS and isinstance(child, ast.AST):
                    yield from self.visit(child)

    def _expressions(self, node: ast.AST) -> Iterator[Fault]:
        match node:
            case ast.Compare():
                operands = [node.left, *node.comparators]
                for left, operator, right in zip(operands, node.ops, operands[1:], strict=False):
                    yield self._between("compare", left, COMPARE[type(operator)], right)
            case ast.BoolOp():
                for left, right in zip(node.values, node.values[1:], strict=False):
                    yield self._between("boolean", left, BOOLEAN[type(node.op)], right)
            case ast.BinOp(left, operator, right) if type(operator) in ARITHMETIC:
                if not _is_text(left) and not _is_text(right):
                    yield self._between("arithmetic", left, ARITHMETIC[type(operator)], right)
            case ast.UnaryOp(ast.Not(), operand):
                yield self._replace("negation", node, self._text(operand))
            case ast.Constant(int() | float() as number) if not isinstance(number, bool):
                yield self._replace("number", node, repr(number + 1))
            case ast.IfExp() | ast.comprehension():
                for test in node.ifs if isinstance(node, ast.comprehension) else [node.test]:
                    yield from self._conditions(test)
            case ast.Call():
                for keyword in node.keywords:
                    if keyword.arg is not None and keyword.arg not in TEXTS:
                        yield self._drop(keyword)

    def _statements(self, node: ast.AST) -> Iterator[Fault]:
        match node:
            case ast.If(test) | ast.While(test):
                yield from self._conditions(test)
            case ast.Return(ast.expr() as value) if ast.unparse(value) != "None":
                yield self._replace("result", value, "None")
            case ast.Break() | ast.Continue():
                yield self._replace("loop", node, "continue" if isinstance(node, ast.Break) else "break")
            case ast.AugAssign(target, operator, value) if type(operator) in ARITHMETIC:
                pattern, new = ARITHMETIC[type(operator)]
                yield self._between("arithmetic", target, (pattern + "=", new + "="), value)
            case ast.ExceptHandler(ast.expr() as caught):
                yield self._replace("handler", caught, "()")
        match node:
            case (
                ast.Expr(ast.Call())
                | ast.Raise()
                | ast.Delete()
                | ast.Assign([ast.Attribute() | ast.Subscript()])
                | ast.AnnAssign(ast.Attribute(), value=ast.expr())
                | ast.AugAssign()
            ):
                yield self._replace("statement", node, "pass")

    def _conditions(self, test: ast.expr) -> Iterator[Fault]:
        for value in ("True", "False"):
            if ast.unparse(test) != value:
                yield self._replace(value.lower(), test, value)

    def _span(self, node: ast.expr | ast.stmt | ast.keyword) -> tuple[int, int]:
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        start = self._lines[node.lineno - 1] + node.col_offset
        return start, self._lines[node.end_lineno - 1] + node.end_col_offset

    def _text(self, node: ast.expr) -> str:
        start, end = self._span(node)
        return self._source[start:end].decode()

    def _replace(self, operator: str, node: ast.expr | ast.stmt, new: str) -> Fault:
        return Fault(self._path, node.lineno, operator, *self._span(node), new)

    def _between(self, operator: str, left: ast.expr, change: tuple[str, str], right: ast.expr) -> Fault:
        """Replace the operator between two operands."""
        start, end = self._span(left)[1], self._span(right)[0]
        between = re.sub(rb"#[^\n]*", lambda comment: b" " * len(comment[0]), self._source[start:end])
        found = re.search(change[0].encode(), between)
        assert found is not None
        line = self._source.count(b"\n", 0, start + found.start()) + 1
        return Fault(self._path, line, operator, start + found.start(), start + found.end(), change[1])

    def _drop(self, keyword: ast.keyword) -> Fault:
        """Drop a keyword argument and the comma behind it."""
        start, end = self._span(keyword)
        comma = re.compile(rb"\s*, ?").match(self._source, end)
        return Fault(self._path, keyword.lineno, "argument", start, comma.end() if comma else end, "")


def _is_text(node: ast.expr) -> bool:
    """Whether it is a literal of text or bytes, to which nothing but + applies."""
    return isinstance(node, ast.JoinedStr) or (
        isinstance(node, ast.Constant) and isinstance(node.value, str | bytes)
    )


def _is_skipped(node: ast.AST) -> bool:
    match node:
        case ast.Assert() | ast.JoinedStr():
            return True
        case ast.If(test):
            return ast.unparse(test) in SKIPPED_TESTS
        case ast.Assign(value=ast.BinOp(op=ast.BitOr()) as value):  # a type alias: A | B, not READ | WRITE
            names = [part.strip().partition("[")[0] for part in ast.unparse(value).split("|")]
            return all(name == "None" or name.rpartition(".")[2] != name.upper() for name in names)
    return False
