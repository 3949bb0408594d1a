"""Compare two saved runs: every figure that both have, and its change.

    python -m benchmarks compare BEFORE.json AFTER.json

A change is "a tie" when the median of one run lies within the range of the other: it may be noise. Ratios
(hot.floor) are more reliable than absolute figures (hot.rate), which are only comparable on the same quiet
machine.
"""

import argparse
from collections.abc import Mapping, Sequence

from benchmarks.results.environment import commit, machine
from benchmarks.results.samples import Run
from benchmarks.results.statistics import Figure, figures
from benchmarks.results.tables import LEFT, RIGHT, Table


def change(one: Figure, other: Figure) -> str:
    """Return the change as text.

    >>> change(Figure(0.50, 0.49, 0.51, 7), Figure(0.60, 0.59, 0.61, 7))
    '+20 %'
    >>> change(Figure(0.50, 0.49, 0.51, 7), Figure(0.51, 0.48, 0.54, 7))
    '+2 %, a tie'
    """
    if not one.median:
        return "from 0"
    tie = one.low <= other.median <= one.high or other.low <= one.median <= other.high
    return f"{(other.median / one.median - 1) * 100:+.0f} %{', a tie' if tie else ''}"


def table(before: Mapping[str, Figure], after: Mapping[str, Figure]) -> Table:
    """Return the table of figures that both runs have."""
    both = [(name, one, after[name]) for name, one in before.items() if name in after]
    lines = [
        [name, str(one), one.range, str(other), other.range, change(one, other)]
        for name, one, other in both
        if one.unit == other.unit
    ]
    heads = ("figure", "A", "range of rounds", "B", "range of rounds", "change")
    return Table("", heads, (LEFT, RIGHT, LEFT, RIGHT, LEFT, RIGHT), lines)


def parser_of(name: str, description: str) -> argparse.ArgumentParser:
    """Return a parser for a command, whose description is printed line by line."""
    formatter = argparse.RawDescriptionHelpFormatter
    return argparse.ArgumentParser(prog=name, description=description, formatter_class=formatter)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the comparison."""
    parser = parser_of("python -m benchmarks compare", __doc__ or "")
    parser.add_argument("before", type=Run.load, metavar="A.json")
    parser.add_argument("after", type=Run.load, metavar="B.json")
    options = parser.parse_args(arguments)
    before, after = options.before, options.after
    for name, known in (("A", before.environment), ("B", after.environment)):
        print(f"{name}  {known.get('started', '')}; {commit(known)}; {machine(known)}")
    if machine(before.environment) != machine(after.environment):
        print("warning: different machine or Python version: compare ratios only")
    print(table(figures(before), figures(after)).text())
    return 0
