"""Compare two saved runs: every figure that both have, and its change.

    python -m benchmarks compare BEFORE.json AFTER.json

A change is "a tie" when the median of one run lies within the range of the other: it may be noise. Ratios
(hot.floor) are more reliable than absolute figures (hot.rate), which are only comparable on the same quiet
machine.
"""

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from benchmarks.results.environment import commit, machine
from benchmarks.results.samples import Run
from benchmarks.results.statistics import Figure, figures
from benchmarks.results.tables import LEFT, RIGHT, Table, spread
from benchmarks.results.units import format_figure

HEADS = ("figure", "A", "range of rounds", "B", "range of rounds", "change")
SIDES = (LEFT, RIGHT, LEFT, RIGHT, LEFT, RIGHT)


def within(one: Figure, other: Figure) -> bool:
    """Return whether one median lies within the other's range."""
    return one.low <= other.median <= one.high or other.low <= one.median <= other.high


def change(one: Figure, other: Figure) -> str:
    """Return the change as text.

    >>> change(Figure(0.50, 0.49, 0.51, 7), Figure(0.60, 0.59, 0.61, 7))
    '+20 %'
    >>> change(Figure(0.50, 0.49, 0.51, 7), Figure(0.51, 0.48, 0.54, 7))
    '+2 %, a tie'
    """
    if not one.median:
        return "from 0"
    words = f"{(other.median / one.median - 1) * 100:+.0f} %"
    return f"{words}, a tie" if within(one, other) else words


def table(before: Mapping[str, Figure], after: Mapping[str, Figure]) -> Table:
    """Return the table of figures that both runs have."""
    lines = []
    for name, one in before.items():
        if name in after and after[name].unit == one.unit:
            other = after[name]
            lines.append([name, *_figure(one), *_figure(other), change(one, other)])
    return Table("", HEADS, SIDES, lines)


def _figure(figure: Figure) -> Iterator[str]:
    yield format_figure(figure.median, figure.unit)
    yield spread(figure)


def heading(name: str, run: Run) -> str:
    """Return a line with date, commit and machine of a run."""
    known = run.environment
    parts = (str(known.get("started", "")), commit(known), machine(known))
    return f"{name}  {'; '.join(each for each in parts if each)}"


def warning(before: Run, after: Run) -> str | None:
    """Return a warning if the runs are hard to compare, or None."""
    where = machine(before.environment), machine(after.environment)
    if where[0] != where[1]:
        return "different machine or Python version: compare ratios only"
    return None


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the comparison; return 2 for an invalid results file."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks compare",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("before", type=Path, metavar="A.json")
    parser.add_argument("after", type=Path, metavar="B.json")
    parser.add_argument(
        "--only", default="", metavar="WORD", help="show only figures whose name contains WORD"
    )
    options = parser.parse_args(arguments)
    try:
        before, after = Run.load(options.before), Run.load(options.after)
    except (OSError, ValueError) as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 2
    print(heading("A", before), heading("B", after), sep="\n")
    if doubt := warning(before, after):
        print(f"warning: {doubt}")
    wanted = {name: each for name, each in figures(before).items() if options.only in name}
    print(table(wanted, figures(after)).text())
    return 0
