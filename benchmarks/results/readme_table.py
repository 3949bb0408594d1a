"""The figures in ``benchmarks/README.md``, generated from a results file.

    python -m benchmarks readme RUN.json                                prints them
    python -m benchmarks readme RUN.json --write benchmarks/README.md   replaces the text between the markers

The markers are <!-- figures --> and <!-- /figures -->, each on its own line.
"""

import argparse
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.results.checks import WARN, Check, check, summary
from benchmarks.results.environment import commit, date, machine
from benchmarks.results.samples import Run
from benchmarks.results.statistics import Figure, figures
from benchmarks.results.tables import escaped, targets_table
from benchmarks.results.targets import evaluate, score

BEGIN, END = "<!-- figures -->", "<!-- /figures -->"
WIDTH = 110


def markdown(run: Run) -> str:
    """Return the environment, the table of targets, and the self-checks."""
    known, named = run.environment, figures(run)
    verdicts = evaluate(named)
    rounds = max((each.round for each in run.samples), default=0)
    measured = (
        f"Measured on {date(known)} by `{known.get('command', '')}` with commit {commit(known)} "
        f"({machine(known)}; {rounds} interleaved rounds). Each figure is the median over the rounds. "
        f"{score(verdicts)}."
    )
    parts = [
        _wrapped(measured),
        targets_table(verdicts).markdown(),
        _wrapped(cpu_ratios(named)),
        self_checks(check(run)),
    ]
    return "\n\n".join(each for each in parts if each)


def cpu_ratios(known: Mapping[str, Figure]) -> str:
    """Return the ratios to the floor in requests per CPU second; "" if unknown."""
    named = {name: known.get(f"{name}.cpu.floor") for name in ("hot", "browser", "varied")}
    found = [f"{figure.median:.2f} ({name})" for name, figure in named.items() if figure is not None]
    words = (
        "Where the core of the load generator is the limit (see the self-checks), the floor is faster than "
        "measured. Requests per second of the server's CPU time do not depend on that limit; by them, the "
        "ratios to the floor are"
    )
    return f"{words} {', '.join(found)}." if found else ""


def self_checks(checks: Sequence[Check]) -> str:
    """Return the number of self-checks that passed, and the sentence of each warning."""
    warnings = [_wrapped(escaped(f"- {each.name}: {each.words}.")) for each in checks if each.result == WARN]
    return "\n".join([f"Self-checks: {summary(checks)}.", *([""] if warnings else []), *warnings])


def _wrapped(text: str) -> str:
    indent = "  " if text.startswith("-") else ""
    return textwrap.fill(
        text, WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )


def replaced(text: str, figures: str) -> str:
    """Return the text with the figures between its markers; raise ValueError if the markers are missing."""
    before, begin, rest = text.partition(f"{BEGIN}\n")
    _, end, after = rest.partition(f"{END}\n")
    if not (begin and end):
        raise ValueError(f"missing markers: a line {BEGIN}, and a line {END} after it")
    return f"{before}{begin}{figures}\n{end}{after}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figures, or write them to a file."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks readme",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("run", type=Run.load, metavar="RUN.json")
    words = "replace the figures between the markers in FILE"
    parser.add_argument("--write", type=Path, metavar="FILE", help=words)
    options = parser.parse_args(arguments)
    text = markdown(options.run)
    if options.write is None:
        print(text)
        return 0
    try:
        options.write.write_text(replaced(options.write.read_text(), text))
    except (OSError, ValueError) as error:
        parser.error(f"cannot write figures: {options.write}: {error}")
    return 0
