"""A run that was saved, shown again: its tables, its report, its gates. Nothing is measured.

python -m benchmarks show RUN.json --html report.html --assert 'hot.floor>=0.70'
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.questions import QUESTIONS
from benchmarks.results.samples import Run
from benchmarks.results.statistics import figures
from benchmarks.results.tables import LEFT, RIGHT, Table, spread, tables
from benchmarks.results.units import shown
from benchmarks.runner.command import conclude, output_options


def figures_table(run: Run) -> Table:
    """Make the table of all figures that a run has."""
    lines = [
        [name, shown(each.median, each.unit), spread(each), each.unit] for name, each in figures(run).items()
    ]
    return Table("", ("figure", "median", "from round to round", "unit"), (LEFT, RIGHT, LEFT, LEFT), lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Show a run; return 1 when a gate does not hold, 2 for a file that holds no run."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks show",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("run", type=Path, metavar="RUN.json")
    parser.add_argument("--figures", action="store_true", help="print all figures by their names instead")
    output_options(parser)
    options = parser.parse_args(arguments)
    try:
        run = Run.load(options.run)
    except (OSError, ValueError) as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 2
    if options.figures:
        print(figures_table(run).text())
        return 0
    for question in QUESTIONS:
        for table in tables(run, question):
            print(f"{table.text()}\n")
    return conclude(run, options.html, options.gates)
