"""Collect the limits of source files: the constants of modules that are numbers, or made of numbers."""

import ast
from collections.abc import Mapping


def limits_of(sources: Mapping[str, str]) -> list[str]:
    """Return ``path: NAME = value`` for each constant that has numbers and calls nothing, as written."""
    return [
        f"{path}: {target} = {ast.unparse(node.value)}"
        for path, source in sorted(sources.items())
        for node in ast.parse(source).body
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None and is_limit(node.value)
        for target in map(ast.unparse, node.targets if isinstance(node, ast.Assign) else [node.target])
        if target.isupper()
    ]


def is_limit(value: ast.expr) -> bool:
    """Whether a value has numbers, and is not computed by a function."""
    nodes = list(ast.walk(value))
    if any(isinstance(node, ast.Call | ast.Lambda | ast.comprehension) for node in nodes):
        return False
    return any(isinstance(node, ast.Constant) and type(node.value) in (int, float) for node in nodes)
