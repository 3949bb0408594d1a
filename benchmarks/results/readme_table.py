"""The figures in ``benchmarks/README.md``: a saved run as Markdown, with its environment and self-checks."""

import argparse
import textwrap
from collections.abc import Sequence

from benchmarks.results.checks import WARN, check, summary
from benchmarks.results.environment import commit, date, machine
from benchmarks.results.samples import Run
from benchmarks.results.statistics import figures
from benchmarks.results.tables import escaped, tables, targets_table
from benchmarks.results.targets import evaluate, score

WIDTH = 110


def markdown(run: Run) -> str:
    """Return the environment, the tables of targets and attacks, and the self-checks with their warnings."""
    known, checks, verdicts = run.environment, check(run), evaluate(figures(run))
    measured = (
        f"Measured on {date(known)} by `{known.get('command', '')}` with commit {commit(known)} "
        f"({machine(known)}; {run.rounds} interleaved rounds). Each figure is the median over the rounds. "
        f"{score(verdicts)}."
    )
    warnings = [f"- {each.name}: {escaped(each.words)}." for each in checks if each.result == WARN]
    above = textwrap.fill(measured, WIDTH, break_long_words=False, break_on_hyphens=False)
    passed = f"Self-checks: {summary(checks)}."
    attacks = [each.markdown() for each in tables(run, "attack")[:1]]
    return "\n\n".join([above, targets_table(verdicts).markdown(), *attacks, passed, *warnings])


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks readme", description=__doc__)
    parser.add_argument("run", type=Run.load, metavar="RUN.json")
    print(markdown(parser.parse_args(arguments).run))
    return 0
