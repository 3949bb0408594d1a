"""The figures in ``benchmarks/README.md``: a saved run as Markdown, with its environment and self-checks."""

import argparse
import textwrap
from collections.abc import Sequence

from benchmarks.results.checks import WARN, check, summary
from benchmarks.results.environment import commit, date, machine
from benchmarks.results.samples import Run
from benchmarks.results.tables import escaped, summary_tables, tables

WIDTH = 110


def markdown(run: Run) -> str:
    """Return the environment, the summary, attacks, warnings of self-checks, and what was not measured."""
    known, checks = run.environment, check(run)
    measured = (
        f"Measured on {date(known)} by `{known.get('command', '')}` with commit {commit(known)} "
        f"and seed {known.get('seed')} ({machine(known)}; {run.rounds} interleaved rounds). Each figure is "
        "the median over the rounds, with half of its range."
    )
    warnings = [f"- {each.name}: {escaped(each.words)}." for each in checks if each.result == WARN]
    above = textwrap.fill(measured, WIDTH, break_long_words=False, break_on_hyphens=False)
    shown = (*summary_tables(run), *tables(run, "attack")[:1])
    skipped = [f"- Not measured: {what}: {escaped(why)}." for what, why in run.skipped.items()]
    written = [f"{each.title}:\n\n{each.markdown()}" for each in shown]
    return "\n\n".join([above, *written, f"Self-checks: {summary(checks)}.", *warnings, *skipped])


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks readme", description=__doc__)
    parser.add_argument("run", type=Run.load, metavar="RUN.json")
    print(markdown(parser.parse_args(arguments).run))
    return 0
