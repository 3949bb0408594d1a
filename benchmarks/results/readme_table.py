"""The table of figures in ``benchmarks/README.md``, generated from a results file.

    python -m benchmarks readme RUN.json                                prints the table
    python -m benchmarks readme RUN.json --write benchmarks/README.md   replaces the text between the markers

The markers are <!-- figures --> and <!-- /figures -->, each on its own line.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.results.checks import PASS, check
from benchmarks.results.environment import commit, date, machine
from benchmarks.results.samples import Run
from benchmarks.results.statistics import Figure, figures
from benchmarks.results.tables import targets_table
from benchmarks.results.targets import evaluate, score

BEGIN, END = "<!-- figures -->", "<!-- /figures -->"


def markdown(run: Run) -> str:
    """Return the table, with the environment and the self-checks."""
    known = run.environment
    verdicts = evaluate(figures(run))
    rounds = max((each.round for each in run.samples), default=0)
    return "\n".join(
        [
            f"Measured on {date(known)} with commit {commit(known)} by `{known.get('command', '')}`",
            f"({machine(known)}; {rounds} interleaved rounds). Figures are medians of the",
            f"ratios within each round. {score(verdicts)}.",
            "",
            targets_table(verdicts).markdown(),
            "",
            *cpu_ratios(figures(run)),
            self_checks(run),
        ]
    )


def cpu_ratios(known: Mapping[str, Figure]) -> list[str]:
    """Return the ratios to the floor in requests per CPU second."""
    named = {name: known.get(f"{name}.cpu.floor") for name in ("hot", "browser", "varied")}
    found = [f"{name} {figure.median:.2f}" for name, figure in named.items() if figure is not None]
    if not found:
        return []
    return [
        "Where the core of the load generator is the limit (see the self-checks), the floor is faster than",
        "measured. Requests per second of the server's processor time do not depend on that limit; by",
        f"them, the ratios to the floor are: {', '.join(found)}.",
        "",
    ]


def self_checks(run: Run) -> str:
    """Return a summary of the self-checks, with the text of each warning."""
    checks = check(run)
    counts = Counter(each.result for each in checks)
    warnings = [f"{each.name}: {each.words}" for each in checks if each.result not in (PASS, "not applied")]
    summary = ", ".join(f"{count} {result}" for result, count in counts.items())
    return "\n".join([f"Self-checks: {summary}.", *(f"\n- {each}" for each in warnings)])


def replaced(text: str, figures: str) -> str:
    """Return the text with the figures between its markers; raise ValueError if the markers are missing."""
    before, begin, rest = text.partition(f"{BEGIN}\n")
    _, end, after = rest.partition(f"{END}\n")
    if not (begin and end):
        raise ValueError(f"missing markers: a line {BEGIN}, and a line {END} after it")
    return f"{before}{begin}{figures}\n{end}{after}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table, or write it to a file; return 2 on an error."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks readme",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("run", type=Path, metavar="RUN.json")
    parser.add_argument(
        "--write", type=Path, metavar="FILE", help="replace the figures between the markers in FILE"
    )
    options = parser.parse_args(arguments)
    try:
        text = markdown(Run.load(options.run))
        if options.write is not None:
            options.write.write_text(replaced(options.write.read_text(), text))
    except (OSError, ValueError) as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 2
    if options.write is None:
        print(text)
    return 0
